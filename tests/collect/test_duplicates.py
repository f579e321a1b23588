"""The index of duplicates."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from dipper.collect.canonical import Stored, content_hash, encode_all
from dipper.collect.duplicates import NO_TIME, Duplicates, Verdict
from dipper.engine.ports import Record
from dipper.engine.record import FailedEvent, RecordKind
from dipper.kit.clock import DAY_US, HOUR_US

NOW = 20_781 * DAY_US + 5 * HOUR_US
NEW, DUPLICATE, CONFLICT = Verdict.NEW, Verdict.DUPLICATE, Verdict.CONFLICT


def check_all(
    index: Duplicates,
    events: list[tuple[str, int | None, int]],
    source: str = "app",
    now: int = NOW,
) -> list[Verdict]:
    """Look up and enter events given by message id, original time and content."""
    times = [NO_TIME if at is None else at for _, at, _ in events]
    found = index.check(
        np.array([index.fingerprint(source, name) for name, _, _ in events], np.int64),
        np.array(times, np.int64),
        np.array([content for _, _, content in events], np.int64),
        now,
        between_us=(min(times, default=0), max(times, default=0)),
    )
    return [NEW] * len(events) if found is None else found


def check(
    index: Duplicates, message_id: str, original_us: int | None, content: int = 1, **more: Any
) -> Verdict:
    """Look up and enter one event."""
    return check_all(index, [(message_id, original_us, content)], **more)[0]


def record(payload: bytes, kind: RecordKind = RecordKind.EVENT, *, erased: bool = False) -> Record:
    """A record of the log as it is read."""
    return Record(0, 0, kind, NOW, b"" if erased else payload, erased)


def payload(message_id: str, original_us: int | None, received_us: int = NOW) -> bytes:
    """A stored event."""
    event = Stored(
        message_id, "app", "public", NOW, received_us, event="x", original_us=original_us
    )
    return encode_all([event])[0]


def test_a_copy_is_known_by_id_and_content() -> None:
    """Same id and content is a duplicate, other content a conflict, another source neither."""
    index = Duplicates()
    assert check(index, "a", NOW) is NEW
    assert check(index, "a", NOW) is DUPLICATE
    assert check(index, "a", NOW, content=2) is CONFLICT
    assert check(index, "a", NOW) is DUPLICATE
    assert check(index, "a", NOW, source="web") is NEW
    assert index.held == 2


def test_a_batch_is_judged_in_order() -> None:
    """The second of two equal events of one batch is a duplicate; mixed days change nothing."""
    index = Duplicates()
    before = NOW - 3 * DAY_US
    found = check_all(
        index,
        [
            ("a", NOW, 1),
            ("a", NOW, 1),
            ("b", before, 1),
            ("c", None, 1),
            ("b", before, 2),
            ("c", None, 1),
        ],
    )
    assert found == [NEW, DUPLICATE, NEW, NEW, CONFLICT, DUPLICATE]
    assert check_all(index, [("d", NOW, 1), ("a", NOW, 1)]) == [NEW, DUPLICATE]
    assert check_all(index, []) == []


def test_a_resend_is_found_years_later() -> None:
    """It repeats its original time, so it is searched on that day."""
    index = Duplicates()
    check(index, "a", NOW)
    assert check(index, "a", NOW, now=NOW + 1_000 * DAY_US) is DUPLICATE


def test_the_day_is_that_of_the_original_time_whenever_it_comes() -> None:
    """History, and clocks that are years ahead: the same id on another day is another event."""
    for original in (NOW - 4_000 * DAY_US, NOW + 3 * DAY_US, NOW + 40_000 * DAY_US, -5 * DAY_US):
        index = Duplicates()
        assert check(index, "a", original) is NEW
        assert check(index, "a", original, now=NOW + 9 * DAY_US) is DUPLICATE
        assert check(index, "a", NOW) is NEW


def test_an_event_without_time_is_searched_over_two_days() -> None:
    """Its original is its receipt: yesterday's and today's are searched, no others."""
    index = Duplicates()
    check(index, "a", None)
    assert check(index, "a", None, now=NOW + DAY_US) is DUPLICATE
    index = Duplicates()
    check(index, "a", None)
    assert check(index, "a", None, now=NOW + 2 * DAY_US) is NEW


def test_failed_events_are_known_by_id_and_content_together() -> None:
    """The same failure is kept once; under a mended plan the event is new and not a duplicate."""
    index = Duplicates()
    assert not index.check_failed("app", "a", 5, NOW)
    assert index.check_failed("app", "a", 5, NOW + DAY_US)
    assert not index.check_failed("app", "a", 6, NOW)
    assert check(index, "a", NOW) is NEW


def test_the_index_is_rebuilt_from_the_log() -> None:
    """Good and failed records enter, control records and erased ones do not."""
    index = Duplicates()
    failed = FailedEvent(
        source="app", received_us=NOW, code="x", reason="y", raw="", message_id="f", content=9
    )
    records = [
        record(payload("a", NOW)),
        record(payload("b", None)),
        record(payload("gone", NOW), erased=True),
        record(msgspec.json.encode(failed), RecordKind.FAILED),
        record(b'{"type":"tick","time_us":1}', RecordKind.CONTROL),
    ]
    assert index.rebuild(records) == 3
    content = content_hash(payload("a", NOW))
    assert check(index, "a", NOW, content) is DUPLICATE
    content = content_hash(payload("b", None))
    assert check(index, "b", None, content) is DUPLICATE
    assert check(index, "gone", NOW) is NEW
    assert index.check_failed("app", "f", 9, NOW)


def test_what_is_forgotten_is_new_again() -> None:
    """After a failed append or an erasure nothing of the event remains in the index."""
    index = Duplicates()
    failed = FailedEvent(
        source="app", received_us=NOW, code="x", reason="y", raw="", message_id="f", content=9
    )
    for original in (NOW, NOW - 9 * DAY_US, None, 0):
        check(index, "a", original)
        index.forget(*index.place(RecordKind.EVENT, payload("a", original)))
        assert index.held == 0
    index.check_failed("app", "f", 9, NOW)
    index.forget(*index.place(RecordKind.FAILED, msgspec.json.encode(failed)))
    assert index.held == 0
