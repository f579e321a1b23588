"""Bulk import: files through a map, the same judgement as over HTTP, then log, state and lake.

Everything that collection holds events to (tracking plan, trust, never-store filter, duplicates)
holds here too, because it is the same code. Without a running server this process is the writer and
projects what it has appended in large batches; with one, records go through its gateways.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dipper.app.served import Served
from dipper.collect.collector import Collector
from dipper.collect.counts import Counts
from dipper.collect.dialects import registry as dialects
from dipper.collect.duplicates import Duplicates
from dipper.collect.erasures import Erasures
from dipper.collect.incoming import NO_RAW, NOTHING, Batch, Context, Incoming, Unreadable
from dipper.collect.plan import Plan
from dipper.collect.sources import Source, Sources
from dipper.engine.ports import Entry
from dipper.feed.events import rows
from dipper.feed.mapping import Map
from dipper.feed.row import BadRow, Row
from dipper.feed.table import batches
from dipper.kit.errors import BadInput, did_you_mean

ROWS_AT_ONCE = 2_000
"""Rows judged as one request: below the batch limit of every dialect."""
UNCOMPILED_ROWS = 20_000
"""So many rows are judged while kernels compile; more are worth waiting for them."""

_ENCODE = msgspec.json.Encoder().encode
_TYPES = frozenset({"identify", "group", "alias"})


@dataclass(frozen=True)
class Imported:
    """What became of the rows of one file: rows = good + failed + duplicate + refused."""

    file: str
    counts: Counts

    @property
    def rows(self) -> int:
        """All rows."""
        return self.counts.received


class Judging:
    """Judges rows of files as collection judges requests, with one partition's index of copies."""

    def __init__(
        self, served: Served, duplicates: Duplicates, erasures: Erasures | None = None
    ) -> None:
        specs = served.program.of("source")
        self._sources = {name: Source.of(spec) for name, spec in specs.items()}
        self._collector = Collector(
            Sources(self._sources, {}),
            Plan.compile(served.program),
            duplicates,
            dialects.build(),
            erasures=erasures,
        )

        self._judged = 0

    def source(self, name: str) -> Source:
        """A declared source. Raises BadInput with the closest name."""
        if name not in self._sources:
            raise BadInput(
                f"the map names source '{name}', which is not declared.",
                hint=did_you_mean(name, self._sources) or f"Sources: {', '.join(self._sources)}.",
            )
        return self._sources[name]

    def judge(
        self, source: Source, mapping: Map, found: Sequence[Row | BadRow], received_us: int
    ) -> tuple[list[Entry], Counts]:
        """Entries for the log, and the counts of these rows."""
        self._judged += len(found)
        if self._judged > UNCOMPILED_ROWS:
            self._collector.warm()
        items = list(map(_Translation(source, mapping).incoming, found))
        batch = Batch(items, None, lambda place: _ENCODE(items[place]), is_canonical=True)
        collected = self._collector.collect(source, batch, received_us)
        return collected.entries, collected.counts.get(source.name, Counts())


def judged(
    path: Path, mapping: Map, judging: Judging, received_us: int
) -> Iterator[tuple[list[Entry], Counts]]:
    """Entries and counts of a file, ROWS_AT_ONCE rows at a time, in file order."""
    source = judging.source(mapping.source)
    digest = file_digest(path)
    first_row = 0
    for batch in batches(path, mapping.file, mapping.used_columns()):
        found = list(rows(batch, mapping, digest, first_row))
        first_row += batch.num_rows
        for start in range(0, len(found), ROWS_AT_ONCE):
            part = found[start : start + ROWS_AT_ONCE]
            yield judging.judge(source, mapping, part, received_us)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes: with the row number it is the identity of a row without a key.

    Raises BadInput when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}.", where=str(path)) from error


class _Translation:
    """Rows of one map as a dialect hands events over."""

    def __init__(self, source: Source, mapping: Map) -> None:
        self._person = source.person_id_type + ":"
        self._names = tuple(mapping.columns)
        self._contexts: dict[object, Context] = {}

    def incoming(self, row: Row | BadRow) -> Incoming | Unreadable:
        """A row as an event that nobody has judged yet."""
        if row.__class__ is BadRow:
            return Unreadable(row.raw.encode(), "bad_row", row.reason)
        user = device = None
        others = {}
        for role, text in row.subjects.items():
            if role == "person" and text.startswith(self._person):
                user = text[len(self._person) :]
            elif role == "device" and text.startswith("device:"):
                device = text[7:]
            else:
                others[role] = text
        is_typed = row.event in _TYPES
        return Incoming(
            type=row.event if is_typed else "track",  # type: ignore[arg-type]
            event=None if is_typed else row.event,
            user_id=user,
            anonymous_id=device,
            message_id=row.message_id,
            timestamp=row.time,
            properties=NOTHING if is_typed else row.properties,
            traits=row.properties if is_typed else NO_RAW,
            context=self._context(row, others),
        )

    def _context(self, row: Row, others: dict[str, str]) -> Context:
        seq = row.seq
        if not others and not seq:
            known = self._contexts.get(row.columns)
            if known is not None:
                return known
        dipper: dict[str, object] = {
            name: value
            for name, value in zip(self._names, row.columns, strict=True)
            if value is not None
        }
        if others:
            dipper["subjects"] = others
        if seq:
            dipper["seq"] = seq
        context = Context(dipper=msgspec.Raw(_ENCODE(dipper)))
        if not others and not seq:
            self._contexts[row.columns] = context
        return context
