"""What a compaction plans."""

from __future__ import annotations

from collections.abc import Sequence

from dipper.engine.embedded.compaction import NewRun, plan
from dipper.engine.embedded.lake_partition import Partition, is_retired, month_range, oldest_month
from dipper.engine.embedded.lake_table import TableFile
from dipper.kit.clock import from_iso

NOW_US = from_iso("2026-11-18T00:00:00Z")
OLDEST = oldest_month(NOW_US)


def file(kind: str, month: str | None, bucket: int, name: str = "a") -> TableFile:
    values = {"kind": kind, "month": month, "bucket": str(bucket)}
    return TableFile(f"{kind}-{month}-{bucket}-{name}", values, 10, 1_000, 0, 0)


def runs(count: int, month: str = "2026-11", bucket: int = 0) -> list[TableFile]:
    return [file("person", month, bucket, str(number)) for number in range(count)]


def planned(
    touched: Sequence[Partition], files: Sequence[TableFile], files_max: int = 5_000
) -> list[NewRun]:
    return plan(touched, files, OLDEST, files_max=files_max)


HERE = Partition("person", "2026-11", 0)


def test_fresh_rows_become_one_more_run() -> None:
    """Up to four runs a partition, nothing that is sorted is written again."""
    assert planned([HERE], runs(0)) == [NewRun(HERE, ())]
    assert planned([HERE], runs(3)) == [NewRun(HERE, ())]


def test_the_fifth_run_merges_all() -> None:
    """Four runs and fresh rows are written as one."""
    files = runs(4)
    assert planned([HERE], files) == [NewRun(HERE, tuple(files))]


def test_partitions_that_no_row_touches_stay() -> None:
    """A compaction reads only what it must."""
    assert planned([], runs(4)) == []
    assert planned([HERE], runs(4, bucket=1)) == [NewRun(HERE, ())]


def test_an_old_month_joins_its_year() -> None:
    """A month older than a quarter is read once more, with its year, even without fresh rows."""
    year, old = file("person", "2026", 0), file("person", "2026-07", 0)
    young = file("person", "2026-08", 0)
    assert planned([], [year, old, young]) == [NewRun(Partition("person", "2026", 0), (year, old))]


def test_fresh_files_are_no_runs() -> None:
    """What comes in while a compaction runs is left for the next one."""
    assert planned([], [file("person", None, -1)]) == []


def test_the_number_of_files_is_bounded() -> None:
    """Above the bound the partitions with the most runs are merged until it holds."""
    files = [*runs(3, bucket=1), *runs(2, bucket=2), *runs(1, bucket=3), *runs(1, bucket=4)]
    (only,) = planned([], files, files_max=5)
    assert only.partition.bucket == 1
    assert [run.partition.bucket for run in planned([], files, files_max=4)] == [1, 2]
    assert [run.partition.bucket for run in planned([], files, files_max=1)] == [1, 2]
    with_fresh = planned([Partition("person", "2026-11", 3)], files, files_max=5)
    assert [(r.partition.bucket, len(r.inputs)) for r in with_fresh] == [(1, 3), (2, 2), (3, 0)]


def test_months_turn_into_years_after_a_quarter() -> None:
    """Three whole months before the current one stay months."""
    assert not is_retired("2026-08", OLDEST)
    assert is_retired("2026-07", OLDEST)
    assert not is_retired("2026", OLDEST)


def test_a_month_ends_where_the_next_begins() -> None:
    """December ends with the year."""
    assert month_range("2026-12")[1] == month_range("2027-01")[0] == month_range("2026")[1]
    assert month_range("2026")[0] == from_iso("2026-01-01T00:00:00Z")
