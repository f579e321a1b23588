"""Rows become events, or failed events with a reason; never nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipper.feed.events import rows
from dipper.feed.mapping import (
    EventName,
    EventTime,
    FileShape,
    Map,
    PropertyColumn,
    SubjectColumn,
    load_map,
)
from dipper.feed.row import BadRow, Row
from dipper.feed.table import batches
from dipper.kit.clock import from_iso
from dipper.kit.errors import BadInput

DIGEST = "f" * 64


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


def read(tmp_path: Path, text: str, found: Map) -> list[Row | BadRow]:
    """All rows of a CSV text."""
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    result: list[Row | BadRow] = []
    for batch in batches(path, found.file, found.used_columns()):
        result += rows(batch, found, DIGEST, len(result))
    return result


def test_a_row_becomes_an_event(tmp_path: Path) -> None:
    """Name, time in the map's zone, id, typed property, row number as order and key."""
    (event,) = read(tmp_path, "t,who,what,n\n2026-01-01 08:00:00,C1,Bill Paid,5\n", mapping())
    assert isinstance(event, Row)
    assert event.event == "bill_paid"
    assert from_iso(event.time) == from_iso("2026-01-01T00:00:00Z")
    assert event.subjects == {"person": "customer_no:C1"}
    assert msgspec.json.decode(event.properties) == {"amount": 5}
    assert event.message_id == "f" * 16 + ":0"


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
    assert [type(item) for item in found] == [Row, BadRow, Row]
    assert isinstance(found[1], BadRow)
    assert found[1].reason.startswith(reason)
    assert "pay" in found[1].raw or "C1" in found[1].raw


def test_a_cell_of_another_type_stays_for_the_tracking_plan_to_judge(tmp_path: Path) -> None:
    """A text in a column of numbers is neither dropped nor turned into a number."""
    found = read(tmp_path, "t,who,what,n\n2026-01-01,C1,pay,many\n2026-01-01,C1,pay,7\n", mapping())
    values = [msgspec.json.decode(item.properties) for item in found if isinstance(item, Row)]
    assert values == [{"amount": "many"}, {"amount": 7}]


@given(st.lists(st.tuples(st.integers(0, 2**40), st.sampled_from(["C1", ""])), max_size=30))
def test_every_row_gives_exactly_one_result(drawn: list[tuple[int, str]]) -> None:
    """Good and failed together are the rows, in order."""
    import pyarrow as pa

    found = mapping(time=EventTime(column="t", format="epoch_us"))
    batch = pa.record_batch(
        {
            "t": pa.array([time for time, _ in drawn], pa.int64()),
            "who": pa.array([who or None for _, who in drawn], pa.string()),
            "what": pa.array(["pay"] * len(drawn), pa.string()),
            "n": pa.array([1] * len(drawn), pa.int64()),
        }
    )
    result = list(rows(batch, found, DIGEST, 0))
    assert [isinstance(item, Row) for item in result] == [bool(who) for _, who in drawn]


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


def test_rows_that_share_a_time_keep_the_order_of_the_file(tmp_path: Path) -> None:
    """By row number, also across the files of a day; a declared order counts before it."""
    text = "t,who,what,n\n" + "2026-01-01,C1,pay,1\n" * 3 + "2026-01-02,C1,pay,1\n"
    found = [item for item in read(tmp_path, text, mapping()) if isinstance(item, Row)]
    assert found[0].seq < found[1].seq < found[2].seq
    declared = read(tmp_path, text, mapping(seq="n"))
    assert [item.seq for item in declared if isinstance(item, Row)] == [1, 1, 1, 1]
