"""Erasure in the subject state: what goes, and the tombstone that stays.

A tombstone is a keyed hash of an id, so that later events of the erased subject are refused while
nobody can read from the state whom it was. What other subjects have in common with the erased one
stays with them: a shared device loses only what was the erased person's.

The order comes once in every partition, and so does the record by which a new consent lifts it:
each is told by the time of the order, so that it does not matter which partition is read first.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from dipper.engine.ports import StateReader
from dipper.fold.records import MASK, TIME
from dipper.kit.hashing import hash128
from dipper.profile.gather import Stored, read_stored
from dipper.profile.id_state import CUT, NEVER_US, Facts, Header, flags_of, write
from dipper.profile.identity import Key, Ownership
from dipper.profile.segments import read_standing
from dipper.profile.tags import TagTable, family_of

Rows = dict[str, dict[bytes, bytes | None]]

FOREVER_US = 2**63 - 1

_TIME = struct.Struct(">q")
_LIFTED = struct.Struct(">2q")
_DECODE = msgspec.msgpack.Decoder(tuple[int, int, bytes]).decode


def tombstone(text: str, key: bytes) -> bytes:
    """The 16-byte keyed hash of an id `idtype:value`. `key` has at most 64 bytes."""
    return hashlib.blake2b(text.encode(), key=key, digest_size=16).digest()


def ids_to_erase(reader: StateReader, table: TagTable, text: str) -> list[str]:
    """All ids that go with a person's id: those of its component, and devices only it has had."""
    start = read_stored(reader, table, hash128(text))
    if start is None:
        return [text]
    waiting, found = [start], {start.key: start.facts()}
    while waiting:
        for key, link in waiting.pop().facts().links.items():
            other = read_stored(reader, table, key) if link.is_bound and key not in found else None
            if other is not None:
                found[key] = other.facts()
                waiting.append(other)
    devices = [
        device.facts().id
        for key in sorted({device for facts in found.values() for device in facts.devices})
        if (device := read_stored(reader, table, key)) is not None
        and Ownership(device.facts().bindings).persons <= found.keys()
    ]
    return [facts.id for facts in found.values()] + devices


def erase_changes(
    reader: StateReader, table: TagTable, ids: Sequence[str], key: bytes, now_us: int
) -> Rows:
    """The changes that remove these ids from the state and leave their tombstones."""
    changes = _removal(reader, table, frozenset(map(hash128, ids)))
    return changes | _tombstones([tombstone(text, key) for text in ids], now_us)


def erase_named(
    reader: StateReader,
    table: TagTable,
    tombstones: Iterable[bytes],
    key: bytes | None,
    now_us: int,
) -> Rows:
    """The same for ids of which only the tombstones are known: every id is looked at.

    Those whose erasure at `now_us`, or a later one, is known stay as they are: they may be back.
    Without the key the tombstones alone are written; the ids are then gone from the log already.
    """
    named = {mark for mark in tombstones if erased_us(reader, mark) < now_us}
    gone = set()
    if key is not None:
        for id_key, _ in reader.scan("ids"):
            stored = read_stored(reader, table, id_key)
            if stored is not None and tombstone(stored.facts().id, key) in named:
                gone.add(id_key)
    return _removal(reader, table, frozenset(gone)) | _tombstones(named, now_us)


def reinstate(reader: StateReader, orders: Mapping[str, int], now_us: int) -> Rows:
    """The changes by which ids are accepted again from `now_us` on. `orders`: tombstone (hex) ->
    time of the erasure that is lifted; an id that was erased again since stays erased."""
    changes: Rows = {"erased": {}, "lifted": {}}
    for text, order_us in orders.items():
        mark = bytes.fromhex(text)
        if erased_us(reader, mark) > order_us:
            continue
        known = reader.get("lifted", mark)
        since_us = now_us
        if known is not None and _LIFTED.unpack(known)[0] == order_us:
            since_us = min(since_us, _LIFTED.unpack(known)[1])
        changes["erased"][mark] = None
        changes["lifted"][mark] = _LIFTED.pack(order_us, since_us)
    return changes


def erased_us(reader: StateReader, mark: bytes) -> int:
    """When the last erasure of an id that the state knows was ordered, or NEVER_US."""
    value = reader.get("erased", mark) or reader.get("lifted", mark)
    return NEVER_US if value is None else int(_TIME.unpack_from(value)[0])


def refused_until(reader: StateReader, mark: bytes) -> int:
    """Events of an id are refused that were received before this moment; 0: it never was erased."""
    if reader.get("erased", mark) is not None:
        return FOREVER_US
    lifted = reader.get("lifted", mark)
    return 0 if lifted is None else int(_LIFTED.unpack(lifted)[1])


def _tombstones(marks: Iterable[bytes], now_us: int) -> Rows:
    erased: dict[bytes, bytes | None] = dict.fromkeys(marks, _TIME.pack(now_us))
    return {"erased": erased, "lifted": dict.fromkeys(erased)}


def _removal(reader: StateReader, table: TagTable, gone: frozenset[Key]) -> Rows:
    changes: Rows = {name: dict.fromkeys(gone) for name in ("ids", "segments", "touched")}
    changes["timers"] = {
        standing.due_us.to_bytes(8, "big") + key: None
        for key in gone
        if (value := reader.get("segments", key)) is not None
        and (standing := read_standing(value)).due_us > 0
    }
    changes["decisions"] = {
        name: None for name, value in reader.scan("decisions") if _DECODE(value)[2] in gone
    }
    related: set[Key] = set()
    for key in gone:
        stored = read_stored(reader, table, key)
        if stored is not None:
            facts = stored.facts()
            related |= {*facts.links, *facts.devices, *(b.person for b in facts.bindings)}
    for key in related - gone:
        stored = read_stored(reader, table, key)
        if stored is not None:
            changes["ids"][key] = _without(stored, table, gone)
    return changes


def _without(stored: Stored, table: TagTable, gone: frozenset[Key]) -> bytes:
    """The state of an id that remains, without what it has from the erased ones."""
    facts, rows = stored.facts(), stored.rows(table)
    last_us = stored.header.last_us
    if facts.bindings:
        ownership = Ownership(facts.bindings)
        rows = ownership.rows_of(rows, frozenset({*(ownership.persons - gone), None}))
        facts.consents = {
            purpose: consent
            for purpose, consent in facts.consents.items()
            if ownership.at(consent.time_us) not in gone
        }
        # The last event may have been the erased person's: what is kept decides.
        last_us = int(rows[-1, TIME]) if len(rows) else NEVER_US
    _forget(facts, gone)
    if facts.texts:
        words = table.families[family_of(stored.header.kind)].layout.words
        present = set(rows[:, MASK + words :].ravel().tolist())
        facts.texts = {key: text for key, text in facts.texts.items() if key in present}
    body = facts.to_bytes()
    header = stored.header
    flags = flags_of(header.kind, header.is_proven, facts) | header.flags & CUT
    return write(
        Header(header.version, flags, header.layout, len(body), last_us, header.trimmed_us),
        body,
        rows.tobytes(),
    )


def _forget(facts: Facts, gone: frozenset[Key]) -> None:
    facts.links = {key: link for key, link in facts.links.items() if key not in gone}
    facts.devices = [key for key in facts.devices if key not in gone]
    facts.bindings = [binding for binding in facts.bindings if binding.person not in gone]
