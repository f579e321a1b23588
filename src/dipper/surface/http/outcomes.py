"""An outcome as an event of the tracking plan: what `POST /v1/outcomes` stands for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dipper.collect.incoming import Context, Incoming
from dipper.decide.request import OutcomeRequest

EVENTS = {"shown": "offer_shown", "clicked": "offer_clicked", "dismissed": "offer_dismissed"}
_ENCODE = msgspec.json.Encoder().encode


def incoming(
    request: OutcomeRequest, subjects: Mapping[str, str], product: str | None, line: str | None
) -> Incoming:
    """The event of an outcome. Without a message id a resend of the same outcome is a copy."""
    properties = {
        "decision_id": request.decision_id,
        "offer": request.offer,
        "product": product,
        "line": line,
    }
    kept = {name: value for name, value in properties.items() if value is not None}
    default = f"{request.decision_id}/{request.offer}/{request.outcome}"
    return Incoming(
        type="track",
        event=EVENTS[request.outcome],
        message_id=request.message_id or default,
        timestamp=request.time,
        properties=msgspec.Raw(_ENCODE(kept)),
        context=Context(dipper=msgspec.Raw(_ENCODE({"subjects": dict(subjects)}))),
    )
