"""The stored state of one id: a short header, its facts in msgpack, its records as they are.

Nearly every event only adds a record, which then is an append of bytes: neither facts nor records
are decoded for it. Everything kept is a set by order key whose arrangement depends on the set
alone, so that any arrival order gives the same bytes.

| at | | |
|---|---|---|
| 0 | u8 | version |
| 1 | u8 | kind in the low bits; flags: 0x80 proven, 0x40 plain, 0x20 alone, 0x10 bare, 0x08 cut |
| 2 | u16 | fingerprint of the record layout |
| 4 | u32 | bytes of the facts |
| 8 | i64 | time of the last event, µs |
| 16 | i64 | older records without use were dropped up to this moment, µs |
| 24 | | facts (msgpack), zeros up to whole 8 bytes, records |

Proven: a believed source has named the id. Plain: the facts are nothing but the id. Alone: nothing
joins it with another id. Bare: it has neither traits nor holdings. Cut: records that count for life
went because an id keeps RECORDS_MAX.

Texts that a `first` or `last` tag may have to give stand with the id that they belong to, never in
a shared table: removing the id removes them.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import msgspec

from dipper.kit.errors import Corrupt
from dipper.profile.assessments import Assessed
from dipper.profile.consents import Consent
from dipper.profile.holdings import Word
from dipper.profile.identity import KINDS, Binding, Key, Link
from dipper.profile.traits import Trait

VERSION = 1
HEADER = struct.Struct("<BBHIqq")
HEADER_BYTES = HEADER.size
KIND_MASK, PROVEN, PLAIN, ALONE, BARE, CUT = 0x07, 0x80, 0x40, 0x20, 0x10, 0x08

RECORDS_MAX = 4_096
"""Records that an id keeps; those before them go, whatever still counts them."""
DECISIONS_MAX = 64
NEVER_US = -(2**63)

Decided = tuple[int, int, int, str]
"""Order key and id of a decision."""

Assigned = tuple[int, int, int, int]
"""Order key of a policy's first decision, and the lot (0 to 999) that its arm followed from."""


class Facts(msgspec.Struct, array_like=True):
    """What is known of an id beside its records."""

    id: str
    links: dict[Key, Link] = {}
    devices: list[Key] = []
    bindings: list[Binding] = []
    traits: dict[str, Trait] = {}
    consents: dict[str, Consent] = {}
    accounts: dict[str, dict[str, Word]] = {}
    assessment: Assessed | None = None
    decisions: list[Decided] = []
    texts: dict[int, str] = {}
    assigned: dict[str, Assigned] = {}

    def to_bytes(self) -> bytes:
        """Equal facts give equal bytes, whatever came first."""
        for name in _MAPPINGS:
            held = getattr(self, name)
            if len(held) > 1:
                setattr(self, name, dict(sorted(held.items())))
        for account, words in self.accounts.items():
            self.accounts[account] = dict(sorted(words.items()))
        return _ENCODE(self)

    @property
    def is_plain(self) -> bool:
        """Nothing is known but the id."""
        return self.is_alone and not (
            self.traits
            or self.consents
            or self.accounts
            or self.assessment
            or self.decisions
            or self.texts
        )

    @property
    def is_alone(self) -> bool:
        """Nothing joins this id with another."""
        return not (self.links or self.devices or self.bindings)


_MAPPINGS = ("links", "traits", "consents", "accounts", "texts", "assigned")
_ENCODE = msgspec.msgpack.Encoder().encode
decode_facts = msgspec.msgpack.Decoder(Facts).decode


class Header(NamedTuple):
    """The fixed part of a stored state."""

    version: int
    flags: int
    layout: int
    facts_bytes: int
    last_us: int
    trimmed_us: int

    @property
    def kind(self) -> str:
        """The subject kind of the id."""
        return KINDS[self.flags & KIND_MASK]

    @property
    def is_plain(self) -> bool:
        """The facts are nothing but the id."""
        return bool(self.flags & PLAIN)

    @property
    def is_proven(self) -> bool:
        """A server, partner or core source, or a signed token, has named the id."""
        return bool(self.flags & PROVEN)

    @property
    def is_cut(self) -> bool:
        """Records that a lifetime tag counts are not kept any more."""
        return bool(self.flags & CUT)


def read_header(data: memoryview | bytes) -> Header:
    """The header of a stored state. Raises Corrupt for a version that is not ours."""
    header = Header._make(HEADER.unpack_from(data))
    if header.version != VERSION:
        raise Corrupt(f"the state of an id has version {header.version}, expected {VERSION}")
    return header


def read_facts(data: memoryview | bytes, header: Header) -> Facts:
    """The facts of a stored state."""
    return decode_facts(memoryview(data)[HEADER_BYTES : HEADER_BYTES + header.facts_bytes])


def flags_of(kind: str, is_proven: bool, facts: Facts) -> int:
    """The flags of a header."""
    flags = KINDS.index(kind) | (PROVEN if is_proven else 0)
    flags |= ALONE if facts.is_alone else 0
    flags |= 0 if facts.traits or facts.accounts else BARE
    return flags | (PLAIN if facts.is_plain else 0)


def write(header: Header, facts: bytes, records: bytes) -> bytes:
    """The bytes of a state; the header's `facts_bytes` are those of `facts`."""
    return b"".join((HEADER.pack(*header), facts, bytes(-len(facts) % 8), records))


def records_at(header: Header) -> int:
    """Where the records begin."""
    return HEADER_BYTES + (header.facts_bytes + 7 & ~7)
