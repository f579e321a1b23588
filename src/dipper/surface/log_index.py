"""What the writer of a partition must know of its log: which events are in it, and what its control
records say. Kept in files beside the log, so that a start reads only the records behind them.

All of it is a projection of the log: without the files it is read from the beginning. Only what is
on disk in the log may be saved here; `offset` of a mark says up to which record it is all here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import structlog

from dipper.app.keys import read_keys
from dipper.app.workspace import Workspace
from dipper.collect.duplicates import Duplicates
from dipper.engine.embedded.index_files import IndexFiles, Kept, Mark
from dipper.engine.embedded.log_reader import EmbeddedLogReader
from dipper.engine.ports import Record
from dipper.engine.record import CONTROL_DECODER, RecordKind
from dipper.engine.sorted_run import SortedRun, parts_of
from dipper.kit.errors import Unavailable

log = structlog.get_logger("index")

SAVED_AT = 100_000
"""So many new entries are worth a save: about a second of reading after a crash."""
_WORTH_SAVING = 10_000
_SILENT = ("tick", "counted", "quarantined", "run")
"""Control records that change nothing for whoever writes."""
_LATEST = {"table_applied": "table", "model_published": "policy", "spec_applied": "", "clock": ""}
"""Of these only the last counts, each by one of its fields."""


class Draft(NamedTuple):
    """What a save will write: the first `count` unsaved rows, and how far they reach."""

    count: int
    rows: np.ndarray
    mark: Mark
    controls: list[str]


class LogIndex:
    """The index of one partition; one thread, but for `write`.

    `duplicates` may be shared by the indexes of several partitions, which are then never saved.
    """

    def __init__(self, workspace: Workspace, partition: int, duplicates: Duplicates) -> None:
        self.partition = partition
        self.duplicates = duplicates
        self.mark = Mark()
        self._files = _files(workspace, partition)
        self._controls: dict[str, str] = {}
        self._followed = 0
        self._opened = self._heard = self._landed = 0

    @property
    def controls(self) -> list[str]:
        """Payloads of the control records that count, in order."""
        return [*self._controls.values()]

    @property
    def is_due(self) -> bool:
        """Whether a save is worth while."""
        return self.duplicates.unsaved is not None and self.duplicates.unsaved.count >= SAVED_AT

    def open(self, reader: EmbeddedLogReader) -> None:
        """Take in the files and what the log holds behind them."""
        kept = self._files.read()
        if not _covers(kept, reader, self.partition):
            self._files.clear()
            kept = Kept(Mark(), [], [])
        self.mark = kept.mark
        self.duplicates.adopt([*self.duplicates.runs, *kept.runs])
        for payload in kept.controls:
            self.follow(payload.encode())
        for records in reader.read_batches(self.partition, kept.mark.offset):
            self._take_in(records)
            if self.is_due:
                self.save(self.mark)
        unsaved = self.duplicates.unsaved
        if unsaved is not None:
            self._landed = unsaved.entered
            if unsaved.count >= _WORTH_SAVING:
                self.save(self.mark)
        self._opened = self.mark.offset

    def follow(self, payload: bytes) -> None:
        """Keep a control record that is on disk."""
        control = CONTROL_DECODER.decode(payload)
        if control.type in _SILENT:
            return
        self._followed += 1
        name = f"{self._followed}"
        if control.type in _LATEST:
            name = f"{control.type} {control.body.get(_LATEST[control.type])}"
            self._controls.pop(name, None)
        self._controls[name] = payload.decode()

    # --- saving -----------------------------------------------------------------------------

    def draft(self, count: int, mark: Mark) -> Draft:
        """What a save of the first `count` unsaved rows writes; all of them are on disk."""
        assert self.duplicates.unsaved is not None
        return Draft(count, self.duplicates.unsaved.rows(count), mark, self.controls)

    def write(self, draft: Draft) -> list[SortedRun] | None:
        """Make a draft durable; may run in another thread, one at a time. None when the disk
        refuses: the log is what counts, and a later save brings the same."""
        run = SortedRun.of(parts_of(draft.rows))
        try:
            return self._files.save(run, draft.mark, draft.controls)
        except Unavailable as error:
            log.warning("the index is not saved", reason=str(error))
            return None

    def adopt(self, draft: Draft, runs: Sequence[SortedRun] | None) -> None:
        """Go on with what was written, if it was."""
        if runs is not None:
            self.mark = draft.mark
            self.duplicates.saved(draft.count, runs)

    def save(self, mark: Mark) -> None:
        """Save all entries at once; all of them are on disk."""
        assert self.duplicates.unsaved is not None
        draft = self.draft(self.duplicates.unsaved.count, mark)
        self.adopt(draft, self.write(draft))

    def landed(self, records: Collection[tuple[RecordKind, bytes]]) -> None:
        """Hear what another writer than a gateway has appended, in order."""
        self._heard += len(records)
        for kind, payload in records:
            if kind == RecordKind.CONTROL:
                self.follow(payload)
            else:
                self._landed += 1

    def save_landed(self, reader: EmbeddedLogReader) -> None:
        """Save, unless something was entered or appended of which `landed` has not heard."""
        unsaved, end = self.duplicates.unsaved, self._opened + self._heard
        if unsaved is None or not self._heard:
            return
        if unsaved.entered == self._landed and reader.end(self.partition) == end:
            self.save(Mark(end, _received_us(reader, self.partition, end)))

    # --- erasure ----------------------------------------------------------------------------

    def forget(self, records: Iterable[Record]) -> dict[int, set[int]]:
        """Take entries out of memory; gives them by day, for `erase`."""
        gone: dict[int, set[int]] = {}
        for record in records:
            if not record.erased and record.kind != RecordKind.CONTROL:
                day, key = self.duplicates.place(record.kind, record.payload)
                self.duplicates.forget(day, key)
                gone.setdefault(day, set()).add(1 if key in (0, -1) else key)
        return gone

    def erase(self, gone: Mapping[int, set[int]]) -> list[SortedRun]:
        """Take entries out of the files; may run in another thread. Raises Unavailable."""
        return self._files.drop(gone)

    def _take_in(self, records: Sequence[Record]) -> None:
        self.duplicates.rebuild(records)
        for record in records:
            if record.kind == RecordKind.CONTROL and not record.erased:
                self.follow(record.payload)
        self.mark = Mark(records[-1].offset + 1, records[-1].received_us)


def erase_in_files(workspace: Workspace, partition: int, records: Sequence[Record]) -> None:
    """Take records out of the files of a partition that this process alone writes."""
    index = LogIndex(workspace, partition, Duplicates(_key(workspace)))
    if index._files.read().runs:
        index.erase(index.forget(records))


def known_duplicates(workspace: Workspace, *, is_saved: bool) -> Duplicates:
    """An empty index whose fingerprints are those of this workspace's files."""
    return Duplicates(_key(workspace), is_saved=is_saved)


def _key(workspace: Workspace) -> bytes:
    return read_keys(workspace.keys_file).fingerprint_key


def _files(workspace: Workspace, partition: int) -> IndexFiles:
    check = hashlib.blake2b(b"check", key=_key(workspace), digest_size=8).hexdigest()
    return IndexFiles(workspace.index(partition), f"{partition} {check}")


def _covers(kept: Kept, reader: EmbeddedLogReader, partition: int) -> bool:
    """Whether this is the log that the files were made from."""
    offset, received_us = kept.mark
    if not offset:
        return True
    is_there = offset <= reader.end(partition)
    return is_there and _received_us(reader, partition, offset) == received_us


def _received_us(reader: EmbeddedLogReader, partition: int, offset: int) -> int:
    """When the last of the first `offset` records was received."""
    return reader.read(partition, offset - 1, 1)[0].received_us
