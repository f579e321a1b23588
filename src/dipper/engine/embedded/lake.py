"""The embedded lake: all history as sorted Parquet runs in a Delta table on local disk (ADR 0005).

Fresh rows come at most once a second and lie in bucket -1, sorted in their small files. Bulk rows
are clustered at once. A compaction folds fresh files into the sorted runs of their partitions, in
one commit that leaves alone what others append meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dipper.engine.embedded import lake_erasure
from dipper.engine.embedded.compaction import NewRun, partition_of, plan
from dipper.engine.embedded.lake_cluster import (
    Cut,
    Spill,
    in_order,
    joined,
    lean,
    read_part,
    slices,
)
from dipper.engine.embedded.lake_partition import (
    BUCKETS,
    FRESH,
    Partition,
    fixed_buckets,
    oldest_month,
)
from dipper.engine.embedded.lake_properties import completed, promote
from dipper.engine.embedded.lake_schema import PARTITIONS, timelines_schema
from dipper.engine.embedded.lake_table import (
    SPILL,
    Committed,
    CommittedFirst,
    LakeTable,
    TableFile,
)
from dipper.engine.ports import LakeFile, Snapshot
from dipper.kit.clock import Clock, system_clock
from dipper.kit.errors import BadInput, Conflict

COMPACTION_ROWS = 2_000_000
"""Fresh rows of one commit of a compaction."""

_ATTEMPTS = 10


class EmbeddedLake:
    """Implements the port Lake. One user a thread; every process opens its own."""

    def __init__(
        self,
        folder: Path,
        properties: Mapping[str, str] | None = None,
        buckets: Mapping[str, int] | None = None,
        personal: Iterable[str] = (),
        clock: Clock = system_clock,
        threads: int | None = None,
    ) -> None:
        """`properties` are the declared ones (name -> type), `personal` those of them whose
        values an erasure takes from shared rows. `buckets` counts for a new lake only."""
        self.personal = frozenset(personal)
        self._clock = clock
        self._threads = threads or os.cpu_count() or 1
        self._table = LakeTable(
            folder, timelines_schema(properties or {}), PARTITIONS, "time", clock
        )
        self.buckets = fixed_buckets(Path(folder), buckets or BUCKETS)

    def declare(self, properties: Mapping[str, str], personal: Iterable[str] = ()) -> None:
        """Add the columns of newly declared properties; what came before is still found."""
        self._table.declare(timelines_schema(properties))
        self.personal = self.personal | frozenset(personal)

    # --- reading ----------------------------------------------------------------------------

    @property
    def schema(self) -> pa.Schema:
        """The columns of rows that are appended now."""
        return self._table.schema

    def positions(self) -> dict[int, int]:
        """partition -> offset of the next record that the lake has not."""
        return self._table.read().positions

    def snapshot(self) -> Snapshot:
        """The newest version: what a question reads from beginning to end."""
        found = self._table.read()
        return Snapshot(
            version=found.version,
            positions=found.positions,
            files=tuple(
                LakeFile(
                    path=str(self._table.folder / file.path),
                    kind=partition.kind,
                    month=partition.month,
                    bucket=partition.bucket,
                    rows=file.rows,
                    first_us=file.first_us,
                    last_us=file.last_us,
                )
                for file in found.files
                for partition in (partition_of(file),)
            ),
        )

    # --- adding -----------------------------------------------------------------------------

    def append(self, rows: pa.Table, positions: Mapping[int, int]) -> int:
        """Add fresh rows and the positions reached; gives the version.

        A row that lies before the position its log partition has already reached is left out, so
        that a repeated append adds nothing.
        """
        return self._add(positions, [rows], self._fresh)

    def append_sorted(
        self, rows: pa.Table | Iterable[pa.Table], positions: Mapping[int, int]
    ) -> int:
        """Bulk: one sorted run for each partition that the rows touch, in one commit; gives the
        version. Many tables may come one after the other; they need not fit into memory, and
        `positions` is read when the last of them has come, so that it may grow with them."""
        tables = [rows] if isinstance(rows, pa.Table) else rows
        return self._add(positions, tables, self._clustered)

    def _add(
        self,
        positions: Mapping[int, int],
        tables: Iterable[pa.Table],
        write: Callable[[Iterator[pa.Table]], list[TableFile]],
    ) -> int:
        with self._table.writing():
            found = self._table.read()
            files: list[TableFile] | None = None
            for _ in range(_ATTEMPTS):
                if files is None:
                    files = write(self._ahead(tables, positions, found))
                new = {p: at for p, at in positions.items() if at > found.positions.get(p, 0)}
                if not new:
                    self._discard(files)
                    return found.version
                try:
                    return self._table.commit(files, positions=new)
                except CommittedFirst:
                    before, found = found.positions, self._table.read()
                    if any(found.positions.get(p) != before.get(p) for p in new):
                        # What another writer added meanwhile is not ours to add again.
                        self._discard(files)
                        if not isinstance(tables, Sequence):
                            raise
                        files = None
            raise Conflict("other writers always came first.", where=str(self._table.folder))

    def _ahead(
        self, tables: Iterable[pa.Table], positions: Mapping[int, int], found: Committed
    ) -> Iterator[pa.Table]:
        """The rows at or behind what each log partition has reached, with the lake's columns."""
        for table in tables:
            partitions = table["partition"].to_numpy()
            reached = np.zeros(table.num_rows, np.int64)
            for partition in np.unique(partitions).tolist():
                if partition not in positions:
                    raise BadInput(
                        f"rows of log partition {partition} come without its position.",
                        where="lake",
                        hint="Positions say up to where each log partition is in the lake.",
                    )
                reached[partitions == partition] = found.positions.get(partition, 0)
            keep = table["offset"].to_numpy() >= reached
            if keep.any():
                whole = self._aligned(table)
                yield whole if keep.all() else whole.filter(pa.array(keep))

    def _aligned(self, table: pa.Table) -> pa.Table:
        schema = self.schema
        unknown = [name for name in table.column_names if name not in schema.names]
        if unknown:
            raise BadInput(
                f"the lake has no column {', '.join(unknown)}.",
                where="lake",
                hint="Declare the properties first.",
            )
        late = pa.schema([field for field in schema if field.name not in table.column_names])
        whole = completed(promote(table, late) if len(late) else table, schema).cast(schema)
        return lean(whole)

    def _discard(self, files: Sequence[TableFile]) -> None:
        for file in files:
            (self._table.folder / file.path).unlink()

    def _fresh(self, tables: Iterator[pa.Table]) -> list[TableFile]:
        files = []
        for table in tables:
            for kind in table["kind"].unique().to_pylist():
                mine = table.filter(pc.equal(table["kind"], kind))
                files.append(self._write(Partition(kind, "", FRESH), in_order(mine)))
        return files

    def _clustered(self, tables: Iterator[pa.Table]) -> list[TableFile]:
        parts = slices(tables)
        head = list(islice(parts, 2))
        with ThreadPoolExecutor(self._threads) as pool:
            if len(head) < 2:
                return [file for table in head for file in self._write_cut(table, pool.map)]
            with Spill(self._table.folder / SPILL, self.buckets) as spill:
                for table in (*head, *parts):
                    spill.add(table)
                written = pool.map(lambda path: self._write_cut(read_part(path)), spill.parts())
                return [file for files in written for file in files]

    def _write_cut(
        self, table: pa.Table, each: Callable[..., Iterable[TableFile]] = map
    ) -> list[TableFile]:
        cut = Cut(table, self.buckets, oldest_month(self._clock()))
        return list(each(lambda part: self._write(part[0], cut.rows(part[1])), cut.parts))

    def _write(self, partition: Partition, rows: pa.Table) -> TableFile:
        values = {
            "kind": partition.kind,
            "month": partition.month or None,
            "bucket": str(partition.bucket),
        }
        return self._table.write(rows, values)

    # --- rewriting --------------------------------------------------------------------------

    def compact(self) -> int:
        """Fold fresh files into sorted runs, retire old months, bound the number of files;
        delete what readers no longer need. Gives the fresh rows moved.

        Raises Unavailable while another process compacts or erases.
        """
        moved = 0
        with self._table.rewriting(), self._table.writing():
            found = self._table.read()
            for fresh in _groups(found.files) or [[]]:
                moved += sum(file.rows for file in fresh)
                self._compact(found, fresh)
                found = self._table.read()
        self._table.sweep()
        return moved

    def _compact(self, found: Committed, fresh: Sequence[TableFile]) -> None:
        oldest = oldest_month(self._clock())
        with ThreadPoolExecutor(self._threads) as pool:
            cut = Cut(self._read(fresh, pool.map), self.buckets, oldest)
            places = dict(cut.parts)
            gone = {file.path for file in fresh}
            runs = plan(places, [file for file in found.files if file.path not in gone], oldest)

            def written(run: NewRun) -> TableFile:
                mine = places.get(run.partition)
                rows = [] if mine is None else [cut.rows(mine)]
                if run.inputs:
                    rows = [in_order(joined([*rows, self._read(run.inputs)]))]
                return self._write(run.partition, rows[0])

            added = list(pool.map(written, runs))
        if added:
            removed = [*fresh, *(file for run in runs for file in run.inputs)]
            self._table.commit(added, removed, base=found)

    def _read(
        self, files: Sequence[TableFile], each: Callable[..., Iterable[pa.Table]] = map
    ) -> pa.Table:
        schema = self.schema
        tables = list(each(lambda file: self._table.load(file, schema), files))
        return joined(tables, each) if tables else schema.empty_table()

    def erase(self, ids: Sequence[str], before_us: int | None = None) -> int:
        """Remove the ids' own rows, and their role and personal properties from the rows of
        others (those received before a moment only); then everything older than the newest
        version. Gives the rows concerned.

        Raises Unavailable while another process compacts or erases.
        """
        redact = lake_erasure.redact_timelines(self._table, ids, self.personal)
        return lake_erasure.erase(self._table, ids, redact, self._threads, before_us)


def _groups(files: Sequence[TableFile]) -> list[list[TableFile]]:
    """Fresh files in groups of about COMPACTION_ROWS rows."""
    groups: list[list[TableFile]] = []
    rows = COMPACTION_ROWS
    for file in files:
        if partition_of(file).bucket == FRESH:
            if rows >= COMPACTION_ROWS:
                groups.append([])
                rows = 0
            groups[-1].append(file)
            rows += file.rows
    return groups
