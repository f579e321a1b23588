"""`/api/programs/current`: what is served: the program's address, its tables, how many objects."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from dipper.app.programs import applied
from dipper.kit.errors import NotFound
from dipper.spec.registry import Registry, build
from dipper.surface.api.platform import Bank

router = APIRouter(prefix="/api", tags=["specs"])


@router.get("/programs/current", summary="The program in force")
def current(bank: Bank) -> dict[str, Any]:
    """Addresses of the program that is projected and of its tables, and objects by kind."""
    latest = applied(bank.workspace)
    if latest is None:
        raise NotFound("nothing is applied yet.", where="programs/current", hint="dipper apply")
    with bank.read() as reading:
        served = reading.served
    registry: Registry = build()
    return {
        "program": served.current.program,
        "tables": dict(served.current.tables),
        "applied": latest.program,
        "objects": {name: len(served.program.of(name)) for name in sorted(registry.kinds)},
    }
