"""Projection: batches, repetition, what is too old, what is not to be projected."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.engine.embedded.state import EmbeddedState
from dipper.engine.ports import Position
from dipper.engine.record import RecordKind
from dipper.kit.errors import Conflict, Unavailable
from dipper.profile import gather, id_work
from dipper.profile.project import project, runs

DAY = 86_400_000_000
START = 1_790_000_000_000_000


def test_batches_of_any_size_give_the_same_bytes(bank: Any, tmp_path: Any) -> None:
    """Events one by one and all at once end in one digest."""
    for n in range(12):
        bank.pay(START + n % 5, person=f"C{n % 3}", device="d1", properties={"biller": f"b{n}"})
    other = EmbeddedState(tmp_path / "other")
    with other.read() as reader:
        done = project(bank.records, reader, bank.table)
    other.write(done.changes, {0: len(bank.records)})
    assert other.dump_digest() == bank.state.dump_digest()
    other.close()


def test_a_repeated_event_counts_once(bank: Any) -> None:
    """The same message again changes neither tags nor bytes."""
    record = bank.event("bill_paid", START, person="C1", properties={"amount_fen": 100})
    bank.project(record)
    digest = bank.state.dump_digest()
    bank.project(record, record)
    assert bank.state.dump_digest() == digest
    assert bank.subject("C1").tags["bills"] == 1


def test_an_unreadable_record_is_reported_and_the_rest_goes_on(bank: Any) -> None:
    """Bytes that are no event fail with their position; the next record is projected."""
    bad = bank.record(RecordKind.EVENT, b'{"event": 1}')
    good = bank.event("bill_paid", START, person="C1", properties={"amount_fen": 100})
    done = bank.project(bad, good)
    assert [position for position, _ in done.failed] == [Position(0, 0)]
    assert bank.subject("C1").tags["bills"] == 1


def test_erased_failed_and_quarantined_records_have_no_effect(bank: Any) -> None:
    """A record without payload, a failed one and a quarantined position are passed over."""
    event = bank.event("bill_paid", START, person="C1", properties={"amount_fen": 100})
    erased = event._replace(payload=b"", erased=True)
    failed = event._replace(kind=RecordKind.FAILED)
    bank.project(erased, failed)
    bank.project(event, skip={Position(0, 0)})
    assert bank.subject("C1").last_time_us is None


def test_barriers_split_a_batch(bank: Any) -> None:
    """A tick stands alone between what came before and after it; neutral records do not split."""
    before, counted = bank.event("bill_paid", START), bank.control("counted")
    clock, after = bank.control("tick", now_us=START), bank.event("bill_paid", START)
    parts = list(runs([before, counted, clock, after]))
    assert [(c.type if c else None, r) for c, r in parts] == [
        (None, [before, counted]),
        ("tick", [clock]),
        (None, [after]),
    ]


def test_records_without_use_are_dropped_after_their_window(bank: Any) -> None:
    """Once the clock has passed a record's last window, it goes with the next event of the id."""
    public = bank.event("page_opened", START, person="C1")  # counts in windows only
    bank.project(public)
    bank.tick(START + 40 * DAY)
    with bank.state.read() as reader:
        before = len(next(reader.scan("ids"))[1])
    bank.project(bank.event("page_opened", START + 40 * DAY, person="C1"))
    with bank.state.read() as reader:
        assert len(next(reader.scan("ids"))[1]) == before
    bank.project(bank.event("page_opened", START + DAY, person="C1"))
    assert bank.subject("C1", now_us=START + 40 * DAY).tags["pages_7d"] == 1


