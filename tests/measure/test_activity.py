"""Days, scenarios and cohorts are counted from behaviour alone."""

from __future__ import annotations

from collections.abc import Callable

from dipper.engine.conformance.lake import NOW_US
from dipper.engine.embedded.history import History
from dipper.kit.clock import DAY_US, from_iso
from dipper.kit.hashing import hash128
from dipper.measure.activity import InScenario, Seen, activity, in_scenarios

ANN, BOB = "login:ann", "login:bob"
SERVER = {"trust": "server"}


def test_active_days_are_days_of_the_zone(told: Callable[..., History]) -> None:
    """23:30 and 00:30 in Shanghai are two days, though both are one day in UTC."""
    before, behind = (from_iso(f"2026-11-10T{time}+08:00") for time in ("23:30:00", "23:59:59"))
    history = told(
        (ANN, "paid", before, dict(SERVER)),
        (ANN, "paid", behind, dict(SERVER)),
        (ANN, "paid", from_iso("2026-11-11T00:30:00+08:00"), dict(SERVER)),
    )
    key = ("person", hash128(ANN).hex())
    assert activity(history, NOW_US, "Asia/Shanghai", [])[key].active_days_30 == 2
    assert activity(history, NOW_US, "UTC", [])[key].active_days_30 == 1


def test_what_others_did_to_a_person_is_no_activity(told: Callable[..., History]) -> None:
    """Neither what the core and the engine say, nor consent, nor a shown offer; but the last event
    is the last of any but the engine's."""
    history = told(
        (ANN, "paid", NOW_US - DAY_US, dict(SERVER)),
        (ANN, "consent_given", NOW_US - 5, {"trust": "server", "purpose": "x"}),
        (ANN, "offer_shown", NOW_US - 4, dict(SERVER)),
        (ANN, "product_opened", NOW_US - 3, {"trust": "core"}),
        (ANN, "decision_made", NOW_US - 1, {"trust": "engine"}),
        (ANN, "paid", NOW_US + 1, dict(SERVER)),
    )
    found = activity(history, NOW_US, "UTC", [])
    assert list(found.values()) == [Seen(NOW_US - 3, NOW_US - 3, 1, False, False)]


def test_applications_are_the_events_named_so(told: Callable[..., History]) -> None:
    """A click is seen too."""
    history = told(
        (ANN, "applied", NOW_US, dict(SERVER)),
        (BOB, "offer_clicked", NOW_US, dict(SERVER)),
    )
    found = activity(history, NOW_US, "UTC", ["applied"])
    assert found["person", hash128(ANN).hex()].has_applied
    assert not found["person", hash128(BOB).hex()].has_applied
    assert found["person", hash128(BOB).hex()].has_clicked


def test_the_cohort_is_the_week_four_weeks_before_the_last(told: Callable[..., History]) -> None:
    """Windows are open at their beginning and closed at their end."""
    bills = {"trust": "server", "scenario": "bills"}
    history = told(
        (ANN, "paid", NOW_US - 28 * DAY_US, dict(bills)),
        (ANN, "paid", NOW_US - 7 * DAY_US + 1, dict(bills)),
        (BOB, "paid", NOW_US - 35 * DAY_US, dict(bills)),
        (BOB, "paid", NOW_US - 7 * DAY_US, dict(bills)),
    )
    ann, bob = (hash128(who).hex() for who in (ANN, BOB))
    assert sorted(in_scenarios(history, NOW_US), key=lambda one: one.subject != ann) == [
        InScenario("person", ann, "bills", True, True, True),
        InScenario("person", bob, "bills", True, False, False),
    ]
