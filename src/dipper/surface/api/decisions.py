"""`/api/decisions/{id}`: a stored decision with everything recomputed, and in sentences."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Response

from dipper.decide.explain import explain_on
from dipper.decide.trace import decode
from dipper.surface.api.platform import Bank
from dipper.surface.explaining import LANGUAGES, decision_event
from dipper.surface.http.deciding import describe

router = APIRouter(prefix="/api", tags=["decide"])


@router.get("/decisions/{decision_id}", summary="Why a decision came out as it did")
def decision(decision_id: str, bank: Bank) -> Response:
    """Trace, inputs, all verdicts, the waterfall, and the explanation in Chinese and English."""
    with bank.read() as reading:
        event = decision_event(reading.view, bank.log, decision_id)
    trace = decode(bytes(event.properties))
    served = bank.programs.of_trace(trace.program, trace.tables)
    sentences = {
        language: explain_on(served.decider, trace, served.program, served.tables, language)
        for language in LANGUAGES
    }
    body = describe(trace, served) | {"sentences": sentences}
    return Response(msgspec.json.encode(body), media_type="application/json")
