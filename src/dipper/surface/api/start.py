"""`/`: where a person begins: the tour in a demo workspace, else a plain page of doors."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from dipper.surface.api.pages import language_of, page
from dipper.surface.api.platform import Bank

router = APIRouter(include_in_schema=False)


@router.get("/")
def start(request: Request, bank: Bank) -> Response:
    """The tour, or the doors of a bank's own workspace."""
    if bank.is_demo:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/tour{query}", 303)
    serve = bank.workspace.settings.serve
    return HTMLResponse(
        page(
            "start.html",
            language_of(request),
            path="/",
            name=bank.workspace.settings.workspace.name,
            health=bank.health(),
            data_plane=f"http://{serve.host}:{serve.data_port}",
        )
    )
