"""Every error of the control plane in one form: RFC 9457, with where, what was expected and a hint.

A browser that asks for a page gets the same as one. What nobody foresaw is answered without its
text, because a text may quote personal data; the kind goes to the log.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from dipper.kit.errors import (
    BadInput,
    DipperError,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from dipper.surface.api.pages import language_of, page

BODY_MAX = 1_000_000

Next = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger("api")


class NotAllowed(DipperError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    status = 405


class Internal(DipperError):
    """Our own mistake; what it was stands in the log."""


def problem_response(request: Request, error: DipperError, **more: Any) -> Response:
    """The one error form, as RFC 9457, with members that are particular to it."""
    headers = {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if "text/html" in request.headers.get("accept", ""):
        shown = page("problem.html", language_of(request), path=request.url.path, error=error)
        return HTMLResponse(shown, status_code=error.status, headers=headers)
    return JSONResponse(
        error.as_problem() | more,
        status_code=error.status,
        headers=headers,
        media_type="application/problem+json",
    )


def add_handlers(app: FastAPI) -> None:
    """Answer every error of this app as a problem."""
    app.add_exception_handler(DipperError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def answered(request: Request, call_next: Next) -> Response:
    """Middleware: what nobody foresaw becomes a problem too, and a body has a size."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > BODY_MAX:
        return problem_response(
            request, TooLarge(f"expected at most {BODY_MAX:,} bytes, got {length}.", where="body")
        )
    if "chunked" in request.headers.get("transfer-encoding", "").lower():
        error = BadInput("expected a Content-Length.", where="Transfer-Encoding")
        return problem_response(request, error)
    try:
        return await call_next(request)
    except DipperError as error:
        return problem_response(request, error)
    except Exception as error:
        # Where it arose, without its text and without values: both may be personal.
        frames = traceback.extract_tb(error.__traceback__)[-8:]
        places = [f"{frame.filename}:{frame.lineno}" for frame in frames]
        log.error("unforeseen", kind=type(error).__name__, at=places)
        return problem_response(request, Internal("something went wrong on our side."))


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, DipperError)
    return problem_response(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == NotFound.status:
        return problem_response(request, NotFound(f"nothing stands at {path}.", where=path))
    if error.status_code == NotAllowed.status:
        refused = NotAllowed(f"{request.method} is not for {path}.", where=path)
        answer = problem_response(request, refused)
        answer.headers.update(error.headers or {})
        return answer
    return problem_response(request, BadInput(str(error.detail), where=path))


async def _invalid(request: Request, error: Exception) -> Response:
    """All that is wrong with a request, the first of it in the words of our own errors."""
    assert isinstance(error, RequestValidationError)
    found = [_problem(each) for each in error.errors()]
    problem = BadInput(found[0]["detail"], where=found[0]["where"])
    return problem_response(request, problem, errors=found)


def _problem(error: dict[str, Any]) -> dict[str, Any]:
    """One of the things that are wrong; its pointer is RFC 6901 in the body."""
    place = [str(step) for step in error["loc"]]
    if error["type"] == "json_invalid":
        reason = error.get("ctx", {}).get("error", "")
        return {"where": "body", "pointer": "", "detail": f"not JSON: {reason} at {place[-1]}"}
    return {
        "where": ".".join(place),
        "pointer": "".join(f"/{step}" for step in place[1:]),
        "detail": str(error["msg"]),
    }
