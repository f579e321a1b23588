"""Tests of who may talk to the control plane: every route, every sort of caller."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.routing import APIRoute

from dipper.surface.api.application import routers
from dipper.surface.api.guarding import COOKIE, OPEN_PATHS

Call = Callable[..., tuple[int, dict[str, str], bytes]]

DECLARED = [
    (method, re.sub(r"\{\w+\}", "nothing", route.path))
    for router in routers(is_demo=True)
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]
ROUTES = [*DECLARED, ("GET", "/api/openapi.json")]
GUARDED = [(method, path) for method, path in ROUTES if path not in OPEN_PATHS]


def test_the_table_of_routes_is_not_empty() -> None:
    """The tests below are made from the app's own routes."""
    assert len(GUARDED) > 12
    assert ("POST", "/api/funnel") in GUARDED
    assert ("POST", "/tour/nothing/nothing") in GUARDED


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("bearer", [None, "", "wrong", "nötig"])
def test_without_the_token_every_route_is_closed(
    call: Call, method: str, path: str, bearer: str | None
) -> None:
    """401 with the one error form, and nothing of the answer."""
    status, headers, body = call(method, path, b"{}", bearer=bearer)
    assert status == 401
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["code"] == "unauthenticated"
    assert headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8701", "127.0.0.1.evil.example", ""]
)
def test_a_foreign_host_is_refused_even_with_the_token(
    call: Call, method: str, path: str, host: str
) -> None:
    """A page that resolved its own name to this machine gets 403, on open paths too."""
    status, _, body = call(method, path, b"{}", host=host)
    assert status == 403
    assert json.loads(body)["where"] == "Host"


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8701", "localhost", "[::1]:8701"])
def test_the_token_opens_every_route(call: Call, method: str, path: str, host: str) -> None:
    """With the token from its own host no route answers 401 or 403, and none falls over."""
    status, headers, _ = call(method, path, b"{}", host=host, content_type="application/json")
    assert status not in (401, 403, 500)
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_health_wants_no_token(call: Call, path: str) -> None:
    """What watches a service has no token."""
    assert call("GET", path, bearer=None)[0] in (200, 503)


def test_the_token_in_the_address_becomes_a_cookie(call: Call, app: Any) -> None:
    """The link that is printed at start opens the pages once; the token leaves the address bar."""
    token = app.state.platform.keys.api_token
    status, headers, _ = call("GET", "/tour", query=f"lang=en&token={token}", bearer=None)
    assert (status, headers["location"]) == (303, "/tour?lang=en")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    value = cookie.partition(";")[0]
    assert value == f"{COOKIE}={token}"
    assert call("GET", "/api/status", bearer=None, cookie=value)[0] == 200


def test_a_token_in_the_address_never_leads_to_another_site(call: Call, app: Any) -> None:
    """A path that begins with two slashes is brought back to ours."""
    token = app.state.platform.keys.api_token
    _, headers, _ = call("GET", "//evil.example/x", query=f"token={token}", bearer=None)
    assert headers["location"] == "/evil.example/x"


def test_a_token_in_the_address_of_a_post_counts_nothing(call: Call, app: Any) -> None:
    """Only the header and the cookie let somebody change something."""
    token = app.state.platform.keys.api_token
    status, _, _ = call("POST", "/tour/payer/decide", query=f"token={token}", bearer=None)
    assert status == 401


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://127.0.0.1:9999"])
def test_a_form_of_another_page_is_refused(call: Call, origin: str) -> None:
    """Another port of this machine is the same site to a browser, so the Origin is looked at."""
    status, _, body = call("POST", "/tour/payer/decide", host="127.0.0.1:8701", origin=origin)
    assert status == 403
    assert json.loads(body)["where"] == "Origin"


def test_a_form_of_our_own_page_is_taken(call: Call) -> None:
    """An Origin that is the Host goes on (and here finds nothing to do)."""
    status, _, _ = call(
        "POST", "/tour/payer/nothing", host="127.0.0.1:8701", origin="http://127.0.0.1:8701"
    )
    assert status == 404


def test_every_answer_forbids_scripts(call: Call) -> None:
    """Pages run nothing and are framed by nobody; refusals say so too."""
    for bearer in (None, "wrong"):
        _, headers, _ = call("GET", "/tour", bearer=bearer)
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
