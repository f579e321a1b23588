"""Reads everything that belongs to one subject: the ids of its component and its share of devices.

Identity is applied here, on reading, so that a new binding moves no data and history is right at
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dipper.engine.ports import StateReader
from dipper.fold.records import TIME, Matrix, arrange
from dipper.kit.errors import Unavailable
from dipper.profile.consents import Consent, later_of
from dipper.profile.evaluation import NOTHING_KNOWN, Known
from dipper.profile.holdings import Holding, held, merged
from dipper.profile.id_state import (
    NEVER_US,
    RECORDS_MAX,
    Assigned,
    Facts,
    Header,
    read_facts,
    read_header,
    records_at,
)
from dipper.profile.identity import Key, Link, Ownership, component, surviving
from dipper.profile.tags import TagTable, family_of
from dipper.profile.traits import values_of

NOBODY: frozenset[Key | None] = frozenset({None})


class Stored(NamedTuple):
    """The state of one id as read; gone with its reader, like everything gathered from it."""

    key: Key
    header: Header
    data: memoryview | bytes

    def facts(self) -> Facts:
        """Its facts, decoded."""
        return read_facts(self.data, self.header)

    def rows(self, table: TagTable) -> Matrix:
        """Its records."""
        layout = table.families[family_of(self.header.kind)].layout
        return layout.matrix(self.data, records_at(self.header))

    def bound(self, rows: Matrix) -> Bound:
        """What its records (`rows`) may lack."""
        if len(rows) < RECORDS_MAX:
            return Bound(NEVER_US, self.header.is_cut)
        return Bound(int(rows[0, TIME]), self.header.is_cut)


class Bound(NamedTuple):
    """What the kept records may lack: some before `whole_from_us`, and (`is_cut`) some that count
    for life."""

    whole_from_us: int
    is_cut: bool


WHOLE = Bound(NEVER_US, False)


class Gathered(NamedTuple):
    """A subject as stored: its own ids with their facts, and its devices.

    `rows` are its records in timeline order, `bound` says what these may lack. `plain` is its only
    id, when nothing but records is known of it; then no facts were decoded, because a tick looks at
    many such subjects.
    """

    kind: str
    keys: tuple[Key, ...]
    rows: Matrix
    last_us: int
    is_proven: bool
    facts: tuple[Facts, ...] = ()
    devices: tuple[tuple[Key, Facts, Ownership], ...] = ()
    plain: Stored | None = None
    bound: Bound = WHOLE

    def ids(self) -> list[str]:
        """The texts of `keys`."""
        if self.plain is not None:
            return [self.plain.facts().id]
        return [facts.id for facts in self.facts]

    def name(self) -> tuple[str, Key]:
        """The id that names the subject, and its key."""
        ids = self.ids()
        text = surviving(ids)
        return text, self.keys[ids.index(text)]

    def holdings(self, lines: Mapping[str, str]) -> tuple[Holding, ...]:
        """What it holds now; `lines` maps product to product line."""
        if len(self.facts) == 1:
            return held(self.facts[0].accounts, lines)
        return held(merged(facts.accounts for facts in self.facts), lines)

    def consents(self) -> Mapping[str, Consent]:
        """The last word for each purpose, withdrawals by its devices included."""
        if len(self.facts) == 1 and not self.devices:
            return self.facts[0].consents
        own = frozenset(self.keys)
        parts = [facts.consents for facts in self.facts]
        parts += [
            {
                purpose: consent
                for purpose, consent in facts.consents.items()
                if ownership.at(consent.time_us) in own
            }
            for _, facts, ownership in self.devices
        ]
        return later_of(parts)

    def lots(self) -> Mapping[str, int]:
        """policy -> the lot of its first decision, those about its devices before included."""
        own = frozenset(self.keys)
        first: dict[str, Assigned] = {}
        for facts in self.facts:
            for policy, assigned in facts.assigned.items():
                first[policy] = min(assigned, first.get(policy, assigned))
        for _, facts, ownership in self.devices:
            for policy, assigned in facts.assigned.items():
                if ownership.at(assigned[0]) in own:
                    first[policy] = min(assigned, first.get(policy, assigned))
        return {policy: assigned[3] for policy, assigned in first.items()}

    def known(self, lines: Mapping[str, str]) -> Known:
        """What conditions read beside the records."""
        if self.plain is not None:
            return NOTHING_KNOWN
        if len(self.facts) == 1 and not self.devices:
            texts = self.facts[0].texts
        else:
            texts = {}
            for facts in (*self.facts, *(facts for _, facts, _ in self.devices)):
                texts |= facts.texts
        holdings = self.holdings(lines)
        return Known(
            values_of([facts.traits for facts in self.facts]),
            holdings,
            frozenset([holding.product for holding in holdings]),
            frozenset([holding.line for holding in holdings if holding.line is not None]),
            texts,
        )


def gather(reader: StateReader, table: TagTable, start: Key) -> Gathered | None:
    """The subject of an id that is no device, or a device as its own subject; None: never seen."""
    stored = read_stored(reader, table, start)
    if stored is None:
        return None
    header = stored.header
    rows = stored.rows(table)
    bound = stored.bound(rows)
    if header.is_plain:
        return Gathered(
            header.kind, (start,), rows, header.last_us, header.is_proven, plain=stored, bound=bound
        )
    facts = stored.facts()
    if header.kind == "device":
        own = Ownership(facts.bindings).rows_of(rows, NOBODY)
        return Gathered("device", (start,), own, header.last_us, False, (facts,), bound=bound)
    if facts.is_alone:
        return Gathered(
            header.kind, (start,), rows, header.last_us, header.is_proven, (facts,), bound=bound
        )
    return _joined(reader, table, stored, facts)


def owner_now(reader: StateReader, table: TagTable, device: Key, now_us: int) -> Key | None:
    """The person who has the device now, or None."""
    stored = read_stored(reader, table, device)
    if stored is None or stored.header.is_plain:
        return None
    return Ownership(stored.facts().bindings).at(now_us)


def read_stored(reader: StateReader, table: TagTable, key: Key) -> Stored | None:
    """The state of an id, or None. Raises Unavailable when its layout is another program's."""
    data = reader.view("ids", key)
    if data is None:
        return None
    header = read_header(data)
    if header.layout != table.layout_code:
        raise Unavailable(
            "the subject state has another program's layout",
            hint="It is being rebuilt from the log; come again.",
        )
    return Stored(key, header, data)


