"""`POST /api/funnel`: of those who took the first step, how many took the second, the third ..."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from dipper.surface.api.platform import Bank
from dipper.surface.funnels import FunnelAsked, ask_funnel

router = APIRouter(prefix="/api", tags=["measure"])


@router.post("/funnel", summary="A funnel over all history")
def funnel(asked: FunnelAsked, bank: Bank) -> dict[str, Any]:
    """Subjects at each step, of the first and of the step before, by group where asked."""
    with bank.read() as reading:
        served = reading.served
    with bank.lake_turn:
        return ask_funnel(bank.workspace, served, asked).as_dict()
