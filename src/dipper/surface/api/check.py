"""`/api/check`: what is wrong with the specs and tables in the workspace's files."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from dipper.app.programs import prepare
from dipper.surface.api.platform import Bank

router = APIRouter(prefix="/api", tags=["specs"])


@router.get("/check", summary="Findings about the files")
def check(bank: Bank) -> dict[str, Any]:
    """The same as `dipper check --json`; `applies` is false when a finding refuses an apply."""
    prepared = prepare(bank.workspace, bank.clock())
    return {
        "program": prepared.program.hash,
        "applies": not prepared.errors,
        "findings": [finding.as_dict() for finding in prepared.findings],
    }
