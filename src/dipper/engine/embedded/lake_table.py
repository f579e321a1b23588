"""A Delta table whose Parquet files we write ourselves: commits, positions, locks, removal.

Every change is one Delta commit of added and removed files. Two kinds of app transaction make it
safe: `partition-<n>` holds the position up to which a log partition is in the table (exactly
once), and `rewrite` counts the commits that replace files, so that of two that began from the
same version only one succeeds. Of the rows the Delta log holds number and first and last time a
file, and nothing that says whose they are.

Two advisory locks in the folder order the processes: who writes files holds `writing` shared from
the first byte to the commit, who deletes what no version needs holds it alone; rewriters exclude
each other by `rewriting`.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Field, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, PostCommitHookProperties, RemoveAction

from dipper.engine.embedded.folder_lock import FolderLock
from dipper.engine.embedded.lake_file import (
    FEW_VALUES,
    columns_of,
    filled_columns,
    new_name,
    read_file,
    sync,
    write_file,
)
from dipper.engine.embedded.lake_properties import completed, promote
from dipper.engine.embedded.lake_torn import torn_files
from dipper.kit.clock import SECOND_US, Clock, from_datetime, to_iso
from dipper.kit.errors import Conflict, Unavailable

CHECKPOINT_COMMITS = 100
KEEP_REMOVED_S = 600
"""Removed files stay this long for readers of an earlier version."""

SPILL = "_spill"
"""Folder of a bulk import's unsorted parts; empty when none runs."""

_REWRITE = "rewrite"
_PARTITIONS = "partitions"
_CONFIGURATION = {
    # We write checkpoints ourselves, to sync them.
    "delta.checkpointInterval": str(CHECKPOINT_COMMITS),
    "delta.logRetentionDuration": "interval 1 hours",
    "delta.deletedFileRetentionDuration": "interval 1 hours",
}
_NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


@dataclass(frozen=True)
class TableFile:
    """A live file: path inside the table's folder, its partition values, rows, bytes, and the
    first and last time of its rows."""

    path: str
    values: Mapping[str, str | None]
    rows: int
    size: int
    first_us: int
    last_us: int

    @property
    def columns(self) -> int:
        """How many of the table's columns it was written with."""
        return columns_of(self.path)


@dataclass(frozen=True)
class Committed:
    """A version of the table: its live files and how far each log partition has come."""

    version: int
    files: tuple[TableFile, ...]
    positions: dict[int, int]
    rewrites: int


class CommittedFirst(Conflict):
    """Another writer has taken the same positions, replaced files or added columns meanwhile."""


