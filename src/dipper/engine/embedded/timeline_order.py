"""The order of rows in history: subject, then (time, seq, order hash).

Two questions: in which order must rows be written (`sort_order`), and in which order are several
sorted runs read as one (`merge_order`). Keys are 16 bytes, compared as two big-endian halves.
Kernels are table-driven and compiled once (`numba_cache.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from dipper.fold.timeline import read_only


class Moments(NamedTuple):
    """What orders the rows of one subject, aligned: µs, sequence number, hash of the message id."""

    time: np.ndarray
    seq: np.ndarray
    order: np.ndarray


class Run(NamedTuple):
    """Sorted rows: subject i has key `keys[i]` (two u64) and rows starts[i] to starts[i+1]."""

    keys: np.ndarray
    starts: np.ndarray
    moments: Moments | None


def key_halves(raw: bytes | memoryview) -> np.ndarray:
    """n keys of 16 bytes as an (n, 2) array of u64 that compares as the bytes do."""
    return np.frombuffer(raw, dtype=">u8").reshape(-1, 2).astype(np.uint64)


def key_bytes(keys: np.ndarray) -> bytes:
    """The inverse of `key_halves`: 16 bytes a key."""
    return keys.astype(">u8").tobytes()


class KeyList(Sequence[bytes]):
    """Keys as 16-byte texts, made when they are asked for."""

    def __init__(self, halves: np.ndarray) -> None:
        self._halves = halves

    def __len__(self) -> int:
        return len(self._halves)

    def __getitem__(self, at):  # type: ignore[no-untyped-def]
        if isinstance(at, slice):
            return KeyList(self._halves[at])
        return key_bytes(self._halves[at])


def sort_order(keys: np.ndarray, moments: Moments) -> np.ndarray | None:
    """The permutation that puts rows in order, or None where they are in order already.

    `keys` is (rows, 2). Rows that are equal in all respects keep their order.
    """
    keys = read_only(keys)
    moments = Moments(*map(read_only, moments))
    if _is_sorted(keys, *moments):
        return None
    order = _by_key(keys)
    _sort_subjects(order, keys, *moments)
    return order


def is_sorted(keys: np.ndarray) -> bool:
    """Whether every key is above the one before it."""
    return bool(_ascends(read_only(keys)))


def take_keys(keys: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The keys at these places."""
    return _take_keys(read_only(keys), read_only(places))


def run_starts(keys: np.ndarray) -> np.ndarray:
    """Where each subject begins in sorted rows, and at the end the number of rows."""
    if len(keys) == 0:
        return np.zeros(1, np.int64)
    change = (keys[1:, 0] != keys[:-1, 0]) | (keys[1:, 1] != keys[:-1, 1])
    return np.concatenate(([0], np.flatnonzero(change) + 1, [len(keys)])).astype(np.int64)


