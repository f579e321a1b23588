"""What callers report becomes events."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dipper.decide.outcome import outcome_event
from dipper.decide.request import OutcomeRequest
from dipper.kit.clock import from_iso
from dipper.kit.errors import BadInput
from dipper.spec.reserved import RESERVED_EVENTS


def event_of(bank: Any, decider: Any, **fields: Any) -> Any:
    """The event of an outcome of a decision that gave an offer."""
    person = bank.Person(key=bank.key_in("treated", decider.place("result").policy))
    trace = bank.ask(decider, person, personalised=False).trace
    outcome = OutcomeRequest(
        **{"decision_id": "d-1", "offer": "savings", "outcome": "shown", **fields}
    )
    return outcome_event(
        outcome,
        trace,
        decider,
        subjects={"person": "customer_no:1"},
        source="app",
        trust="server",
        received_us=5_000,
    )


@pytest.mark.parametrize("kind", ["shown", "clicked", "dismissed"])
def test_event(bank: Any, decider: Any, kind: Any) -> None:
    """An outcome is a reserved event of the decision's subject with what caps and measures read."""
    event = event_of(bank, decider, outcome=kind)
    assert event.event == f"offer_{kind}"
    assert event.event in RESERVED_EVENTS
    assert event.subjects == {"person": "customer_no:1"}
    assert (event.placement, event.scenario, event.channel) == ("result", "bills", "mobile")
    assert msgspec.json.decode(event.properties) == {
        "decision_id": "d-1",
        "offer": "savings",
        "treatment": "default",
        "product": "deposit.savings",
        "line": "deposit",
    }


def test_resend(bank: Any, decider: Any) -> None:
    """Two reports of one outcome have one message id, so that the second is a duplicate."""
    assert event_of(bank, decider).message_id == event_of(bank, decider).message_id
    assert event_of(bank, decider, message_id="m-7").message_id == "m-7"


def test_time(bank: Any, decider: Any) -> None:
    """An outcome happened when its caller says, else when it came."""
    assert event_of(bank, decider).time_us == 5_000
    text = "2026-11-24T09:30:00+08:00"
    assert event_of(bank, decider, time=text).time_us == from_iso(text)
    with pytest.raises(BadInput) as caught:
        event_of(bank, decider, time="yesterday")
    assert caught.value.where == "body.time"


def test_offer_that_was_not_given(bank: Any, decider: Any) -> None:
    """Nobody can report an outcome of an offer that the decision did not give."""
    with pytest.raises(BadInput) as caught:
        event_of(bank, decider, offer="saving")
    assert caught.value.hint == "Did you mean 'savings'?"
    with pytest.raises(BadInput) as caught:
        event_of(bank, decider, offer="equity_r4")
    assert caught.value.where == "body.offer"
