"""`/healthz` and `/readyz`: whether the whole runs, and whether decisions may be made from it.

They want no token, because whatever watches a service has none, and say nothing but positions.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from dipper.surface.api.platform import Bank

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Does every process answer, and how far is it?")
def healthz(bank: Bank) -> Response:
    """200 while every gateway answers and a worker runs, else 503; positions either way."""
    health = bank.health()
    return _answer(health.as_dict(), health.is_healthy)


@router.get("/readyz", summary="May decisions be made now?")
def readyz(bank: Bank) -> Response:
    """200 when all run and the projection is near the end of the log, else 503."""
    health = bank.health()
    return _answer(health.as_dict(), health.is_ready)


def _answer(body: dict[str, Any], is_well: bool) -> Response:
    headers = {} if is_well else {"Retry-After": "1"}
    return JSONResponse(body, status_code=200 if is_well else 503, headers=headers)
