"""Ticks: turns with their exact time, timers, corrections."""

from __future__ import annotations

from typing import Any

import msgspec

from dipper.profile.tick import tick

DAY = 86_400_000_000
START = 1_790_000_000_000_000


def test_a_turn_is_announced_at_its_exact_moment(bank: Any) -> None:
    """The second payment makes a payer: announced at the tick with the time of the payment."""
    bank.tick(START)
    bank.pay(START + 1_000)
    bank.pay(START + 2_000)
    assert bank.turns(START + DAY) == [
        ("segment_entered", "idle", START + 1_000),
        ("segment_entered", "payers", START + 2_000),
    ]
    assert bank.turns(START + DAY + 1) == []


def test_a_person_leaves_without_any_event(bank: Any) -> None:
    """When an event slides out of the window the timer rings, and the turn has its exact time."""
    bank.tick(START)
    bank.pay(START + 1)
    bank.pay(START + 2)
    bank.tick(START + 10)
    assert bank.turns(START + 30 * DAY) == []
    assert bank.turns(START + 30 * DAY + 5) == [("segment_left", "payers", START + 1 + 30 * DAY)]


def test_in_and_out_between_two_ticks_are_two_turns(bank: Any) -> None:
    """A long silence of the clock loses no turn."""
    bank.tick(START)
    bank.pay(START + 1)
    bank.pay(START + 2)
    turns = [turn for turn in bank.turns(START + 60 * DAY) if turn[1] == "payers"]
    assert turns == [
        ("segment_entered", "payers", START + 2),
        ("segment_left", "payers", START + 1 + 30 * DAY),
    ]


def test_an_announcement_names_subject_rule_and_side(bank: Any) -> None:
    """The event says of whom, by which rule, and which side; its id is computed from these."""
    bank.tick(START)
    bank.pay(START + 1)
    first = bank.tick(START + 5).announcements
    (event,) = first
    said = msgspec.json.decode(event.properties)
    assert event.subjects == {"person": "customer_no:C1"}
    assert (event.trust, event.time_us, event.received_us) == ("engine", START + 1, START + 5)
    assert said["member"] is True
    assert said["rule"] == bank.table.kinds["person"].rules["idle"]


def test_a_tick_repeated_gives_the_same_announcements(bank: Any) -> None:
    """After a crash between announcing and storing, the same ids come out again."""
    bank.tick(START)
    bank.pay(START + 1)
    with bank.state.read() as reader:
        once = tick(reader, bank.table, None, START + 5)
        twice = tick(reader, bank.table, None, START + 5)
    assert once == twice
    assert len(once.announcements) == 1


def test_a_late_event_behind_an_announcement_is_a_correction(bank: Any) -> None:
    """Announced as idle; then a page of last week arrives: corrected, not 'left'."""
    bank.tick(START)
    bank.pay(START + 5)
    bank.tick(START + 10)
    bank.project(bank.event("page_opened", START + 2, person="C1"))
    assert bank.turns(START + 20) == [("segment_corrected", "idle", START + 2)]
    assert bank.turns(START + 8 * DAY) == [("segment_entered", "idle", START + 2 + 7 * DAY)]


def test_late_history_enters_at_its_own_time(bank: Any) -> None:
    """Where nothing was announced yet, a late turn is a turn with the time at which it was."""
    bank.tick(START)
    bank.pay(START - 9 * DAY)
    bank.pay(START - 5 * DAY)
    turns = bank.turns(START + 1)
    assert ("segment_entered", "payers", START - 5 * DAY) in turns
    assert ("segment_entered", "idle", START - 9 * DAY) in turns


def test_the_first_tick_knows_the_past(bank: Any) -> None:
    """History before any tick is announced with its own crossing times."""
    bank.pay(START - 9 * DAY)
    bank.pay(START - 5 * DAY)
    assert ("segment_entered", "payers", START - 5 * DAY) in bank.turns(START)


def test_a_binding_brings_the_past_into_the_segment(bank: Any) -> None:
    """A device's past makes the bound person leave or enter at the times of that past."""
    bank.tick(START)
    bank.pay(START + 1)
    bank.tick(START + 5)
    public = {"source": "app", "trust": "public"}
    bank.project(bank.event("page_opened", START + 6, device="d1", **public))
    assert bank.turns(START + 9) == []
    other = {"other_id": "device:d1"}
    bank.project(bank.event("subject_bound", START + 10, person="C1", properties=other))
    assert bank.turns(START + 20) == [("segment_left", "idle", START + 6)]


def test_a_fact_turns_a_segment_at_its_time(bank: Any) -> None:
    """An attribute stated between two ticks turns the segment that reads it."""
    bank.tick(START)
    bank.pay(START + 1)
    bank.pay(START + 2)
    bank.tick(START + 10)
    bank.project(bank.event("identify", START + 15, person="C1", properties={"city": "B"}))
    assert bank.turns(START + 20) == [("segment_entered", "local_payers", START + 15)]


def test_merged_ids_have_one_standing(bank: Any) -> None:
    """Two ids announced apart are one afterwards, and nothing is announced twice."""
    bank.tick(START)
    bank.pay(START + 1)
    bank.pay(START + 1, person="login:l1")
    assert len(bank.turns(START + 5)) == 2
    other = {"other_id": "login:l1"}
    bank.project(bank.event("subject_bound", START + 6, person="C1", properties=other))
    assert bank.turns(START + 10) == [("segment_entered", "payers", START + 1)]
    with bank.state.read() as reader:
        assert len(list(reader.scan("segments"))) == 1
        assert len(list(reader.scan("timers"))) == 1


def test_an_event_of_the_future_waits_for_its_time(bank: Any) -> None:
    """A clock that was fast: the event counts when its moment has come, and then is announced."""
    bank.tick(START)
    bank.pay(START + 2 * DAY)
    assert bank.turns(START + DAY) == []
    assert bank.subject("C1", now_us=START + DAY).tags["bills"] == 0
    assert bank.turns(START + 3 * DAY) == [("segment_entered", "idle", START + 2 * DAY)]


def test_organisations_are_announced_as_such(bank: Any) -> None:
    """A firm's segment is announced in the firm's timeline."""
    bank.tick(START)
    bank.pay(START + 1, person=None, organisation="O1")
    (event,) = bank.tick(START + 5).announcements
    assert event.subjects == {"organisation": "org_no:O1"}


def test_an_unnamed_device_is_not_announced(bank: Any) -> None:
    """A visitor has segments when read, but nobody is told of somebody without a name."""
    bank.tick(START)
    public = {"source": "app", "trust": "public"}
    for n in (1, 2):
        bank.pay(START + n, person=None, device="d1", **public)
    assert bank.subject("device:d1", now_us=START + 5).segments == {"payers", "idle"}
    assert bank.turns(START + 5) == []
