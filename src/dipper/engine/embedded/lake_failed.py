"""Failed events in the lake: a small second table beside the timelines.

One row a failed record, by month, without subjects' order. An erasure empties the record of what
was sent and of whose it was, and leaves source, code and time: conservation counts records.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from dipper.engine.embedded import lake_erasure
from dipper.engine.embedded.lake_cluster import joined
from dipper.engine.embedded.lake_partition import month_codes, month_text, oldest_month
from dipper.engine.embedded.lake_schema import ROLE_COLUMNS, role_columns
from dipper.engine.embedded.lake_table import CommittedFirst, LakeTable, TableFile
from dipper.engine.ports import Position
from dipper.engine.record import FailedEvent
from dipper.kit.clock import Clock, system_clock

_TEXTS = ("source", "code", "reason", "path", "event", "message_id", "raw", "program")
_PERSONAL = ("reason", "path", "message_id", "raw")

SCHEMA = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("received", pa.timestamp("us", tz="UTC")),
        *((name, pa.string()) for name in _TEXTS),
        *((name, pa.string()) for name in ROLE_COLUMNS),
        ("subjects", pa.string()),
    ]
)

FILES_PER_MONTH = 64
"""More files of one month than this are written as one by the next compaction."""


def failed_rows(records: Sequence[tuple[Position, FailedEvent]]) -> pa.Table:
    """The rows of failed records."""
    events = [event for _, event in records]
    columns = {
        "partition": pa.array([position.partition for position, _ in records], pa.int32()),
        "offset": pa.array([position.offset for position, _ in records], pa.int64()),
        "received": pa.array([event.received_us for event in events], pa.int64()).cast(
            SCHEMA.field("received").type
        ),
        **{
            name: pa.array([getattr(event, name) or None for event in events], pa.string())
            for name in _TEXTS
        },
        **role_columns([event.subjects for event in events]),
    }
    return pa.Table.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


class FailedEvents:
    """The table of failed events. One user a thread; every process opens its own."""

    def __init__(self, folder: Path, clock: Clock = system_clock, threads: int = 0) -> None:
        self._clock = clock
        self._threads = threads or os.cpu_count() or 1
        self._table = LakeTable(folder, SCHEMA, ("month",), "received", clock)

    def append(self, rows: pa.Table, positions: Mapping[int, int]) -> int:
        """Add rows and the positions reached in one commit, each record once; gives the version."""
        with self._table.writing():
            while True:
                found = self._table.read()
                new = {p: at for p, at in positions.items() if at > found.positions.get(p, 0)}
                if not new:
                    return found.version
                reached = [found.positions.get(p, 0) for p in rows["partition"].to_pylist()]
                keep = rows["offset"].to_numpy() >= np.array(reached, np.int64)
                files = self._write(rows.filter(pa.array(keep)))
                try:
                    return self._table.commit(files, positions=new)
                except CommittedFirst:
                    for file in files:
                        (self._table.folder / file.path).unlink()

    def _write(self, rows: pa.Table) -> list[TableFile]:
        times = rows["received"].cast(pa.int64()).to_numpy()
        months = month_codes(times, oldest_month(self._clock()))
        return [
            self._table.write(
                rows.filter(pa.array(months == code)), {"month": month_text(int(code))}
            )
            for code in np.unique(months)
        ]

    def positions(self) -> dict[int, int]:
        """partition -> offset of the next record that the table has not."""
        return self._table.read().positions

    def files(self) -> list[str]:
        """Paths of the newest version's files."""
        return [str(self._table.folder / file.path) for file in self._table.read().files]

    def compact(self) -> int:
        """Write each month with many files as one; gives rows moved."""
        moved = 0
        with self._table.rewriting(), self._table.writing():
            found = self._table.read()
            months = {file.values["month"] for file in found.files}
            for month in sorted(month or "" for month in months):
                files = [file for file in found.files if (file.values["month"] or "") == month]
                if len(files) > FILES_PER_MONTH:
                    rows = joined([self._table.load(file, SCHEMA) for file in files])
                    added = self._table.write(rows, files[0].values)
                    self._table.commit([added], files, base=found)
                    found = self._table.read()
                    moved += added.rows
        self._table.sweep()
        return moved

    def erase(self, ids: Sequence[str], before_us: int | None = None) -> int:
        """Empty the records that name an id (those received before a moment only), and leave no
        older version. Gives the rows."""
        erased = pa.array(sorted(set(ids)), pa.string())

        def redact(_: Sequence[lake_erasure.Touched]) -> lake_erasure.Clean:
            return lambda rows, each: _emptied(rows, each.rows, erased)

        return lake_erasure.erase(self._table, ids, redact, self._threads, before_us)


def _emptied(rows: pa.Table, touched: np.ndarray, erased: pa.Array) -> pa.Table:
    hit = np.zeros(rows.num_rows, bool)
    hit[touched] = True
    rows = lake_erasure.without_ids(rows, erased, hit)
    return lake_erasure.emptied(rows, _PERSONAL, hit)
