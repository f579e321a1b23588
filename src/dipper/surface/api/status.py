"""`/api/status`: how far everything is, what became of what was received, what it takes on disk."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from dipper.surface.api.platform import Bank
from dipper.surface.status import status_of

router = APIRouter(prefix="/api", tags=["operate"])


@router.get("/status", summary="The state of the platform")
def status(bank: Bank) -> dict[str, Any]:
    """The same as `dipper status --json`; `uncounted` records are not in `sources` yet."""
    health = bank.health()
    counted = bank.counted()
    with bank.lake_turn:
        found = status_of(bank.workspace, health, counted.by_source())
    return found | {"uncounted": counted.behind}
