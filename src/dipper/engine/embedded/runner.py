"""Runs folds over the lake: buckets of subjects, a thread a core, no row sorted twice.

A bucket whose months hold one sorted run each is read in the order of its files. Several runs and
fresh rows are merged by (time, seq, order hash). Subjects whose rows belong to another key by the
identity of the question lie in several buckets: their rows are put aside while the buckets are
read and folded at the end, so that every subject comes once.
"""

from __future__ import annotations

import os
import queue
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from dipper.engine.embedded.lake_partition import FRESH, bucket_numbers
from dipper.engine.embedded.projection import Evaluated, Reader, part_of
from dipper.engine.embedded.row_blocks import WHERE, Rows, file_rows, merge, owned_rows
from dipper.engine.embedded.subject_map import Moves, Owners
from dipper.engine.embedded.timeline_order import KeyList
from dipper.engine.ports import Bucket, Column, Identity, LakeFile, Projection, Snapshot
from dipper.fold.timeline import Fold

R = TypeVar("R")
T = TypeVar("T")

NO_IDENTITY = Identity({})


class ReadableLake(Protocol):
    """What the runner needs of a lake."""

    buckets: dict[str, int]

    @property
    def schema(self) -> pa.Schema: ...

    def snapshot(self) -> Snapshot: ...


class EmbeddedRunner:
    """Implements the port Runner over one lake; each call reads the newest version."""

    def __init__(
        self, lake: ReadableLake, threads: int | None = None, identity: Identity = NO_IDENTITY
    ) -> None:
        self._lake = lake
        self._threads = threads or os.cpu_count() or 1
        self._identity = identity

    def with_identity(self, identity: Identity) -> EmbeddedRunner:
        """The same runner for another question: subjects are then who `identity` says."""
        return EmbeddedRunner(self._lake, self._threads, identity)

    def buckets(self, projection: Projection) -> Iterator[Bucket]:
        """All subjects with at least one row once each; buckets come in a fixed order.

        Raises BadInput for SQL that cannot be computed, Unavailable when the lake was rewritten.
        """
        return self._run(projection, lambda bucket: bucket)

    def fold(self, projection: Projection, fold: Fold[Any, R]) -> R:
        """The fold over all buckets: threads step, and their states are merged in order."""
        state = fold.start()
        for found in self._run(projection, lambda bucket: fold.step(fold.start(), bucket)):
            state = fold.merge(state, found)
        return fold.finish(state)

    def _run(self, projection: Projection, then: Callable[[Bucket], T]) -> Iterator[T]:
        question = _Question(self._lake, projection, self._identity, self._threads)
        with ThreadPoolExecutor(self._threads) as pool:
            yield from question.answers(pool, then)


