"""Many fingerprints with their values, sorted by day and fingerprint: what an index file holds.

Pure: arrays in, arrays out. A day is a slice of the pairs, found by a small directory in memory;
whatever is asked about one day touches that day's pages and no others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Parts = Iterator[tuple[int, np.ndarray]]
"""Days in order, each with its pairs (int64, shape (n, 2): fingerprint, value) in order."""

NO_PAIRS = np.zeros((0, 2), np.int64)
NO_PAIRS.flags.writeable = False


@dataclass(frozen=True)
class SortedRun:
    """`days` says where in `pairs` (int64, shape (n, 2)) each day begins and ends."""

    days: Mapping[int, tuple[int, int]]
    pairs: np.ndarray

    def __len__(self) -> int:
        return len(self.pairs)

    def part(self, day: int) -> np.ndarray:
        """The pairs of one day, in order of fingerprint."""
        start, end = self.days.get(day, (0, 0))
        return self.pairs[start:end]

    @staticmethod
    def of(parts: Parts) -> SortedRun:
        """A run in memory."""
        found = list(parts)
        pairs = np.concatenate([NO_PAIRS, *(part for _, part in found)])
        # As a mapped file is: kernels are compiled for one of the two.
        pairs.flags.writeable = False
        return SortedRun(directory([(day, len(part)) for day, part in found]), pairs)


def directory(lengths: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Where days of these lengths begin and end when they follow each other."""
    found, at = {}, 0
    for day, length in lengths:
        found[day] = (at, at + length)
        at += length
    return found


def parts_of(rows: np.ndarray) -> Parts:
    """Unsorted rows (int64, shape (n, 3): day, fingerprint, value) as parts."""
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    starts = np.flatnonzero(np.diff(rows[:, 0], prepend=-1)) if len(rows) else []
    for part in np.split(rows, starts[1:]) if len(rows) else []:
        yield int(part[0, 0]), np.ascontiguousarray(part[:, 1:])


def merged(runs: Sequence[SortedRun]) -> Parts:
    """All pairs of several runs, a day at a time."""
    for day in sorted(set().union(*(run.days for run in runs))):
        pairs = np.concatenate([run.part(day) for run in runs])
        # On sorted stretches a stable sort is a merge.
        yield day, pairs[np.argsort(pairs[:, 0], kind="stable")]


def without(run: SortedRun, gone: Mapping[int, Collection[int]]) -> Parts:
    """The run less the fingerprints that are `gone`, by day."""
    for day in run.days:
        part = run.part(day)
        if day in gone:
            part = part[~np.isin(part[:, 0], np.array([*gone[day]], np.int64))]
        if len(part):
            yield day, part


def holds(run: SortedRun, gone: Mapping[int, Collection[int]]) -> bool:
    """Whether one of the fingerprints stands in the run."""
    return any(
        bool(np.isin(run.part(day)[:, 0], np.array([*keys], np.int64)).any())
        for day, keys in gone.items()
    )
