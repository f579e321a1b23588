"""Events that name an erased id beside others: whose they are, and what is left of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from dipper.collect.erasures import Erasures

Paid = Callable[..., dict[str, Any]]


def hashed(text: str) -> str:
    """A stand-in for the keyed hash of ids."""
    return hashlib.sha256(text.encode()).hexdigest()


def desk_of(new_desk: Callable[..., Any], *, can_lift: bool) -> Any:
    """A collector after a person, with a phone of her own, was erased."""

    def hash_of(text: str) -> str | None:
        return hashed(text) if text in ("customer_no:gone", "device:old") else None

    return new_desk(erasures=Erasures(hash_of, can_lift=can_lift))


@pytest.fixture
def desk(new_desk: Callable[..., Any]) -> Any:
    """A gateway's collector."""
    return desk_of(new_desk, can_lift=True)


def sold(paid: Paid, **subjects: str) -> dict[str, Any]:
    """A shop sells something at its till."""
    return paid(
        event="till_sold",
        userId=None,
        anonymousId=None,
        groupId="shop",
        properties={"amount_fen": 100, "age": 40, "other_id": "phone:1"},
        context={"dipper": {"subjects": subjects}},
    )


def test_an_organisation_keeps_what_an_erased_operator_did(desk: Any, paid: Paid) -> None:
    """Without the operator, and without what the event says of a person."""
    found = desk.send("server", sold(paid, operator="customer_no:gone"))
    assert found.counts == (1, 0, 0, 0)
    assert found.only.subjects == {"organisation": "org_no:shop"}
    assert json.loads(bytes(found.only.properties)) == {"amount_fen": 100}
    assert b"gone" not in found.entries[0].payload
    kept = desk.send("server", sold(paid, operator="customer_no:here")).only
    assert json.loads(bytes(kept.properties))["age"] == 40


def test_a_resend_of_what_is_left_is_a_copy(desk: Any, paid: Paid) -> None:
    """Its content is what is kept."""
    event = sold(paid, operator="customer_no:gone")
    assert desk.send("server", event).counts == (1, 0, 0, 0)
    assert desk.send("server", event).counts == (0, 0, 1, 0)


def test_a_phone_that_a_living_person_has_now_is_accepted_again(desk: Any, paid: Paid) -> None:
    """All partitions hear so before the event is stored."""
    event = paid(userId="here", anonymousId="old")
    found = desk.send("server", event, paid(userId="else"))
    assert [one.subjects.get("device") for one in found.events] == ["device:old", "device:d-1"]
    assert found.collected.reinstated == [hashed("device:old")]
    assert not found.collected.consents


def test_who_cannot_tell_the_partitions_leaves_the_phone_out(
    new_desk: Callable[..., Any], paid: Paid
) -> None:
    """An import: the person keeps the event with all that it says of the person."""
    event = paid(userId="here", anonymousId="old", properties={"amount_fen": 1, "age": 40})
    found = desk_of(new_desk, can_lift=False).send("server", event)
    assert found.only.subjects == {"person": "customer_no:here"}
    assert json.loads(bytes(found.only.properties)) == {"amount_fen": 1, "age": 40}
    assert found.collected.reinstated == []


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("server", {"userId": "gone", "anonymousId": "living"}),
        ("app", {"userId": "gone", "anonymousId": "living"}),
        ("app", {"userId": "here", "anonymousId": "old"}),
        ("server", {"userId": None, "anonymousId": "old"}),
        ("server", {"userId": "gone", "anonymousId": None, "groupId": "shop"}),
        (
            "server",
            {"userId": "here", "event": "subject_bound", "properties": {"other_id": "device:old"}},
        ),
    ],
)
def test_what_is_the_erased_ones_own_is_refused(
    desk: Any, paid: Paid, source: str, fields: dict[str, Any]
) -> None:
    """A claim says whose an event is; a device that only she had is hers; nothing binds her."""
    found = desk.send(source, paid(**fields))
    assert found.counts == (0, 0, 0, 1)
    assert not found.events
