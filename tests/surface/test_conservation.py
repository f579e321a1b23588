"""Tests of the counts by source, read from the log."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dipper.collect.counts import Counts
from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.ports import Entry, Position
from dipper.engine.record import EVENT_ENCODER, Control, Event, FailedEvent, RecordKind
from dipper.surface.conservation import ERASED, Conservation


def good(source: str = "web", trust: str = "public", **more: str) -> Entry:
    """A good record."""
    event = Event(
        event="page_viewed", message_id="m", source=source, trust=trust,  # type: ignore[arg-type]
        time_us=1, received_us=1, subjects={"person": "login:a"}, **more,
    )  # fmt: skip
    return Entry(RecordKind.EVENT, EVENT_ENCODER.encode(event))


def failed(source: str = "web") -> Entry:
    """A failed record."""
    event = FailedEvent(source=source, received_us=1, code="c", reason="r", raw="{}")
    return Entry(RecordKind.FAILED, msgspec.json.encode(event))


def control(type_: str, **body: object) -> Entry:
    """A control record."""
    return Entry(
        RecordKind.CONTROL, EVENT_ENCODER.encode(Control(type=type_, time_us=1, body=body))
    )


@pytest.fixture
def log(tmp_path: Path) -> EmbeddedLog:
    """A log of two partitions."""
    return EmbeddedLog(tmp_path / "log", 2)


def append(log: EmbeddedLog, partition: int, *entries: Entry) -> None:
    """Append and release the partition."""
    writer = log.writer(partition)
    writer.append(entries, 1).result()
    writer.close()


def counted(log: EmbeddedLog) -> dict[str, Counts]:
    """A count from the beginning."""
    with log.reader() as reader:
        found = Conservation(reader)
        assert found.catch_up()
        return found.by_source()


def test_each_record_is_in_one_count(log: EmbeddedLog) -> None:
    """Good and failed are records, duplicates and refused ones are what `counted` says."""
    append(log, 0, good(), good("core"), failed(), good())
    append(log, 1, good(), control("counted", source="web", duplicate=3, refused=2))
    found = counted(log)
    assert found == {"web": Counts(3, 1, 3, 2), "core": Counts(1, 0, 0, 0)}
    assert found["web"].received == 9


def test_what_the_engine_says_was_received_from_nobody(log: EmbeddedLog) -> None:
    """Announcements and traces are ours; a record that restates another was counted there."""
    append(log, 0, good("engine", "engine"), good(restates="0:7"), control("tick", now_us=1))
    assert counted(log) == {}


def test_what_was_quarantined_is_failed(log: EmbeddedLog) -> None:
    """It was counted good when it came."""
    append(log, 0, good(), good())
    append(log, 1, control("quarantined", partition=0, offset=1, reason="x"))
    assert counted(log) == {"web": Counts(1, 1, 0, 0)}


def test_what_was_quarantined_twice_is_failed_once(log: EmbeddedLog) -> None:
    """A worker that died between its word and the state says the same again."""
    append(log, 0, good(), good())
    append(log, 1, *[control("quarantined", partition=0, offset=1, reason="x")] * 2)
    assert counted(log) == {"web": Counts(1, 1, 0, 0)}


def test_an_erased_record_stays_counted(log: EmbeddedLog) -> None:
    """Its source is gone with it; the sum is the same."""
    append(log, 0, good(), failed(), good())
    log.custodian().erase([Position(0, 0), Position(0, 1)])
    assert counted(log) == {"web": Counts(1, 0, 0, 0), ERASED: Counts(1, 1, 0, 0)}


def test_the_count_goes_on_from_where_it_was(log: EmbeddedLog) -> None:
    """A second question reads only what has come since, and comes to the same."""
    append(log, 0, good())
    with log.reader() as reader:
        found = Conservation(reader)
        assert found.catch_up()
        append(log, 0, good(), failed())
        assert found.behind == 2
        assert found.catch_up()
        assert (found.behind, found.by_source()) == (0, counted(log))


def test_a_bounded_count_says_that_it_is_not_done(log: EmbeddedLog) -> None:
    """What is left is told, and the next call goes on."""
    append(log, 0, *[good()] * 3)
    append(log, 1, *[good()] * 3)
    with log.reader() as reader:
        found = Conservation(reader)
        assert not found.catch_up(1)
        assert found.behind == 3
        assert found.catch_up()
        assert found.by_source() == {"web": Counts(good=6)}