class _Question:
    """One projection over one snapshot."""

    def __init__(
        self, lake: ReadableLake, projection: Projection, identity: Identity, threads: int
    ) -> None:
        files = [file for file in lake.snapshot().files if _in_window(file, projection)]
        self._kind = projection.kind
        self._count = lake.buckets.get(self._kind, 1)
        self._window = (projection.start_us, projection.end_us)
        self._has_where = projection.where.strip().upper() != "TRUE"
        condition = [Column(WHERE, projection.where, "bool", False)] if self._has_where else []
        parts = [part_of(column) for column in (*projection.columns, *condition)]
        self._texts = {p.column.name: p.vocabulary.texts for p in parts if p.vocabulary}
        self._names = [column.name for column in projection.columns]
        self._mine = [file for file in files if file.kind == self._kind]
        self._moves = Moves(identity)
        self._owners = None
        self._devices: list[LakeFile] = []
        if identity.owners is not None and identity.owners.num_rows and self._kind == "person":
            self._owners = Owners(identity.owners, identity.remap)
            self._devices = [file for file in files if file.kind == "device"]
        self._readers: queue.SimpleQueue[Reader] = queue.SimpleQueue()
        evaluated = Evaluated(parts)
        for _ in range(threads):
            self._readers.put(Reader(lake.schema, parts, evaluated))
        self._ahead = 2 * threads

    def answers(self, pool: ThreadPoolExecutor, then: Callable[[Bucket], T]) -> Iterator[T]:
        """What `then` makes of each bucket, in order."""
        fresh = self._fresh(pool)
        aside: list[Rows] = []

        def task(number: int) -> tuple[T | None, list[Rows]]:
            rows, moved = self._bucket(number, fresh.get(number))
            return (None if rows is None else then(self._as_bucket(rows))), moved

        numbers = sorted({file.bucket for file in self._mine if file.bucket != FRESH} | set(fresh))
        for found, moved in self._in_order(pool, task, numbers):
            aside += moved
            if found is not None:
                yield found
        for owned in self._in_order(pool, self._owned, self._devices):
            aside += owned
        yield from self._in_order(
            pool, lambda rows: then(self._as_bucket(merge(rows))), self._by_bucket(aside)
        )

    def _fresh(self, pool: ThreadPoolExecutor) -> dict[int, Rows]:
        """Fresh rows of the kind, by bucket."""
        files = [file for file in self._mine if file.bucket == FRESH]
        found = [rows for rows in pool.map(lambda file: self._read(file, True), files) if rows]
        if not found:
            return {}
        return merge(found, keep_moments=True).split(lambda keys: bucket_numbers(keys, self._count))

    def _bucket(self, number: int, fresh: Rows | None) -> tuple[Rows | None, list[Rows]]:
        """The bucket's rows that stay in it, and those that belong elsewhere."""
        files = sorted(
            (file for file in self._mine if file.bucket == number),
            key=lambda file: (file.first_us, file.path),
        )
        needs_moments = bool(self._moves) or fresh is not None or _overlap(files)
        parts = [self._read(file, needs_moments) for file in files]
        parts = [rows for rows in (*parts, fresh) if rows is not None and len(rows.keys)]
        moved = []
        if self._moves:
            divided = [self._divide(rows) for rows in parts]
            parts = [stay for stay, _ in divided if len(stay.keys)]
            moved = [away for _, away in divided if len(away.keys)]
        return (merge(parts) if parts else None), moved

    def _divide(self, rows: Rows) -> tuple[Rows, Rows]:
        is_moved, keys = self._moves.of(rows.keys)
        if not is_moved.any():
            return rows, rows.pick(is_moved)
        return rows.pick(~is_moved), rows.pick(is_moved)._replace(keys=keys)

    def _owned(self, file: LakeFile) -> list[Rows]:
        """The rows of a device file that belong to persons."""
        if self._owners is None:
            return []
        reader = self._readers.get()
        try:
            rows = owned_rows(reader, file.path, self._owners, self._window, self._has_where)
        finally:
            self._readers.put(reader)
        return [] if rows is None else [rows]

    def _read(self, file: LakeFile, needs_moments: bool) -> Rows | None:
        reader = self._readers.get()
        try:
            return file_rows(reader, file.path, needs_moments, self._window, self._has_where)
        finally:
            self._readers.put(reader)

    def _by_bucket(self, aside: list[Rows]) -> list[list[Rows]]:
        found: dict[int, list[Rows]] = defaultdict(list)
        for rows in aside:
            parts = rows.split(lambda keys: bucket_numbers(keys, self._count))
            for number, part in parts.items():
                found[number].append(part)
        return [found[number] for number in sorted(found)]

    def _as_bucket(self, rows: Rows) -> Bucket:
        columns = {name: rows.array(name) for name in self._names}
        return Bucket(KeyList(rows.keys), rows.starts, columns, self._texts)

    def _in_order(
        self, pool: ThreadPoolExecutor, task: Callable[[Any], T], items: Sequence[Any]
    ) -> Iterator[T]:
        """The results in the order of the items, a few tasks ahead of who takes them."""
        waiting: queue.SimpleQueue[Future[T]] = queue.SimpleQueue()
        for place, item in enumerate(items):
            waiting.put(pool.submit(task, item))
            if place >= self._ahead:
                yield waiting.get().result()
        while not waiting.empty():
            yield waiting.get().result()


def _in_window(file: LakeFile, projection: Projection) -> bool:
    after = projection.end_us is not None and file.first_us >= projection.end_us
    before = projection.start_us is not None and file.last_us < projection.start_us
    return not (after or before)


def _overlap(files: Sequence[LakeFile]) -> bool:
    """Whether two of the files, sorted by their first time, hold rows of the same time."""
    return any(after.first_us <= before.last_us for before, after in pairwise(files))
