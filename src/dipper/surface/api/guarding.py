"""Who may talk to the control plane: the right Host, and the token printed at start.

Until staff users exist one token opens everything, so it must never be guessable from a page that
the operator happens to visit: no CORS, Host checked against DNS rebinding, token compared in
constant time. A browser gets it once by `?token=…` and keeps it in a cookie that no other site can
make it send. Other ports of this machine are the same site to a browser, so that what changes
something must also come from our own pages: an Origin that is not ours is refused.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from dipper.kit.errors import Forbidden, Unauthenticated
from dipper.surface.api.problems import Next, problem_response

COOKIE = "dipper_token"
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Guard:
    """Middleware of the control plane."""

    def __init__(self, token: str, allowed_hosts: Sequence[str]) -> None:
        self._token = token.encode()
        self._hosts = {host.lower() for host in allowed_hosts}

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """Refuse a foreign Host or Origin (403) and a missing or wrong token (401)."""
        answer = self._refusal(request) or self._signed_in(request) or await call_next(request)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    def _refusal(self, request: Request) -> Response | None:
        """What a request that may not go on hears."""
        host = request.headers.get("host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name.lower() not in self._hosts:
            return problem_response(
                request,
                Forbidden(
                    f"the Host header names {name!r}.",
                    where="Host",
                    hint="Add it to [serve] allowed_hosts in dipper.toml if it is yours.",
                ),
            )
        origin = request.headers.get("origin")
        if (
            request.method not in SAFE_METHODS
            and origin is not None
            and origin.partition("://")[2] != host
        ):
            return problem_response(
                request, Forbidden("the request comes from another page.", where="Origin")
            )
        if request.url.path in OPEN_PATHS or self._has_token(request):
            return None
        return problem_response(
            request,
            Unauthenticated(
                "the control plane wants its token.",
                where=request.url.path,
                hint="Send 'Authorization: Bearer <token>'; the token stands in keys.toml.",
            ),
        )

    def _signed_in(self, request: Request) -> Response | None:
        """The token out of the address bar at once, into a cookie that only our pages send."""
        given = request.query_params.get("token")
        if given is None or request.method != "GET" or not self._matches(given):
            return None
        rest = request.url.remove_query_params("token")
        path = "/" + rest.path.lstrip("/")
        answer = RedirectResponse(f"{path}?{rest.query}" if rest.query else path, 303)
        answer.set_cookie(COOKIE, given, httponly=True, samesite="strict")
        return answer

    def _has_token(self, request: Request) -> bool:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        given = [bearer, request.cookies.get(COOKIE, "")]
        if request.method == "GET":
            given.append(request.query_params.get("token", ""))
        return any(map(self._matches, given))

    def _matches(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)
