"""Every route of both ports is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from dipper.collect.dialects import registry as dialects
from dipper.surface.api.application import routers
from dipper.surface.http import deciding

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

CONTROL = sorted(
    {
        (method, re.sub(r"\{\w+\}", "{}", route.path))
        for router in routers(is_demo=True)
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
)


def test_there_are_routes() -> None:
    """The tests below are made from the routers themselves."""
    assert ("POST", "/api/funnel") in CONTROL


@pytest.mark.parametrize(("method", "path"), CONTROL)
def test_every_route_of_the_control_plane_is_documented(method: str, path: str) -> None:
    """docs/reference/http.md names method and path."""
    page = re.sub(r"\{[\w,]+\}", "{}", (REFERENCE / "http.md").read_text("utf-8"))
    assert f"{method} {path}" in page


@pytest.mark.parametrize("path", [deciding.DECIDE, deciding.OUTCOMES, deciding.DECISIONS])
def test_every_route_of_decide_is_documented(path: str) -> None:
    """docs/reference/decide.md names it."""
    assert path in (REFERENCE / "decide.md").read_text("utf-8")


@pytest.mark.parametrize(
    "path", sorted({p for one in dialects.build().values() for p in one.ROUTES})
)
def test_every_route_of_a_dialect_is_documented(path: str) -> None:
    """docs/reference/families.md names the paths that SDKs post to."""
    assert f"`{path}`" in (REFERENCE / "families.md").read_text("utf-8")
