"""A subject as read: tags of every sort, strangers, several ids."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.kit.hashing import hash128
from dipper.profile.subject import load_subject

DAY = 86_400_000_000
START = 1_790_000_000_000_000


def test_a_stranger_is_an_empty_subject(bank: Any) -> None:
    """Of an unknown person every count is 0 and everything else is not known; no error."""
    stranger = bank.subject("nobody")
    assert stranger.kind == "person"
    assert stranger.key == hash128("customer_no:nobody")
    assert stranger.ids == ("customer_no:nobody",)
    assert stranger.verified is False
    assert stranger.tags["bills"] == 0
    assert stranger.tags["amount_7d"] is None
    assert stranger.tags["city_name"] == "?"
    assert stranger.segments == frozenset()
    assert stranger.caps == {"all_week": 0, "one_offer": 0, "fund_line": 0}
    assert stranger.assessment is None
    assert stranger.last_time_us is None


def test_every_sort_of_tag(bank: Any) -> None:
    """Counts, sums, extremes, first and last, distinct, formula and attribute read as defined."""
    details = [
        (100, 0.5, "water", "2026-01-05"),
        (250, 0.25, "power", "2026-01-02"),
        (40, 2, "water", None),
    ]
    for day, (fen, rate, biller, due) in enumerate(details):
        properties = {"rate": rate, "biller": biller, "due_on": due}
        bank.pay(START + day * DAY, fen=fen, properties=properties)
    bank.project(bank.event("page_opened", START, person="C1", properties={"biller": "gas"}))
    bank.project(bank.event("identify", START, person="C1", properties={"city": "B", "age": 40}))
    subject = bank.subject("C1", now_us=START + 2 * DAY)
    assert subject.tags == {
        "bills_30d": 2,
        "bills": 2,
        "amount_7d": 390,
        "rate_sum": 2.75,
        "rate_least": 0.25,
        "first_biller": "water",
        "last_biller": "water",
        "billers": 3,
        "last_due": 20458,
        "pages_7d": 1,
        "mean_7d": 195,
        "city_name": "B",
    }
    assert subject.segments == {"payers", "local_payers"}
    assert subject.traits == {"city": "B", "age": 40}
    assert subject.verified is True
    assert subject.last_time_us == START + 2 * DAY


def test_values_leave_their_windows_when_read(bank: Any) -> None:
    """The same state gives other values later; a default stands where nothing is left."""
    bank.pay(START, fen=100, properties={"biller": "water"})
    assert bank.subject("C1", now_us=START + 7 * DAY - 1).tags["amount_7d"] == 100
    assert bank.subject("C1", now_us=START + 7 * DAY).tags["amount_7d"] is None
    later = bank.subject("C1", now_us=START + 30 * DAY)
    assert (later.tags["bills_30d"], later.tags["bills"]) == (0, 1)
    assert (later.tags["last_biller"], later.tags["first_biller"]) == ("none", "water")


def test_a_value_of_another_type_is_null(bank: Any) -> None:
    """A text where the dictionary says int does not count, and the rest of the event does."""
    bank.pay(START, fen=100)
    bank.project(
        bank.event(
            "bill_paid",
            START,
            person="C1",
            properties={"amount_fen": "many", "rate": 1, "due_on": "soon"},
        )
    )
    tags = bank.subject("C1").tags
    assert (tags["bills"], tags["rate_sum"], tags["last_due"]) == (1, 1.0, None)


def test_organisations_have_their_own_tags(bank: Any) -> None:
    """One event of a till is in the timeline of the organisation and of the payer."""
    bank.pay(START, person="C1", organisation="O1")
    assert bank.subject("org_no:O1").tags == {"sales_7d": 1}
    assert bank.subject("org_no:O1").segments == {"shops"}
    assert bank.subject("C1").tags["bills"] == 1


def test_known_ids_come_before_strangers(bank: Any) -> None:
    """Of several ids the first that is known by (priority, hash) names the subject."""
    bank.pay(START, person="login:l1")
    assert bank.subject("customer_no:unknown", "login:l1").tags["bills"] == 1


def test_a_subject_needs_an_id(bank: Any) -> None:
    """No ids at all is the caller's error."""
    with bank.state.read() as reader, pytest.raises(ValueError, match="at least one id"):
        load_subject(reader, bank.table, [], START)


def test_the_lot_of_the_first_decision_stays(bank: Any) -> None:
    """Of a visitor's device that became a person's, of a login, whatever arrived first; each
    policy has its own, and a later decision about the device is not the person's."""

    def decide(at_us: int, policy: str, lot: int, **whose: str) -> Any:
        properties = {"decision_id": f"D{at_us}{policy}", "policy": policy, "lot": lot}
        return bank.event("decision_made", at_us, properties=properties, trust="engine", **whose)

    bank.project(decide(START + 5, "p", 500, person="C1"), decide(START + 6, "q", 600, person="C1"))
    assert bank.subject("C1").lots == {"p": 500, "q": 600}
    bank.project(
        bank.event("subject_bound", START + 9, person="C1", properties={"other_id": "login:a"}),
        decide(START + 7, "q", 700, person="login:a"),
        decide(START + 3, "p", 300, person="login:a"),
    )
    assert bank.subject("C1").lots == bank.subject("login:a").lots == {"p": 300, "q": 600}
    bank.project(
        decide(START + 2, "p", 200, person="device:d"),
        bank.event("page_opened", START + 8, person="C1", device="d"),
        bank.event("page_opened", START + 10, person="C2", device="d"),
    )
    assert bank.subject("C1").lots == {"p": 200, "q": 600}
    assert bank.subject("C2").lots == {}