class LakeTable:
    """One Delta table in a folder. Safe for one user a thread; open one in each process."""

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        partition_by: Sequence[str],
        moment: str,
        clock: Clock,
    ) -> None:
        """`schema` lists the columns in the files' order; partition columns that are not among
        them are added in front. `moment` is the column of time by which files are told apart.
        Opens or creates the table, and adds missing columns."""
        self.folder = Path(folder)
        self.partition_by = list(partition_by)
        self._moment = moment
        self._clock = clock
        self._log = self.folder / "_delta_log"
        self._writing = FolderLock(self.folder / "_writing.lock", "the lake is being written.")
        self._rewriting = FolderLock(
            self.folder / "_rewriting.lock", "the lake is being compacted or erased."
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        if not DeltaTable.is_deltatable(str(self.folder)):
            self._create_table(schema)
        self._recover()
        self._delta = DeltaTable(str(self.folder))
        self.declare(schema)

    def _create_table(self, schema: pa.Schema) -> None:
        front = [
            pa.field(name, pa.int32() if name == "bucket" else pa.string())
            for name in self.partition_by
            if name not in schema.names
        ]
        with self._rewriting.alone():
            if not DeltaTable.is_deltatable(str(self.folder)):
                DeltaTable.create(
                    str(self.folder),
                    schema=Schema.from_arrow(pa.schema([*front, *schema])),
                    partition_by=self.partition_by,
                    configuration={
                        **_CONFIGURATION,
                        "delta.dataSkippingStatsColumns": self._moment,
                    },
                )
                self._sync_log(0)

    def _recover(self) -> None:
        """Drop what a machine that went down left unfinished."""
        if torn_files(self._log):
            with self._writing.alone():
                for path in torn_files(self._log):
                    path.unlink(missing_ok=True)
                sync(self._log)

    # --- reading ----------------------------------------------------------------------------

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of files written now."""
        fields = pa.schema(self._delta.schema().to_arrow())
        only_partition = [name for name in self.partition_by if name != "kind"]
        return pa.schema([field for field in fields if field.name not in only_partition])

    def read(self) -> Committed:
        """The newest version."""
        self.refresh()
        actions = pa.table(self._delta.get_add_actions(flatten=True)).to_pylist()
        files = [
            TableFile(
                path=action["path"],
                values={
                    name: None if (value := action[f"partition.{name}"]) is None else str(value)
                    for name in self.partition_by
                },
                rows=action["num_records"],
                size=action["size_bytes"],
                first_us=from_datetime(action[f"min.{self._moment}"]),
                last_us=from_datetime(action[f"max.{self._moment}"]),
            )
            for action in actions
        ]
        files.sort(key=lambda file: file.path)
        return Committed(
            version=self._delta.version(),
            files=tuple(files),
            positions=self._positions(),
            rewrites=self._delta.transaction_version(_REWRITE) or 0,
        )

    def _positions(self) -> dict[int, int]:
        count = self._delta.transaction_version(_PARTITIONS) or 0
        found = {n: self._delta.transaction_version(f"partition-{n}") for n in range(count)}
        return {partition: at for partition, at in found.items() if at is not None}

    def load(self, file: TableFile, schema: pa.Schema) -> pa.Table:
        """All rows of a file with the columns of `schema` (those of the table, or their first)
        that have a value in some row. Texts of few values come as codes; properties that were
        not declared yet come out of `extra`."""
        known = schema.names[: file.columns]
        filled = [name for name in filled_columns(self.folder / file.path) if name in known]
        table = read_file(self.folder / file.path, filled, FEW_VALUES.intersection(filled))
        late = pa.schema([field for field in schema if field.name not in known])
        return promote(table, late) if "extra" in filled and len(late) else table

    def refresh(self) -> None:
        """Come to the newest version, whatever happened to the log meanwhile."""
        try:
            self._delta.update_incremental()
        except DeltaError:
            # The entries between our version and the newest are gone: read it anew.
            self._delta = DeltaTable(str(self.folder))

    # --- writing ----------------------------------------------------------------------------

    def writing(self) -> AbstractContextManager[None]:
        """Held from the first byte of a new file to its commit."""
        return self._writing.shared()

    def rewriting(self) -> AbstractContextManager[None]:
        """Held by the one process that replaces files. Raises Unavailable while another does."""
        return self._rewriting.alone(wait=False)

    def declare(self, schema: pa.Schema) -> None:
        """Add the columns that the table has not yet, at its end."""
        self.refresh()
        if set(schema.names) <= set(self.schema.names):
            return
        with self._rewriting.alone():
            self.refresh()
            known = set(self.schema.names)
            missing = pa.schema([field for field in schema if field.name not in known])
            added = [Field(f.name, f.type) for f in Schema.from_arrow(missing).fields]
            if added:
                self._delta.alter.add_columns(added, post_commithook_properties=_NO_HOOKS)
                self.refresh()
                self._sync_log(self._delta.version())

    def write(self, table: pa.Table, values: Mapping[str, str | None]) -> TableFile:
        """Write a file that no version knows yet; call inside `writing`. Columns that the rows
        have not are empty in the file."""
        table = completed(table, self.schema)
        place = [value for value in (values[name] for name in self.partition_by) if value]
        path = Path(*place, new_name(table.num_columns))
        size = write_file(table, self.folder / path)
        times = pc.min_max(table[self._moment].cast(pa.int64())).as_py()
        return TableFile(str(path), dict(values), table.num_rows, size, times["min"], times["max"])

    def commit(
        self,
        added: Sequence[TableFile],
        removed: Sequence[TableFile] = (),
        positions: Mapping[int, int] | None = None,
        base: Committed | None = None,
    ) -> int:
        """One commit; gives the version. `base` is the version that a rewrite began from.

        Raises CommittedFirst when another writer took the same positions or rewrote before us:
        nothing has changed then.
        """
        now_ms = self._clock() // 1_000
        actions: list[AddAction | RemoveAction] = [
            AddAction(
                file.path,
                file.size,
                dict(file.values),
                now_ms,
                base is None,
                self._statistics(file),
            )
            for file in added
        ]
        actions += [
            RemoveAction(file.path, False, now_ms, file.size, dict(file.values)) for file in removed
        ]
        transactions = self._transactions(positions or {})
        if base is not None:
            if (self._delta.transaction_version(_REWRITE) or 0) != base.rewrites:
                raise CommittedFirst("another rewrite came first.", where=str(self.folder))
            transactions.append(Transaction(_REWRITE, base.rewrites + 1))
        self._create(actions, transactions)
        for file in removed:
            # The time of removal: `sweep` keeps the file a while for readers.
            os.utime(self.folder / file.path, (now_ms / 1_000, now_ms / 1_000))
        return self._delta.version()

    def _statistics(self, file: TableFile) -> str:
        return json.dumps(
            {
                "numRecords": file.rows,
                "minValues": {self._moment: to_iso(file.first_us)},
                "maxValues": {self._moment: to_iso(file.last_us)},
                "nullCount": {self._moment: 0},
            }
        )

    def _transactions(self, positions: Mapping[int, int]) -> list[Transaction]:
        found = [Transaction(f"partition-{n}", at) for n, at in sorted(positions.items())]
        count = max(positions, default=-1) + 1
        if count > (self._delta.transaction_version(_PARTITIONS) or 0):
            found.append(Transaction(_PARTITIONS, count))
        return found

    def _create(
        self, actions: list[AddAction | RemoveAction], transactions: list[Transaction]
    ) -> None:
        try:
            self._delta.create_write_transaction(
                actions,
                "append",
                self._delta.schema(),
                self.partition_by,
                commit_properties=CommitProperties(app_transactions=transactions),
                post_commithook_properties=_NO_HOOKS,
            )
        except CommitFailedError as error:
            self.refresh()
            raise CommittedFirst(
                f"another writer committed first: {error}", where=str(self.folder)
            ) from error
        self.refresh()
        version = self._delta.version()
        self._sync_log(version)
        if version % CHECKPOINT_COMMITS == 0:
            self.checkpoint()
            self._delta.cleanup_metadata()

    def checkpoint(self) -> None:
        """Write the newest version as one file, on disk before anything relies on it."""
        self._delta.create_checkpoint()
        for path in (*self._log.glob("*.checkpoint*.parquet"), self._log / "_last_checkpoint"):
            sync(path)
        sync(self._log)

    def _sync_log(self, version: int) -> None:
        sync(self._log / f"{version:020d}.json")
        sync(self._log)

    # --- removal ----------------------------------------------------------------------------

    def sweep(self) -> int:
        """Delete files that the newest version has not and that were removed, or left behind by
        a crash, longer ago than readers need; gives a count. Does nothing while somebody writes."""
        try:
            with self._writing.alone(wait=False):
                return self._delete(older_than_s=self._clock() / SECOND_US - KEEP_REMOVED_S)
        except Unavailable:
            return 0

    def _delete(self, older_than_s: float) -> int:
        live = {file.path for file in self.read().files}
        found = 0
        for path in self.folder.rglob("*.parquet"):
            name = str(path.relative_to(self.folder))
            unknown = name not in live and not name.startswith("_delta_log")
            if unknown and path.stat().st_mtime < older_than_s:
                path.unlink()
                found += 1
        return found

    def forget_versions(self) -> None:
        """Leave nothing but the newest version: no older file, no older entry of the log."""
        with self._writing.alone():
            self.refresh()
            self.checkpoint()
            kept = self._delta.version()
            for path in self._log.iterdir():
                number = path.name.split(".", 1)[0]
                if number.isdigit() and int(number) < kept:
                    path.unlink()
            sync(self._log)
            self._delete(older_than_s=math.inf)
            shutil.rmtree(self.folder / SPILL, ignore_errors=True)
