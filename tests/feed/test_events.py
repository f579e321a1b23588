"""Rows become events, or failed events with a reason; never nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipper.engine.record import Event, FailedEvent
from dipper.feed.events import Origin, events
from dipper.feed.mapping import (
    EventName,
    EventTime,
    FileShape,
    Map,
    PropertyColumn,
    SubjectColumn,
    load_map,
)
from dipper.feed.table import batches
from dipper.kit.clock import from_iso
from dipper.kit.errors import BadInput

ORIGIN = Origin("core", "core", "f" * 64, 1_000)


def mapping(**changes: object) -> Map:
    """A map of columns t, who, what, n."""
    base = Map(
        source="core",
        file=FileShape(format="csv"),
        event=EventName(column="what"),
        time=EventTime(column="t", zone="Asia/Shanghai"),
        subjects={"person": SubjectColumn(type="customer_no", column="who")},
        properties={"amount": PropertyColumn(column="n", type="int")},
    )
    return base.model_copy(update=changes)


def read(tmp_path: Path, text: str, found: Map) -> list[Event | FailedEvent]:
    """All rows of a CSV text."""
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    result: list[Event | FailedEvent] = []
    for batch in batches(path, found.file, found.used_columns()):
        result += events(batch, found, ORIGIN, len(result))
    return result


def test_a_row_becomes_an_event(tmp_path: Path) -> None:
    """Name, time in the map's zone, id, typed property, row number as order and key."""
    (event,) = read(tmp_path, "t,who,what,n\n2026-01-01 08:00:00,C1,Bill Paid,5\n", mapping())
    assert isinstance(event, Event)
    assert event.event == "bill_paid"
    assert event.time_us == from_iso("2026-01-01T00:00:00Z")
    assert event.subjects == {"person": "customer_no:C1"}
    assert msgspec.json.decode(event.properties) == {"amount": 5}
    assert (event.seq, event.message_id) == (0, "f" * 16 + ":0")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("nonsense,C1,pay,5", "time"),
        (",C1,pay,5", "time"),
        ("2026-01-01,,pay,5", "subjects"),
        ("2026-01-01,C1,,5", "event"),
    ],
)
def test_a_bad_row_is_kept_with_its_reason(tmp_path: Path, row: str, reason: str) -> None:
    """And the rows around it are good."""
    good = "2026-01-01,C2,pay,1"
    found = read(tmp_path, f"t,who,what,n\n{good}\n{row}\n{good}\n", mapping())
    assert [type(item) for item in found] == [Event, FailedEvent, Event]
    assert isinstance(found[1], FailedEvent)
    assert found[1].reason.startswith(reason)
    assert "pay" in found[1].raw or "C1" in found[1].raw


def test_a_cell_of_another_type_stays_for_the_tracking_plan_to_judge(tmp_path: Path) -> None:
    """A text in a column of numbers is neither dropped nor turned into a number."""
    found = read(tmp_path, "t,who,what,n\n2026-01-01,C1,pay,many\n2026-01-01,C1,pay,7\n", mapping())
    values = [msgspec.json.decode(item.properties) for item in found if isinstance(item, Event)]
    assert values == [{"amount": "many"}, {"amount": 7}]


@given(st.lists(st.tuples(st.integers(0, 2**40), st.sampled_from(["C1", ""])), max_size=30))
def test_every_row_gives_exactly_one_result(rows: list[tuple[int, str]]) -> None:
    """Good and failed together are the rows, in order."""
    import pyarrow as pa

    found = mapping(time=EventTime(column="t", format="epoch_us"))
    batch = pa.record_batch(
        {
            "t": pa.array([time for time, _ in rows], pa.int64()),
            "who": pa.array([who or None for _, who in rows], pa.string()),
            "what": pa.array(["pay"] * len(rows), pa.string()),
            "n": pa.array([1] * len(rows), pa.int64()),
        }
    )
    result = list(events(batch, found, ORIGIN, 0))
    assert [isinstance(item, Event) for item in result] == [bool(who) for _, who in rows]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """With the closest one as a hint."""
    path = tmp_path / "a.csv"
    path.write_text("timee,who\n1,2\n")
    with pytest.raises(BadInput, match=r"no column 'time'.*Did you mean 'timee'"):
        list(batches(path, FileShape(format="csv"), ["time"]))


def test_a_wrong_map_names_every_field(tmp_path: Path) -> None:
    """All problems at once."""
    path = tmp_path / "m.yml"
    path.write_text("source: a\nfile: {format: xml}\nevent: {value: x}\nsubject: {}\n")
    with pytest.raises(BadInput) as caught:
        load_map(path)
    text = str(caught.value)
    assert "file.format" in text
    assert "time" in text
    assert "subject" in text
