"""Facts of persons: consents, assessments, visitors, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from dipper.engine.conformance.lake import NOW_US
from dipper.engine.embedded.history import History
from dipper.kit.clock import DAY_US, from_iso
from dipper.kit.hashing import hash128
from dipper.measure.activity import Seen, activity
from dipper.measure.facts import Assessments, assessments, consents, people
from dipper.measure.history import Period
from dipper.measure.lifecycle import Stage, stage
from dipper.measure.openings import Accounts

MONTH = Period(NOW_US - 30 * DAY_US, NOW_US)
ANN, BOB = "login:ann", "login:bob"


def whose(text: str) -> tuple[str, str]:
    return "person", hash128(text).hex()


def test_the_last_word_on_each_purpose_counts(told: Callable[..., History]) -> None:
    """Who withdrew one purpose and keeps another still consents to something."""
    history = told(
        (ANN, "consent_given", NOW_US - 3, {"purpose": "marketing"}),
        (ANN, "consent_given", NOW_US - 3, {"purpose": "service"}),
        (ANN, "consent_withdrawn", NOW_US - 2, {"purpose": "marketing"}),
        (BOB, "consent_given", NOW_US - 40 * DAY_US, {"purpose": "marketing"}),
        (BOB, "consent_withdrawn", NOW_US - 31 * DAY_US, {"purpose": "marketing"}),
    )
    found = consents(history, MONTH)
    assert found.given == {whose(ANN)}
    assert found.withdrawn == {whose(ANN)}


def test_an_assessment_is_valid_through_its_last_day(told: Callable[..., History]) -> None:
    """The last one told counts, and the day is the zone's."""
    now_us = from_iso("2026-11-10T23:00:00+08:00")
    history = told(
        (ANN, "assessment_recorded", now_us - 9, {"valid_until": date(2026, 11, 9)}),
        (ANN, "assessment_recorded", now_us - 8, {"valid_until": date(2026, 11, 10)}),
        (BOB, "assessment_recorded", now_us - 9, {"valid_until": date(2026, 11, 9)}),
    )
    assert assessments(history, 5, now_us, "Asia/Shanghai") == Assessments(1, 1, 3)


def test_a_device_that_belongs_to_nobody_is_a_visitor(told: Callable[..., History]) -> None:
    """It is reached and never identified, whatever it does; persons are counted apart."""
    history = told(
        ("device:1", "seen", NOW_US, {"role": "device"}),
        ("device:1", "seen", NOW_US, {"role": "device"}),
        ("device:2", "seen", NOW_US + 1, {"role": "device"}),
        (ANN, "seen", NOW_US, {}),
    )
    seen = activity(history, NOW_US, "Asia/Shanghai", [])
    (visitor,) = people("device", seen, set(), set(), {}, {}, MONTH.start_us)
    assert not visitor.is_identified
    assert stage(visitor, NOW_US) == Stage.VISITOR
    (ann,) = people("person", seen, set(), set(), {}, {}, MONTH.start_us)
    assert ann.is_identified


def test_facts_of_one_kind_are_put_together() -> None:
    """Customers before the period are existing ones; firms are no persons."""
    seen = {
        whose(ANN): Seen(NOW_US, NOW_US, 4, False, False),
        whose(BOB): Seen(NOW_US, None, 4, False, True),
        ("organisation", "o1"): Seen(NOW_US, None, 1, False, False),
    }
    had = {whose(ANN): Accounts(frozenset({"wealth"}), 1)}
    since = {whose(ANN): MONTH.start_us - 1}
    given = {whose(ANN), whose(BOB)}
    tagged = {whose(BOB)[1]}
    ann, bob = people("person", seen, given, tagged, had, since, MONTH.start_us)
    assert (ann.is_existing, ann.has_tag, bob.is_existing, bob.has_tag) == (
        True,
        False,
        False,
        True,
    )
    assert stage(ann, NOW_US) == Stage.ACTIVE
    assert stage(bob, NOW_US) == Stage.ENGAGED
