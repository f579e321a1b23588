"""The embedded runner: the suite of its port, and what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from dipper.engine.conformance.lake import NOW_US, Happening, table
from dipper.engine.conformance.runner import OFFSET, RunnerSuite, happenings, offsets
from dipper.engine.embedded import runner as runner_module
from dipper.engine.embedded.lake import EmbeddedLake
from dipper.engine.embedded.runner import NO_IDENTITY, EmbeddedRunner
from dipper.engine.ports import Column, Identity, Lake, Projection, Runner
from dipper.kit.clock import DAY_US, from_iso
from dipper.kit.errors import Unavailable

BUCKETS = {"person": 4, "device": 3}


def open_lake(folder: Path) -> EmbeddedLake:
    return EmbeddedLake(folder, {"amount_fen": "int"}, BUCKETS, clock=lambda: NOW_US)


class TestEmbeddedRunner(RunnerSuite):
    """The embedded runner does what every runner does."""

    def open_lake(self, folder: Path) -> Lake:
        return open_lake(folder)

    def open_runner(self, lake: Lake, identity: Identity | None = None) -> Runner:
        assert isinstance(lake, EmbeddedLake)
        return EmbeddedRunner(lake, threads=2, identity=identity or NO_IDENTITY)


def test_only_months_that_the_window_touches_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question about last week opens no file of another month."""
    lake = open_lake(tmp_path)
    rows = happenings(300, seed=1)
    lake.append_sorted(table(lake.schema, rows), {0: 300})
    read = []

    def file_rows(reader: object, path: str, *arguments: object) -> object:
        read.append(path)
        return original(reader, path, *arguments)  # type: ignore[arg-type]

    original = runner_module.file_rows
    monkeypatch.setattr(runner_module, "file_rows", file_rows)
    projection = Projection("person", (OFFSET,), start_us=NOW_US - 7 * DAY_US)
    assert offsets(list(EmbeddedRunner(lake).buckets(projection)))
    assert read
    assert all("/2026-11/" in path for path in read)


def test_a_property_declared_later_is_found_in_older_files(tmp_path: Path) -> None:
    """A file from before the declaration answers from its undeclared properties, alike for a bare
    column and inside a condition, and a value of another type is NULL."""
    lake = open_lake(tmp_path)
    values = ['{"age":41}', '{"age":"old"}', '{"age":7.5}', None, '{"other":1}']
    rows = [
        Happening(n, "customer_no:1", NOW_US + n, values={"extra": extra})
        for n, extra in enumerate(values)
    ]
    lake.append_sorted(table(lake.schema, rows), {0: 5})
    lake.declare({"amount_fen": "int", "age": "int"})
    lake.append(
        table(lake.schema, [Happening(5, "customer_no:1", NOW_US + 5, values={"age": 50})]), {0: 6}
    )
    columns = (OFFSET, Column("age", "age", "int64", -1), Column("old", "age > 40", "bool"))
    (bucket,) = EmbeddedRunner(lake).buckets(Projection("person", columns))
    assert bucket.columns["age"].tolist() == [41, -1, -1, -1, -1, 50]
    assert bucket.columns["old"].tolist() == [True, False, False, False, False, True]


def test_a_moment_declared_later_is_microseconds_everywhere(tmp_path: Path) -> None:
    """A timestamp property gives the same number from a column and from undeclared JSON."""
    lake = open_lake(tmp_path)
    extra = '{"due":"2026-11-18T09:30:00+08:00"}'
    rows = [Happening(0, "customer_no:1", NOW_US, values={"extra": extra})]
    lake.append_sorted(table(lake.schema, rows), {0: 1})
    lake.declare({"amount_fen": "int", "due": "timestamp"})
    projection = Projection("person", (Column("due", "due", "int64"),))
    (undeclared,) = EmbeddedRunner(lake).buckets(projection)
    # A compaction retires no file of this month; five runs in it are written as one, with columns.
    for offset in range(1, 6):
        row = Happening(offset, "customer_no:1", NOW_US)
        lake.append(table(lake.schema, [row]), {0: offset + 1})
        lake.compact()
    (column,) = EmbeddedRunner(lake).buckets(projection)
    expected = from_iso("2026-11-18T09:30:00+08:00")
    assert undeclared.columns["due"].tolist() == [expected]
    assert column.columns["due"].max() == expected


def test_a_lake_rewritten_meanwhile_is_said(tmp_path: Path) -> None:
    """When an erasure takes a file away under a running question, the question says so."""
    lake = open_lake(tmp_path)
    rows = [Happening(n, f"customer_no:{n}", NOW_US) for n in range(40)]
    lake.append_sorted(table(lake.schema, rows), {0: 40})
    buckets = EmbeddedRunner(lake, threads=1).buckets(Projection("person", (OFFSET,)))
    next(buckets)
    lake.erase([row.id for row in rows])
    with pytest.raises(Unavailable, match="rewritten while it was read"):
        list(buckets)
