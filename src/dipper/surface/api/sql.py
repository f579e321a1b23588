"""`POST /api/sql`: one SELECT over the masked history, in a process of its own."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from dipper.engine.embedded.analysis import run_sql
from dipper.surface.api.platform import Bank
from dipper.surface.sql import views_of

router = APIRouter(prefix="/api", tags=["measure"])


class SqlAsked(BaseModel):
    """A question in SQL."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sql: str = Field(
        min_length=1,
        max_length=100_000,
        description="One SELECT over timelines, events and failed_events, in DuckDB's dialect.",
    )


@router.post("/sql", summary="One SELECT over the masked history")
def sql(asked: SqlAsked, bank: Bank) -> dict[str, Any]:
    """Columns, their types, and at most 10,000 rows; 30 seconds and 1 GB at most."""
    with bank.read() as reading:
        program = reading.served.program
    with bank.lake_turn:
        views = views_of(bank.workspace, program)
    found = run_sql(asked.sql, views, bank.keys.masking_key)
    result: dict[str, Any] = msgspec.to_builtins(found)
    return result
