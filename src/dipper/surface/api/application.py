"""The control plane's application: one router a resource, one guard and one error form for all."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.middleware.base import BaseHTTPMiddleware

from dipper.app.workspace import Workspace
from dipper.kit.clock import Clock
from dipper.surface.api import (
    check,
    decisions,
    funnel,
    health,
    metrics,
    persons,
    programs,
    specs,
    sql,
    start,
    status,
)
from dipper.surface.api.guarding import Guard
from dipper.surface.api.platform import Platform
from dipper.surface.api.problems import add_handlers, answered
from dipper.surface.api.tour import routes as tour

RESOURCES = (
    health, metrics, status, programs, specs, persons, decisions, sql, funnel, check, start,
)  # fmt: skip


def routers(*, is_demo: bool) -> tuple[APIRouter, ...]:
    """The routers; the tour belongs to a demo workspace only."""
    found = tuple(resource.router for resource in RESOURCES)
    return (*found, tour.router) if is_demo else found


def build(workspace: Workspace, clock: Clock) -> FastAPI:
    """The application of one workspace. Pages of documentation are left out: they load scripts."""
    app = FastAPI(
        title="Dipper control plane",
        summary="Specs, persons, decisions, questions and health of one workspace.",
        version="1",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    bank = Platform(workspace, clock)
    app.state.platform = bank
    for router in routers(is_demo=bank.is_demo):
        app.include_router(router)
    add_handlers(app)
    # The last one added stands outermost: nothing is answered before the guard has looked.
    app.add_middleware(BaseHTTPMiddleware, dispatch=answered)
    guard = Guard(bank.keys.api_token, workspace.settings.serve.allowed_hosts)
    app.add_middleware(BaseHTTPMiddleware, dispatch=guard)
    return app
