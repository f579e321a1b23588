"""The five ports. Each engine implements them and inherits the suite in `engine.conformance`.

Frozen records cross a port, never a driver's objects. Positions are (partition, offset); an
offset counts the records of a partition from 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from dipper.engine.record import RecordKind
from dipper.fold.timeline import Fold

R = TypeVar("R")


class Position(NamedTuple):
    """Where a record stands."""

    partition: int
    offset: int


class Record(NamedTuple):
    """One record as read. After an erasure `payload` is empty and `erased` is true."""

    partition: int
    offset: int
    kind: RecordKind
    received_us: int
    payload: bytes
    erased: bool


class Entry(NamedTuple):
    """One record to append."""

    kind: RecordKind
    payload: bytes


# --- log ------------------------------------------------------------------------------------


class LogWriter(Protocol):
    """The only writer of one partition."""

    partition: int

    def append(
        self, entries: Sequence[Entry], received_us: int, *, reserve: bool = False
    ) -> Future[int]:
        """Queue entries; the future gives the offset of the first once all are on disk.

        `reserve` may use the room that is kept for decision traces when the disk is full. Raises
        Unavailable (in the future) when they could not be made durable.
        """

    def close(self) -> None:
        """Sync, mark the stop as clean and release the partition."""


class LogReader(Protocol):
    """Reads synced records only; any number of readers in any process."""

    def partitions(self) -> int: ...

    def end(self, partition: int) -> int:
        """The number of synced records of the partition."""

    def read(self, partition: int, start: int, limit: int) -> list[Record]:
        """At most `limit` synced records from offset `start`."""


@dataclass(frozen=True)
class Damage:
    """One place where stored bytes are not what was written."""

    partition: int
    offset: int
    where: str
    what: str


class LogCustodian(Protocol):
    """Maintenance while no writer holds the partition, or through the writer's own process."""

    def erase(self, positions: Sequence[Position]) -> int:
        """Remove payload and salt of the records; header, digest and order stay. Gives a count."""

    def verify(self) -> list[Damage]:
        """Check every CRC, digest and the chain of files."""


# --- subject state --------------------------------------------------------------------------


class StateReader(Protocol):
    """A consistent view; keep it no longer than one request."""

    def get(self, table: str, key: bytes) -> bytes | None: ...

    def view(self, table: str, key: bytes) -> memoryview | bytes | None:
        """Like `get` without a copy, valid only as long as the reader."""

    def scan(
        self, table: str, start: bytes = b"", end: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with start <= key < end in key order."""

    def positions(self) -> dict[int, int]:
        """partition -> offset of the next record to project."""


Changes = Mapping[str, Mapping[bytes, bytes | None]]
"""table -> key -> value; None deletes."""


class SubjectState(Protocol):
    """A projection with point reads, one writer process."""

    def read(self) -> AbstractContextManager[StateReader]: ...

    def write(self, changes: Changes, positions: Mapping[int, int]) -> None:
        """Apply all changes and the positions reached in one transaction."""

    def dump_digest(self) -> str:
        """SHA-256 over all tables, keys and values in order, and the positions."""

    def compact(self) -> None:
        """Rewrite the store so that no deleted value remains in free pages."""

    def snapshot(self, folder: Path) -> None:
        """A synced compact copy with its positions."""

    def clear(self) -> None:
        """Forget everything (before a rebuild)."""

    def close(self) -> None: ...


# --- lake -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Snapshot:
    """One version of the lake's timelines: files per partition, as paths."""

    version: int
    positions: dict[int, int]
    files: tuple[LakeFile, ...]


@dataclass(frozen=True)
class LakeFile:
    """One sorted Parquet file and the first and last event time in it.

    Bucket -1 holds fresh rows of all buckets and months; its month is empty.
    """

    path: str
    kind: str
    month: str
    bucket: int
    rows: int
    first_us: int
    last_us: int


class Lake(Protocol):
    """All history: one row a record and subject, view `events` one row a record."""

    def append(self, rows: pa.Table, positions: Mapping[int, int]) -> int:
        """Add fresh rows and the positions reached in one commit; a position below what the table
        has already reached adds nothing. Gives the version."""

    def append_sorted(self, rows: pa.Table, positions: Mapping[int, int]) -> int:
        """Bulk: cluster the rows and add them as sorted runs in one commit."""

    def compact(self) -> int:
        """Fold fresh files into sorted runs of their partitions. Gives rows moved."""

    def positions(self) -> dict[int, int]: ...

    def snapshot(self) -> Snapshot: ...

    def erase(self, ids: Sequence[str], before_us: int | None = None) -> int:
        """Remove the ids' role columns and rows (received before a moment) from every file and old
        version. Gives rows."""


# --- runner ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A projected column: `sql` over the lake's columns, delivered as `dtype` (NULL -> `null`).

    `dtype` is a numpy name (`int64`, `float64`, `uint8`, `bool` ...) or `text`. The SQL is DuckDB's
    and looks at its own row only; a bare column of moments gives µs.
    """

    name: str
    sql: str
    dtype: str
    null: Any = 0


@dataclass(frozen=True)
class Projection:
    """What a fold reads: rows of one subject kind in subject and timeline order."""

    kind: str
    columns: tuple[Column, ...]
    where: str = "TRUE"
    start_us: int | None = None
    end_us: int | None = None


@dataclass(frozen=True)
class Identity:
    """Who is one subject today, for rows that keep the subject key of their writing.

    `remap` gives today's key where it is another one. `owners` gives device rows to persons:
    columns `device`, `claim` (NULL: whatever was claimed), `person` (16-byte keys), `from_us`
    (inclusive), `to_us` (exclusive); rows without claim of one device do not overlap.
    """

    remap: Mapping[bytes, bytes]
    owners: pa.Table | None = None


class Bucket(NamedTuple):
    """One bucket's arrays. `subjects` are row starts (n+1), so subject i is rows s[i]:s[i+1].

    `keys` are the subjects' 16-byte keys; `columns` are aligned arrays in timeline order. A column
    of dtype `text` holds codes into `texts[name]`, -1 for NULL; codes of two buckets may differ.
    """

    keys: Sequence[bytes]
    subjects: np.ndarray
    columns: dict[str, np.ndarray]
    texts: Mapping[str, Sequence[str]] = MappingProxyType({})


class Runner(Protocol):
    """Runs a pure fold over every bucket, a thread per core."""

    def buckets(self, projection: Projection) -> Iterator[Bucket]:
        """All subjects with at least one row once each, whatever bucket or file the rows lie in."""

    def fold(self, projection: Projection, fold: Fold[Any, R]) -> R:
        """The fold over all buckets; threads step, and their states are merged."""


# --- control --------------------------------------------------------------------------------


class ControlStore(Protocol):
    """Small transactional facts of the control plane: key spaces of JSON documents."""

    def put(self, space: str, key: str, document: Mapping[str, Any]) -> None: ...

    def get(self, space: str, key: str) -> dict[str, Any] | None: ...

    def items(self, space: str) -> list[tuple[str, dict[str, Any]]]: ...

    def delete(self, space: str, key: str) -> None: ...

    def close(self) -> None: ...
