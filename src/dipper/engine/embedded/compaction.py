"""What a compaction does: which files it reads and which partition each new run belongs to.

A pure plan over the list of live files. Fresh rows become one more run of each partition that
they touch; a partition with too many runs, or one that takes in a month that has become part of
its year, is read whole and written as one run. DESIGN.md fixes the bounds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dipper.engine.embedded.lake_partition import FRESH, Partition, is_retired
from dipper.engine.embedded.lake_table import TableFile

RUNS_MAX = 4
FILES_MAX = 5_000


class NewRun(NamedTuple):
    """One run to write: the fresh rows of `partition`, merged with the rows of `inputs`."""

    partition: Partition
    inputs: tuple[TableFile, ...]


def partition_of(file: TableFile) -> Partition:
    """The partition of a live file; fresh files have bucket -1 and no month."""
    values = file.values
    return Partition(values["kind"] or "", values["month"] or "", int(values["bucket"] or FRESH))


def plan(
    touched: Iterable[Partition],
    files: Sequence[TableFile],
    oldest_month: int,
    runs_max: int = RUNS_MAX,
    files_max: int = FILES_MAX,
) -> list[NewRun]:
    """The runs to write when fresh rows touch these partitions, in the order of partitions.

    `files` are the live files without the fresh ones that the compaction removes.
    """
    runs: dict[Partition, list[TableFile]] = defaultdict(list)
    incoming: dict[Partition, list[TableFile]] = defaultdict(list)
    for file in files:
        partition = partition_of(file)
        if partition.bucket == FRESH:
            continue
        if is_retired(partition.month, oldest_month):
            year = partition._replace(month=partition.month[:4])
            incoming[year].append(file)
        else:
            runs[partition].append(file)
    fresh = set(touched)
    planned: dict[Partition, NewRun] = {}
    for partition in fresh | set(incoming):
        merge = incoming[partition] or len(runs[partition]) >= runs_max
        inputs = (*runs[partition], *incoming[partition]) if merge else ()
        planned[partition] = NewRun(partition, inputs)
    count = len(files) + sum(1 - len(run.inputs) for run in planned.values())
    for partition in sorted(runs, key=lambda each: (-len(runs[each]), each)):
        if count <= files_max or len(runs[partition]) + (partition in fresh) < 2:
            break
        if partition not in planned or not planned[partition].inputs:
            planned[partition] = NewRun(partition, tuple(runs[partition]))
            count -= len(runs[partition]) - (partition not in fresh)
    return [planned[partition] for partition in sorted(planned)]
