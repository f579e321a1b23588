"""`POST /api/funnel`: of those who took the first step, how many took the second, the third ..."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from dipper.surface.api.platform import Bank
from dipper.surface.funnel_process import ask_apart
from dipper.surface.funnels import FunnelAsked, understood

router = APIRouter(prefix="/api", tags=["measure"])


@router.post("/funnel", summary="A funnel over all history")
def funnel(asked: FunnelAsked, bank: Bank) -> dict[str, Any]:
    """Subjects at each step, of the first and of the step before, by group where asked."""
    with bank.read() as reading:
        program = reading.served.program
    # What means nothing is answered at once; only a question that does starts a process.
    understood(program, asked)
    return ask_apart(bank.workspace.folder, asked)
