"""The table of failed events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dipper.engine.conformance.lake import NOW_US
from dipper.engine.embedded import lake_failed
from dipper.engine.embedded.lake_failed import FailedEvents, failed_rows
from dipper.engine.ports import Position
from dipper.engine.record import FailedEvent


def failed(offset: int, raw: str = "{}", **subjects: str) -> tuple[Position, FailedEvent]:
    event = FailedEvent(
        source="app",
        received_us=NOW_US + offset,
        code="wrong_type",
        reason=f"amount: expected int, got {raw}",
        raw=raw,
        path="properties.amount",
        event="paid",
        message_id=f"m{offset}",
        subjects=subjects,
    )
    return Position(0, offset), event


def open_failed(folder: Path) -> FailedEvents:
    return FailedEvents(folder, clock=lambda: NOW_US)


def stored(table: FailedEvents) -> list[dict[str, Any]]:
    rows = [row for path in table.files() for row in pq.read_table(path).to_pylist()]
    return sorted(rows, key=lambda row: row["offset"])


def test_a_failed_record_is_kept_once_with_its_reason(tmp_path: Path) -> None:
    """All that is known of it is there, and a repeated append adds nothing."""
    table = open_failed(tmp_path)
    rows = failed_rows([failed(0, '"x"', person="customer_no:1", payer="customer_no:2")])
    version = table.append(rows, {0: 1})
    assert table.append(rows, {0: 1}) == version
    (row,) = stored(table)
    assert (row["source"], row["code"], row["event"]) == ("app", "wrong_type", "paid")
    assert (row["raw"], row["reason"]) == ('"x"', 'amount: expected int, got "x"')
    assert (row["person"], row["subjects"]) == ("customer_no:1", '{"payer":"customer_no:2"}')
    assert table.positions() == {0: 1}


def test_positions_advance_without_failures(tmp_path: Path) -> None:
    """A stretch of the log without a failed event is known to be read."""
    table = open_failed(tmp_path)
    table.append(failed_rows([]), {0: 9})
    assert open_failed(tmp_path).positions() == {0: 9}


def test_many_files_of_a_month_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compaction leaves one file where there were too many, and every record."""
    monkeypatch.setattr(lake_failed, "FILES_PER_MONTH", 3)
    table = open_failed(tmp_path)
    for offset in range(5):
        table.append(failed_rows([failed(offset)]), {0: offset + 1})
    assert table.compact() == 5
    assert len(table.files()) == 1
    assert [row["offset"] for row in stored(table)] == list(range(5))
    assert table.compact() == 0


def test_an_erased_record_keeps_its_count_and_nothing_else(tmp_path: Path) -> None:
    """Source, code and time stay for conservation; what was sent and whose it was go."""
    table = open_failed(tmp_path)
    gone = "customer_no:13900000001"
    table.append(
        failed_rows(
            [
                failed(0, f'{{"userId":"{gone}"}}', person=gone),
                failed(1, "{}", person="customer_no:2", payer=gone),
                failed(2, '"kept"', person="customer_no:3"),
            ]
        ),
        {0: 3},
    )
    assert table.erase([gone]) == 2
    first, second, third = stored(table)
    for row in (first, second):
        assert (row["source"], row["code"]) == ("app", "wrong_type")
        assert [row[name] for name in ("raw", "reason", "path", "message_id")] == [None] * 4
    assert (first["person"], second["person"], second["subjects"]) == (None, "customer_no:2", None)
    assert third["raw"] == '"kept"'
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or gone.encode() not in path.read_bytes()
