"""Decisions and outcomes come out of history as they went in."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from dipper.decide.trace import TRACE_VERSION, Chosen, Trace, encode
from dipper.engine.conformance.lake import NOW_US
from dipper.engine.embedded.history import History
from dipper.kit.clock import HOUR_US
from dipper.kit.errors import Corrupt
from dipper.kit.hashing import hash128
from dipper.measure.decisions import decided, gate_denials, read_decisions, read_outcomes
from dipper.measure.history import Period

PERIOD = Period(NOW_US, NOW_US + HOUR_US)


def trace(decision_id: str, now_us: int = NOW_US, **fields: object) -> Trace:
    """A trace as a gateway stores one."""
    known: dict[str, object] = {
        "version": TRACE_VERSION,
        "decision_id": decision_id,
        "now_us": now_us,
        "placement": "page",
        "policy": "p",
        "subject": "00",
        "arm": "treated",
        "program": "a1",
        "tables": {},
        "model": "",
        "draw": 0.25,
        "limit": 1,
        "flags": "",
        "values": [None, "x"],
        "gates": ("eligible", "consent"),
        "denied": "02",
        "gate_denials": {"consent": 1},
        "passed": 1,
        "offers": (Chosen("fund", 12.0, 0.5),),
        "scores": b"\x00\x00\x80?",
    }
    return Trace(**(known | fields))  # type: ignore[arg-type]


def stored_as(one: Trace) -> dict[str, object]:
    """Its row: two properties are declared, the rest is in `extra`, as the lake writes it."""
    body = msgspec.json.decode(encode(one))
    return {
        "decision_id": body.pop("decision_id"),
        "arm": body.pop("arm"),
        "extra": msgspec.json.encode(body).decode(),
        "trust": "engine",
        "scenario": "bills",
    }


def test_a_trace_comes_back_whole(told: Callable[..., History]) -> None:
    """Columns and rest together are the trace again; order is by time."""
    late, early = trace("d1", NOW_US + 2), trace("d2", NOW_US + 1, arm="control", offers=())
    history = told(
        ("customer_no:1", "decision_made", late.now_us, stored_as(late)),
        ("customer_no:1", "decision_made", early.now_us, stored_as(early)),
        ("customer_no:1", "decision_made", NOW_US - 1, stored_as(trace("d0", NOW_US - 1))),
        ("customer_no:1", "decision_made", NOW_US, stored_as(trace("d9")) | {"trust": "server"}),
    )
    found = read_decisions(history, PERIOD)
    assert [one.trace for one in found] == [early, late]
    assert {one.subject for one in found} == {hash128("customer_no:1").hex()}
    assert {one.scenario for one in found} == {"bills"}
    assert gate_denials(found) == {"eligible": 0, "consent": 2}


def test_a_row_that_is_no_trace_is_an_error(told: Callable[..., History]) -> None:
    """Counting on without it would be a silent loss."""
    history = told(("customer_no:1", "decision_made", NOW_US, {"trust": "engine", "extra": "{}"}))
    with pytest.raises(Corrupt):
        read_decisions(history, PERIOD)


def test_products_are_those_of_the_offers_given(told: Callable[..., History]) -> None:
    """What the control arm would have got is apart; a service has no product."""
    control = trace("d1", arm="control", offers=(), would=(Chosen("fund", 1.0, 1.0),))
    service = trace("d2", NOW_US + 1, offers=(Chosen("coupon", 1.0, 1.0),), passed=0)
    history = told(
        ("customer_no:1", "decision_made", NOW_US, stored_as(control)),
        ("customer_no:1", "decision_made", NOW_US + 1, stored_as(service)),
    )
    one, other = decided(read_decisions(history, PERIOD), {"fund": "w.fund", "coupon": None})
    assert (one.products, one.would, one.passed) == ((), ("w.fund",), True)
    assert (other.products, other.would, other.passed) == ((), (), False)


def test_outcomes_of_the_period_are_read(told: Callable[..., History]) -> None:
    """In order of time; contacts of other systems are none."""
    values = {"decision_id": "d1", "offer": "fund", "trust": "server"}
    history = told(
        ("customer_no:1", "offer_clicked", NOW_US + 2, dict(values)),
        ("customer_no:1", "offer_shown", NOW_US + 1, dict(values)),
        ("customer_no:1", "contact_sent", NOW_US + 1, dict(values)),
        ("customer_no:1", "offer_shown", NOW_US + HOUR_US + 1, dict(values)),
    )
    found = read_outcomes(history, PERIOD)
    assert [(one.event, one.offer) for one in found] == [
        ("offer_shown", "fund"),
        ("offer_clicked", "fund"),
    ]
