"""Who may talk to the control plane: the right Host, and the token printed at start.

Until staff users exist one token opens everything, so it must never be guessable from a page that
the operator happens to visit: no CORS, Host checked against DNS rebinding, token compared in
constant time. A browser gets it once by `?token=…` and keeps it in a cookie that no other site can
make it send.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from dipper.kit.errors import DipperError, Forbidden, Unauthenticated

COOKIE = "dipper_token"
OPEN_PATHS = frozenset({"/healthz", "/readyz"})

Next = Callable[[Request], Awaitable[Response]]


def problem_response(error: DipperError) -> JSONResponse:
    """The one error form, as RFC 9457."""
    return JSONResponse(
        error.as_problem(), status_code=error.status, media_type="application/problem+json"
    )


class Guard:
    """Middleware of the control plane."""

    def __init__(self, token: str, allowed_hosts: Sequence[str]) -> None:
        self._token = token.encode()
        self._hosts = {host.lower() for host in allowed_hosts}

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """Refuse a foreign Host (403) and a missing or wrong token (401)."""
        host = request.headers.get("host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name.lower() not in self._hosts:
            return problem_response(
                Forbidden(
                    f"the Host header names {name!r}.",
                    where="Host",
                    hint="Add it to [serve] allowed_hosts in dipper.toml if it is yours.",
                )
            )
        if request.url.path in OPEN_PATHS:
            return await call_next(request)
        given = request.query_params.get("token")
        if given is not None and self._matches(given) and request.method == "GET":
            # Out of the address bar at once, into a cookie that only our own pages send.
            rest = request.url.remove_query_params("token")
            answer = RedirectResponse(f"{rest.path}?{rest.query}" if rest.query else rest.path, 303)
            answer.set_cookie(COOKIE, given, httponly=True, samesite="strict")
            return answer
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if self._matches(bearer) or self._matches(request.cookies.get(COOKIE, "")):
            return await call_next(request)
        return problem_response(
            Unauthenticated(
                "the control plane wants its token.",
                where=request.url.path,
                hint="Send 'Authorization: Bearer <token>'; the token stands in keys.toml.",
            )
        )

    def _matches(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)
