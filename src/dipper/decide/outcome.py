"""What a caller reports of an offer becomes an event of the log: shown, clicked, dismissed.

The decision says who was offered what, so that an outcome needs no more than its id and the offer,
and cannot claim one that was never given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from dipper.decide.arbitration import Decider
from dipper.decide.request import OutcomeKind, OutcomeRequest
from dipper.decide.trace import Trace
from dipper.engine.record import Event, TokenVerdict, Trust
from dipper.kit.clock import from_iso
from dipper.kit.errors import BadInput, did_you_mean
from dipper.kit.hashing import canonical_json

EVENTS: Mapping[OutcomeKind, str] = {kind: f"offer_{kind}" for kind in get_args(OutcomeKind)}


def outcome_event(
    outcome: OutcomeRequest,
    trace: Trace,
    decider: Decider,
    *,
    subjects: dict[str, str],
    source: str,
    trust: Trust,
    received_us: int,
    token: TokenVerdict | None = None,
) -> Event:
    """The event of an outcome. `subjects` are the ids of the decision's event, `trace` its trace.

    Without a message id a resend of the same outcome is a duplicate. Raises BadInput for an offer
    that the decision did not give, or a time that cannot be read.
    """
    given = [one.offer for one in trace.offers]
    if outcome.offer not in given:
        raise BadInput(
            f"expected an offer that decision '{trace.decision_id}' gave, got '{outcome.offer}'",
            where="body.offer",
            hint=did_you_mean(outcome.offer, given)
            or (f"It gave {', '.join(given)}." if given else "It gave none."),
        )
    place = decider.places.get(trace.placement)
    time_us = _time(outcome.time, received_us)
    return Event(
        event=EVENTS[outcome.outcome],
        message_id=outcome.message_id or f"{trace.decision_id}:{outcome.offer}:{outcome.outcome}",
        source=source,
        trust=trust,
        time_us=time_us,
        received_us=received_us,
        original_us=None if outcome.time is None else time_us,
        subjects=subjects,
        scenario=place.placement.scenario if place else None,
        channel=place.placement.channel if place else None,
        placement=trace.placement,
        properties=msgspec.Raw(canonical_json(_properties(outcome, trace, decider))),
        token=token,
        program=decider.program,
    )


def _properties(outcome: OutcomeRequest, trace: Trace, decider: Decider) -> dict[str, Any]:
    """What the caps and the measures read, as far as this program still knows the offer."""
    place = decider.places.get(trace.placement)
    offer = place.by_name.get(outcome.offer) if place else None
    known = {"decision_id": trace.decision_id, "offer": outcome.offer}
    if offer is not None:
        facts = {"treatment": offer.treatment, "product": offer.product, "line": offer.line}
        known |= {name: value for name, value in facts.items() if value is not None}
    return known


def _time(text: str | None, received_us: int) -> int:
    if text is None:
        return received_us
    try:
        return from_iso(text)
    except ValueError as error:
        raise BadInput(
            f"expected a moment, got '{text}'",
            where="body.time",
            hint="Write it as '2026-11-24T09:30:00+08:00'.",
        ) from error