def test_records_that_a_lifetime_tag_counts_stay(bank: Any) -> None:
    """A payment of long ago still counts for life, its text included."""
    bank.pay(START, properties={"biller": "water"})
    bank.tick(START + 400 * DAY)
    bank.pay(START + 400 * DAY, properties={"biller": "power"})
    tags = bank.subject("C1", now_us=START + 400 * DAY).tags
    assert (tags["bills"], tags["first_biller"], tags["last_biller"]) == (2, "water", "power")


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id keeps its last three records."""
    for module in (id_work, gather):
        monkeypatch.setattr(module, "RECORDS_MAX", 3)


@pytest.mark.usefixtures("three")
def test_a_busy_id_keeps_its_last_records(bank: Any) -> None:
    """Above the bound the oldest records go, whatever the order of arrival."""
    for at_us in (5, 1, 4, 2, 3):
        bank.pay(START + at_us)
    assert bank.subject("C1", now_us=START + 9).tags["bills"] == 3
    assert bank.subject("C1", now_us=START + 3).tags["bills"] == 1


@pytest.mark.usefixtures("three")
def test_what_a_busy_id_has_lost_is_said(bank: Any) -> None:
    """Bounded are what counts for life, windows that reach before the first record, and formulas
    over these; a cap that may lack contacts is unknown."""
    for day in range(2):
        bank.pay(START + day * DAY)
    assert bank.subject("C1", now_us=START + 2 * DAY).bounded == frozenset()
    for day in range(8, 10):
        bank.pay(START + day * DAY)
    of_life = {"bills", "first_biller", "rate_sum", "billers", "last_due"}
    of_months = {"bills_30d", "rate_least", "last_biller", "mean_7d"}
    found = bank.subject("C1", now_us=START + 9 * DAY)
    assert found.bounded == of_life | of_months
    assert (found.tags["bills"], set(found.caps)) == (3, {"all_week", "one_offer", "fund_line"})
    # The first record that is kept is of the first day: a week that begins before it may lack some.
    found = bank.subject("C1", now_us=START + 8 * DAY - 1)
    assert found.bounded == of_life | of_months | {"amount_7d", "pages_7d"}
    assert found.caps == {}


@pytest.mark.usefixtures("three")
def test_a_person_is_bounded_by_any_of_its_ids(bank: Any) -> None:
    """What a bound login or a device has lost, the person lacks too."""
    bank.pay(START, person="C1", device="d1")
    bank.pay(START, person="C2", device="d2")
    public = {"properties": {"biller": "x"}, "source": "app", "trust": "public"}
    for number in range(1, 5):
        bank.pay(START + number, person="login:l1")
        bank.project(bank.event("page_opened", START + number, device="d2", **public))
    assert bank.subject("C1", now_us=START + DAY).bounded == frozenset()
    assert "billers" in bank.subject("C2", now_us=START + DAY).bounded
    bank.project(
        bank.event("subject_bound", START, person="C1", properties={"other_id": "login:l1"})
    )
    assert "bills" in bank.subject("C1", now_us=START + DAY).bounded


def test_another_layout_asks_for_a_rebuild(bank: Any, table_with: Any) -> None:
    """A program whose records are others neither projects into nor reads the old state."""
    bank.pay(START)
    bank.table = table_with("rows", aggregate="count", event="page_opened", where="biller = 'x'")
    with pytest.raises(Conflict, match="another layout"):
        bank.pay(START + 1)
    with pytest.raises(Unavailable, match="layout"):
        bank.subject("C1")


def test_a_new_tag_over_what_is_carried_is_live_at_once(bank: Any, table_with: Any) -> None:
    """Another window over a known condition needs no rebuild: it has its value from the past."""
    bank.pay(START)
    bank.pay(START + DAY)
    bank.table = table_with(
        "bills_1d", aggregate="count", event="bill_paid", where="amount_fen >= 100", window="1d"
    )
    assert bank.subject("C1", now_us=START + DAY).tags["bills_1d"] == 1


@pytest.mark.parametrize(
    "properties",
    [
        b"[]",
        b'"text"',
        b'{"amount_fen": 1e400, "biller": "w"}',
        b'{"amount_fen": 99999999999999999999, "biller": "w"}',
        b'{"amount_fen": 100, "biller": "\\ud800"}',
        b'{"amount_fen": 100, "amount_fen": [1], "rate": {}}',
        b'{"due_on": "9999-99-99", "rate": true}',
    ],
)
def test_no_properties_stop_the_projector(bank: Any, properties: bytes) -> None:
    """Values that no type holds are null; the event is projected and the next one too."""
    payload = bank.event("bill_paid", START, person="C1").payload[:-1]
    for name in ("bill_paid", "identify", "consent_given", "product_opened"):
        record = bank.record(
            RecordKind.EVENT,
            payload.replace(b"bill_paid", name.encode()) + b',"properties":' + properties + b"}",
        )
        bank.project(record)
    bank.pay(START + 1)
    assert bank.subject("C1", now_us=START + 1).tags["bills_30d"] >= 1


def test_a_role_that_nobody_knows_is_a_persons(bank: Any) -> None:
    """A binding with a role of a sender's own invention still binds what its id types say."""
    record = bank.event("subject_bound", START, person="C1")
    payload = record.payload.replace(b'"person":', b'"household":"login:l9","person":')
    bank.project(record._replace(payload=payload))
    assert set(bank.subject("C1").ids) == {"customer_no:C1", "login:l9"}