class _Component:
    """Reads the ids that join, each once."""

    def __init__(self, reader: StateReader, table: TagTable) -> None:
        self._reader, self._table = reader, table
        self.found: dict[Key, tuple[Stored, Facts]] = {}

    def links_of(self, key: Key) -> Mapping[Key, Link]:
        """The links of an id; none of one that has no state (an erased one)."""
        if key not in self.found:
            stored = read_stored(self._reader, self._table, key)
            if stored is None:
                return {}
            self.found[key] = (stored, stored.facts())
        return self.found[key][1].links


def _joined(reader: StateReader, table: TagTable, start: Stored, facts: Facts) -> Gathered:
    part = _Component(reader, table)
    part.found[start.key] = (start, facts)
    keys = tuple(key for key in component(start.key, part.links_of) if key in part.found)
    members = [part.found[key] for key in keys]
    devices, shares, bounds = _devices(reader, table, members, frozenset(keys))
    own = [stored.rows(table) for stored, _ in members]
    bounds += [stored.bound(rows) for (stored, _), rows in zip(members, own, strict=True)]
    chunks = own + shares
    filled = [chunk for chunk in chunks if len(chunk)]
    if len(filled) == 1:
        rows = filled[0]
    else:
        rows = arrange(np.concatenate([chunks[0][:0], *filled]))
    times = [stored.header.last_us for stored, _ in members]
    times += [int(share[-1, TIME]) for share in shares if len(share)]
    return Gathered(
        start.header.kind,
        keys,
        rows,
        max(times),
        any(stored.header.is_proven for stored, _ in members),
        tuple(facts for _, facts in members),
        devices,
        bound=Bound(max(b.whole_from_us for b in bounds), any(b.is_cut for b in bounds)),
    )


def _devices(
    reader: StateReader,
    table: TagTable,
    members: list[tuple[Stored, Facts]],
    own: frozenset[Key | None],
) -> tuple[tuple[tuple[Key, Facts, Ownership], ...], list[Matrix], list[Bound]]:
    """The devices that were ever bound to these ids, which of their records are theirs, and what
    these may lack."""
    devices, shares, bounds = [], [], []
    for key in sorted({device for _, facts in members for device in facts.devices}):
        stored = read_stored(reader, table, key)
        if stored is None:
            continue
        facts = stored.facts()
        ownership = Ownership(facts.bindings)
        rows = stored.rows(table)
        devices.append((key, facts, ownership))
        shares.append(ownership.rows_of(rows, own))
        bounds.append(stored.bound(rows))
    return tuple(devices), shares, bounds