def merge_order(runs: Sequence[Run]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Several runs as one: the keys, the starts, and for each row its place in the runs laid end
    to end. All runs have moments."""
    keys, begins, ends = _blocks(runs)
    moments = map(read_only, joined_moments(runs))
    return _lay_out(_by_key_of_runs(keys, runs), keys, begins, ends, *moments)


def append_order(runs: Sequence[Run]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Several runs as one, where those of a subject follow each other in time as they are given:
    the keys, the starts, and for each block of each run the place of its first row."""
    keys = read_only(np.concatenate([run.keys for run in runs]))
    lengths = np.concatenate([np.diff(run.starts) for run in runs])
    return _place_blocks(_by_key_of_runs(keys, runs), keys, read_only(lengths))


def joined_moments(runs: Sequence[Run]) -> Moments:
    """The moments of the runs laid end to end."""
    each = zip(*(run.moments for run in runs if run.moments is not None), strict=True)
    return Moments(*(np.concatenate(arrays) for arrays in each))


def _blocks(runs: Sequence[Run]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keys and row spans of all subjects' blocks, in the runs laid end to end."""
    bases = np.cumsum([0, *(int(run.starts[-1]) for run in runs)])
    shifted = [run.starts + base for run, base in zip(runs, bases, strict=False)]
    return (
        read_only(np.concatenate([run.keys for run in runs])),
        read_only(np.concatenate([starts[:-1] for starts in shifted])),
        read_only(np.concatenate([starts[1:] for starts in shifted])),
    )


def _by_key_of_runs(keys: np.ndarray, runs: Sequence[Run]) -> np.ndarray:
    """The order of all runs' blocks by key, those of one key in the order of runs."""
    if len(runs) > _RUNS_MERGED or not all(is_sorted(run.keys) for run in runs):
        return read_only(_by_key(keys))
    ends = np.cumsum([0, *(len(run.keys) for run in runs)])
    return read_only(_merge_keys(keys, read_only(ends)))


# With more runs than this, sorting beats looking at the head of each.
_RUNS_MERGED = 8


def _by_key(keys: np.ndarray) -> np.ndarray:
    order = np.argsort(keys[:, 0], kind="stable")
    # Keys are hashes, so that halves hardly ever collide; where they do, both halves count.
    collide = _collide(read_only(order), keys)
    return np.lexsort((keys[:, 1], keys[:, 0])) if collide else order


@njit(cache=True, nogil=True)
def _ascends(keys):  # type: ignore[no-untyped-def]
    for at in range(1, len(keys)):  # noqa: SIM110  (Numba compiles no generator.)
        if not _key_before(keys, at - 1, at):
            return False
    return True


@njit(cache=True, nogil=True, inline="always")
def _key_before(keys, left, right):  # type: ignore[no-untyped-def]
    if keys[left, 0] != keys[right, 0]:
        return keys[left, 0] < keys[right, 0]
    return keys[left, 1] < keys[right, 1]


@njit(cache=True, nogil=True)
def _take_keys(keys, places):  # type: ignore[no-untyped-def]
    taken = np.empty((len(places), 2), np.uint64)
    for at in range(len(places)):
        taken[at, 0] = keys[places[at], 0]
        taken[at, 1] = keys[places[at], 1]
    return taken


@njit(cache=True, nogil=True)
def _merge_keys(keys, ends):  # type: ignore[no-untyped-def]
    """Ascending runs of keys, run i from ends[i] to ends[i+1], as one order."""
    order = np.empty(len(keys), np.int64)
    heads = ends[:-1].copy()
    for at in range(len(keys)):
        least = -1
        for run in range(len(heads)):
            if heads[run] < ends[run + 1] and (
                least < 0 or _key_before(keys, heads[run], heads[least])
            ):
                least = run
        order[at] = heads[least]
        heads[least] += 1
    return order


@njit(cache=True, nogil=True)
def _collide(order, keys):  # type: ignore[no-untyped-def]
    for at in range(1, len(order)):
        left, right = order[at - 1], order[at]
        if keys[left, 0] == keys[right, 0] and keys[left, 1] != keys[right, 1]:
            return True
    return False


@njit(cache=True, nogil=True)
def _is_sorted(keys, time, seq, order):  # type: ignore[no-untyped-def]
    for row in range(1, len(time)):
        if keys[row, 0] != keys[row - 1, 0]:
            if keys[row, 0] < keys[row - 1, 0]:
                return False
        elif keys[row, 1] != keys[row - 1, 1]:
            if keys[row, 1] < keys[row - 1, 1]:
                return False
        elif _before(row, row - 1, time, seq, order):
            return False
    return True


@njit(cache=True, nogil=True, inline="always")
def _before(left, right, time, seq, order):  # type: ignore[no-untyped-def]
    if time[left] != time[right]:
        return time[left] < time[right]
    if seq[left] != seq[right]:
        return seq[left] < seq[right]
    return order[left] < order[right]


@njit(cache=True, nogil=True)
def _sort_subjects(places, keys, time, seq, order):  # type: ignore[no-untyped-def]
    """Rows stand by key; put the rows of each subject in order."""
    spare = np.empty_like(places)
    start = 0
    for row in range(1, len(places) + 1):
        if (
            row == len(places)
            or keys[places[row], 0] != keys[places[start], 0]
            or keys[places[row], 1] != keys[places[start], 1]
        ):
            _sort_rows(places, spare, start, row, time, seq, order)
            start = row


@njit(cache=True, nogil=True)
def _sort_rows(places, spare, start, end, time, seq, order):  # type: ignore[no-untyped-def]
    """A stable merge sort that takes sorted stretches as it finds them: linear where sorted."""
    merged = True
    while merged:
        merged = False
        left = start
        while left < end:
            middle = _stretch_end(places, left, end, time, seq, order)
            if middle == end:
                break
            right = _stretch_end(places, middle, end, time, seq, order)
            _merge(places, spare, left, middle, right, time, seq, order)
            merged = True
            left = right


@njit(cache=True, nogil=True)
def _stretch_end(places, start, end, time, seq, order):  # type: ignore[no-untyped-def]
    at = start + 1
    while at < end and not _before(places[at], places[at - 1], time, seq, order):
        at += 1
    return at


@njit(cache=True, nogil=True)
def _merge(places, spare, left, middle, right, time, seq, order):  # type: ignore[no-untyped-def]
    spare[left:middle] = places[left:middle]
    one, two, to = left, middle, left
    while one < middle and two < right:
        if _before(places[two], spare[one], time, seq, order):
            places[to] = places[two]
            two += 1
        else:
            places[to] = spare[one]
            one += 1
        to += 1
    while one < middle:
        places[to] = spare[one]
        one += 1
        to += 1


@njit(cache=True, nogil=True)
def _place_blocks(order, keys, lengths):  # type: ignore[no-untyped-def]
    """Blocks of one key one after the other."""
    targets = np.empty(len(order), np.int64)
    starts = np.empty(len(order) + 1, np.int64)
    kept = np.empty((len(order), 2), np.uint64)
    subjects = 0
    to = 0
    for at in range(len(order)):
        block = order[at]
        if (
            at == 0
            or keys[block, 0] != kept[subjects - 1, 0]
            or keys[block, 1] != kept[subjects - 1, 1]
        ):
            starts[subjects] = to
            kept[subjects, 0] = keys[block, 0]
            kept[subjects, 1] = keys[block, 1]
            subjects += 1
        targets[block] = to
        to += lengths[block]
    starts[subjects] = to
    return kept[:subjects], starts[: subjects + 1], targets


@njit(cache=True, nogil=True)
def _lay_out(blocks, keys, begins, ends, time, seq, order):  # type: ignore[no-untyped-def]
    """Rows of each subject one after the other; sorted where blocks do not follow in time."""
    kept, starts, targets = _place_blocks(blocks, keys, ends - begins)
    places = np.empty(len(time), np.int64)
    for block in range(len(begins)):
        to = targets[block]
        for row in range(begins[block], ends[block]):
            places[to] = row
            to += 1
    spare = np.empty(len(time), np.int64)
    for subject in range(len(kept)):
        _sort_rows(places, spare, starts[subject], starts[subject + 1], time, seq, order)
    return kept, starts, places
