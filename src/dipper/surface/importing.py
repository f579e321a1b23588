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
from dipper.collect.incoming import Batch, Context, Incoming, Unreadable
from dipper.collect.plan import Plan
from dipper.collect.sources import Source, Sources
from dipper.engine.ports import Entry
from dipper.engine.record import Event, FailedEvent
from dipper.feed.events import Origin, events
from dipper.feed.mapping import Map
from dipper.feed.table import batches
from dipper.kit.clock import to_iso
from dipper.kit.errors import BadInput, did_you_mean

ROWS_AT_ONCE = 2_000
"""Rows judged as one request: below the batch limit of every dialect."""

_ENCODE = msgspec.json.Encoder().encode
_TYPES = frozenset({"identify", "group", "alias"})
_COLUMNS = (
    "scenario",
    "channel",
    "campaign",
    "link",
    "placement",
    "org_unit",
    "staff",
    "partner",
    "legal_entity",
    "business_date",
)


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

    def __init__(self, served: Served, duplicates: Duplicates) -> None:
        specs = served.program.of("source")
        self._sources = {name: Source.of(spec) for name, spec in specs.items()}
        self._collector = Collector(
            Sources(self._sources, {}),
            Plan.compile(served.program),
            duplicates,
            dialects.build(),
        )

    def source(self, name: str) -> Source:
        """A declared source. Raises BadInput with the closest name."""
        if name not in self._sources:
            raise BadInput(
                f"the map names source '{name}', which is not declared.",
                hint=did_you_mean(name, self._sources) or f"Sources: {', '.join(self._sources)}.",
            )
        return self._sources[name]

    def judge(
        self, source: Source, rows: Sequence[Event | FailedEvent], received_us: int
    ) -> tuple[list[Entry], Counts]:
        """Entries for the log, and the counts of these rows."""
        columns: dict[tuple[object, ...], msgspec.Raw] = {}
        items = [_incoming(row, source, columns) for row in rows]
        batch = Batch(items, None, lambda place: _ENCODE(items[place]))
        found = self._collector.collect(source, batch, received_us)
        return found.entries, found.counts.get(source.name, Counts())


def judged(
    path: Path, mapping: Map, judging: Judging, received_us: int
) -> Iterator[tuple[list[Entry], Counts]]:
    """Entries and counts of a file, ROWS_AT_ONCE rows at a time, in file order."""
    source = judging.source(mapping.source)
    origin = Origin(source.name, source.trust, file_digest(path), received_us)
    first_row = 0
    for batch in batches(path, mapping.file, mapping.used_columns()):
        rows = list(events(batch, mapping, origin, first_row))
        first_row += batch.num_rows
        for start in range(0, len(rows), ROWS_AT_ONCE):
            yield judging.judge(source, rows[start : start + ROWS_AT_ONCE], received_us)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes: with the row number it is the identity of a row without a key."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _incoming(
    row: Event | FailedEvent, source: Source, columns: dict[tuple[object, ...], msgspec.Raw]
) -> Incoming | Unreadable:
    """A row as a dialect hands an event over."""
    if isinstance(row, FailedEvent):
        return Unreadable(row.raw.encode(), row.code, row.reason)
    others = dict(row.subjects)
    user = _plain(others.pop("person", None), source.person_id_type, others, "person")
    device = _plain(others.pop("device", None), "device", others, "device")
    is_typed = row.event in _TYPES
    return Incoming(
        type=row.event if is_typed else "track",  # type: ignore[arg-type]
        event=None if is_typed else row.event,
        user_id=user,
        anonymous_id=device,
        message_id=row.message_id,
        timestamp=to_iso(row.time_us),
        properties=msgspec.Raw(b"{}") if is_typed else row.properties,
        traits=row.properties if is_typed else msgspec.Raw(b""),
        context=_context(row, others, columns),
    )


def _plain(text: str | None, id_type: str, others: dict[str, str], role: str) -> str | None:
    """The value of an id of the source's own type; an id of another type goes by role."""
    if text is None:
        return None
    kind, _, value = text.partition(":")
    if kind == id_type:
        return value
    others[role] = text
    return None


def _context(
    row: Event, others: dict[str, str], known: dict[tuple[object, ...], msgspec.Raw]
) -> Context | None:
    values = tuple(getattr(row, name) for name in _COLUMNS)
    if others or row.seq:
        dipper: dict[str, object] = {
            name: value for name, value in zip(_COLUMNS, values, strict=True) if value is not None
        }
        if others:
            dipper["subjects"] = others
        dipper["seq"] = row.seq
        return Context(dipper=msgspec.Raw(_ENCODE(dipper)))
    raw = known.get(values)
    if raw is None:
        named = zip(_COLUMNS, values, strict=True)
        raw = msgspec.Raw(_ENCODE({name: value for name, value in named if value is not None}))
        known[values] = raw
    return Context(dipper=raw)
