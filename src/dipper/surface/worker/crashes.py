"""Which records were being projected when the worker died, and how often that has happened.

A record that kills the projector three times is quarantined with its reason, so that one poisoned
record never stops the rest. Before each batch a note is written; a clean batch removes it. A note
that is found at start means that a process died over that range: it is then walked one record at a
time, so that the next death names the record.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dipper.kit.limits import PROJECTOR_CRASHES_MAX


class Note(msgspec.Struct):
    """A range of one partition under projection, and the deaths over single records of it."""

    partition: int
    start: int
    stop: int
    deaths: dict[int, int] = {}


class CrashNotes:
    """The note of one worker, a small file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: Note | None = None
        if path.is_file():
            try:
                self._found = msgspec.json.decode(path.read_bytes(), type=Note)
            except msgspec.DecodeError:
                # The note itself was torn by the crash: nothing is known, so nothing is suspected.
                path.unlink()

    @property
    def suspect(self) -> Note | None:
        """The range over which the process before this one died."""
        return self._found

    def begin(self, partition: int, start: int, stop: int) -> None:
        """Note that a range is being projected; counts a death for a single record up front."""
        note = Note(partition, start, stop)
        before = self._found
        if before is not None and before.partition == partition:
            note.deaths = dict(before.deaths)
        if stop == start + 1 and before is not None:
            note.deaths[start] = note.deaths.get(start, 0) + 1
            self._found = note
        self._path.write_bytes(msgspec.json.encode(note))

    def is_poison(self, partition: int, offset: int) -> bool:
        """Whether this record has killed the projector often enough."""
        found = self._found
        if found is None or found.partition != partition:
            return False
        return found.deaths.get(offset, 0) >= PROJECTOR_CRASHES_MAX

    def end(self) -> None:
        """The range is projected."""
        self._path.unlink(missing_ok=True)

    def clear(self) -> None:
        """The suspected range is behind us."""
        self._found = None
        self._path.unlink(missing_ok=True)
