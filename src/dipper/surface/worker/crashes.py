"""Which records were being projected when the worker died, and how often that has happened.

A record that kills the projector three times is quarantined with its reason, so that one poisoned
record never stops the rest. Before each batch a note is written; a clean batch removes it. A note
that is found at start means that a process died over these ranges: they are then walked one record
at a time, so that the next death names the record. A step that fails without killing the process is
treated alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from dipper.engine.ports import Position
from dipper.kit.limits import PROJECTOR_CRASHES_MAX

Range = tuple[int, int]


class Note(msgspec.Struct):
    """partition -> (first, end) under projection, and deaths by "partition:offset"."""

    ranges: dict[int, Range] = {}
    deaths: dict[str, int] = {}


class CrashNotes:
    """The note of one worker, a small file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._suspects: dict[int, Range] = {}
        self._deaths: dict[str, int] = {}
        self._begun: dict[int, Range] = {}
        if path.is_file():
            try:
                found = msgspec.json.decode(path.read_bytes(), type=Note)
                self._suspects, self._deaths = found.ranges, found.deaths
            except msgspec.DecodeError:
                # The note itself was torn by the crash: nothing is known, so nothing is suspected.
                path.unlink()

    def has_suspects(self, positions: Mapping[int, int]) -> bool:
        """Whether a range over which a step or a process died is not behind us yet."""
        ranges = self._suspects.items()
        self._suspects = {p: (first, end) for p, (first, end) in ranges if positions[p] < end}
        if not self._suspects and self._deaths:
            self._deaths = {}
            self._path.unlink(missing_ok=True)
        return bool(self._suspects)

    def begin(self, ranges: Mapping[int, Range]) -> None:
        """Note that these ranges are being projected."""
        self._begun = dict(ranges)
        self._write(self._begun)

    def end(self) -> None:
        """The ranges are projected."""
        self._path.unlink(missing_ok=True)

    def suspect(self) -> None:
        """The step that has begun failed: its ranges must be walked record by record."""
        self._suspects = self._begun

    def begin_one(self, position: Position) -> None:
        """Note that one record is being projected; counts a death for it up front."""
        name = _name(position)
        self._deaths[name] = self._deaths.get(name, 0) + 1
        self._write(self._suspects)

    def end_one(self, position: Position) -> None:
        """The record did no harm."""
        self._deaths.pop(_name(position), None)
        self._write(self._suspects)

    def is_poison(self, position: Position) -> bool:
        """Whether this record has killed the projector often enough."""
        return self._deaths.get(_name(position), 0) >= PROJECTOR_CRASHES_MAX

    def _write(self, ranges: dict[int, Range]) -> None:
        self._path.write_bytes(msgspec.json.encode(Note(ranges, self._deaths)))


def _name(position: Position) -> str:
    return f"{position.partition}:{position.offset}"
