"""One bulk import from the command line: through running gateways, or as the writer."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from dipper.app.keys import read_keys
from dipper.app.programs import applied
from dipper.app.served import Current, Programs, Served
from dipper.app.workspace import Workspace
from dipper.collect.counts import Counts
from dipper.collect.erasures import Erasures
from dipper.collect.subjects import named_in, partition_of
from dipper.engine.ports import Entry
from dipper.engine.record import RecordKind
from dipper.feed.mapping import Map
from dipper.kit.clock import Clock
from dipper.kit.errors import Conflict
from dipper.profile.erasure import tombstone
from dipper.surface.append import AsWriter, appender
from dipper.surface.beside import Beside, Progress
from dipper.surface.importing import Imported, Judging, judged
from dipper.surface.log_index import LogIndex, known_duplicates
from dipper.surface.worker.bulk_process import project_log
from dipper.surface.worker.lake_process import write_history

APPEND_RECORDS = 50_000
GATEWAY_RECORDS = 2_000
BESIDE_RECORDS = 100_000
"""From so many records on, two processes beside this one project and fill the lake meanwhile."""
_PROCESSES = ("dipper.surface.worker.bulk_process", "dipper.surface.worker.lake_process")


def by_partition(entries: list[Entry], partitions: int) -> dict[int, list[Entry]]:
    """Entries by the partition of their first id; what names nobody goes to the first."""
    if partitions == 1:
        return {0: entries}
    found: dict[int, list[Entry]] = {}
    for entry in entries:
        subjects = {} if entry[0] == RecordKind.CONTROL else named_in(entry[1])
        found.setdefault(partition_of(subjects, partitions), []).append(entry)
    return found


class BulkImport:
    """Reads files into the log and brings state and lake up to it."""

    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self._workspace = workspace
        self._clock = clock
        # Millions of records that refer to nothing: looking for cycles among them costs a third.
        gc.disable()
        current = applied(workspace)
        if current is None:
            raise Conflict(
                "nothing is applied yet, so nobody knows what the rows mean.",
                where=str(workspace.folder),
                hint=f"dipper apply {workspace.folder}",
            )
        self.served: Served = Programs(workspace).get(
            Current(current.program, dict(current.tables))
        )
        self._to: Any = appender(workspace, clock)
        self._is_writer = isinstance(self._to, AsWriter)
        self._reader = workspace.log.reader()
        partitions = self._reader.partitions()
        # One index judges for all partitions; whose an entry is it can tell only if there is one.
        duplicates = known_duplicates(workspace, is_saved=self._is_writer and partitions == 1)
        self._indexes = [LogIndex(workspace, k, duplicates) for k in range(partitions)]
        if self._is_writer:
            for index in self._indexes:
                index.open(self._reader)
        self._judging = Judging(self.served, duplicates, self._erasures())
        self._appended = 0
        self._beside: list[Beside] = []

    def _erasures(self) -> Erasures:
        """Whoever is erased is refused here too: a file does not bring a person back."""
        key = read_keys(self._workspace.keys_file).erasure_key
        with self._workspace.state.read() as view:
            erased = {mark for mark, _ in view.scan("erased")}

        def hash_if_erased(text: str) -> str | None:
            mark = tombstone(text, key)
            return mark.hex() if mark in erased else None

        return Erasures(hash_if_erased if erased else None)

    def read(self, path: Path, mapping: Map, progress: Progress = lambda done: None) -> Imported:
        """Append all rows of a file; gives what became of them."""
        total = Counts()
        waiting: list[Entry] = []
        for entries, counts in judged(path, mapping, self._judging, self._clock()):
            total = total.plus(counts)
            waiting += entries
            if len(waiting) >= APPEND_RECORDS:
                total = self._append(waiting, total)
                waiting = []
            progress(total.received)
        if waiting:
            total = self._append(waiting, total)
        return Imported(str(path), total)

    def _append(self, entries: list[Entry], total: Counts) -> Counts:
        """Append to the partitions; through a gateway copies are told apart there."""
        partitions = self._workspace.settings.storage.partitions
        for partition, part in by_partition(entries, partitions).items():
            if isinstance(self._to, AsWriter):
                self._to.append_bulk(partition, part)
                self._indexes[partition].landed(part)
                if self._indexes[partition].is_due:
                    self._indexes[partition].save_landed(self._reader)
                self._appended += len(part)
                continue
            controls = [entry for entry in part if entry[0] == RecordKind.CONTROL]
            if controls:
                self._to.append(partition, controls)
            judged_here = [entry for entry in part if entry[0] != RecordKind.CONTROL]
            for start in range(0, len(judged_here), GATEWAY_RECORDS):
                total = self._hand_over(
                    partition, judged_here[start : start + GATEWAY_RECORDS], total
                )
        if not self._beside and self._appended >= BESIDE_RECORDS:
            self._beside = [Beside(module, self._workspace.folder) for module in _PROCESSES]
        return total

    def _hand_over(self, partition: int, entries: list[Entry], total: Counts) -> Counts:
        """Let a gateway admit entries: what it says of them replaces what was said here."""
        good = sum(kind == RecordKind.EVENT for kind, _ in entries)
        total = total.plus(Counts(good=-good, failed=good - len(entries)))
        for counts in self._to.append_judged(partition, entries).values():
            total = total.plus(counts)
        return total

    def project(self, progress: Progress = lambda done: None) -> None:
        """Bring state and lake up to the log; a running worker does it by itself."""
        if not self._is_writer:
            return
        if self._beside:
            projecting, filling = self._beside
            projecting.finish()
            filling.finish(progress)
        else:
            project_log(self._workspace)
            write_history(self._workspace, progress=progress)

    def close(self) -> None:
        """Release log and state."""
        gc.enable()
        for index in self._indexes:
            index.save_landed(self._reader)
        self._reader.close()
        self._to.close()
        for process in self._beside:
            process.close()
        self._workspace.state.close()
