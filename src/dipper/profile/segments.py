"""Segments: which rule is meant, who belongs to them, and what is announced of it.

An announcement's id is computed from subject, segment, rule and crossing time, so that a replay
arrives at the same one and nothing is announced twice.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec

from dipper.engine.record import EVENT_ENCODER, Event
from dipper.expr.parse import Expression
from dipper.kit.hashing import canonical_json, digest
from dipper.profile.formulas import closure
from dipper.spec.kinds.segment import Segment
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program

Turn = Literal["segment_entered", "segment_left", "segment_corrected"]
TURNS: tuple[Turn, ...] = ("segment_entered", "segment_left", "segment_corrected")


class Announced(NamedTuple):
    """The last word about a subject and a segment; `tick_us` is when it was announced."""

    is_member: bool
    crossing_us: int
    tick_us: int


@dataclass
class Standing:
    """What was announced of a subject, and when its segments may change by the clock alone.

    Stored as due time (i64), bytes of the members (u32), the names of the segments to which it
    belongs, and the last word on each segment: a tick mostly reads no more than the first parts.
    """

    due_us: int
    segments: dict[str, Announced]

    def to_bytes(self) -> bytes:
        """Equal standings give equal bytes."""
        members = _ENCODE(sorted(self.members))
        words = _ENCODE(dict(sorted(self.segments.items())))
        return _HEAD.pack(self.due_us, len(members)) + members + words

    @property
    def members(self) -> frozenset[str]:
        """The segments to which the subject was last announced to belong."""
        return frozenset(name for name, said in self.segments.items() if said.is_member)


_HEAD = struct.Struct("<qI")
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(dict[str, Announced]).decode
_DECODE_MEMBERS = msgspec.msgpack.Decoder(list[str]).decode

NO_MEMBERS = _ENCODE([])


def read_standing(data: bytes | memoryview) -> Standing:
    """A stored standing."""
    due_us, size = _HEAD.unpack_from(data)
    return Standing(due_us, _DECODE(data[_HEAD.size + size :]))


def read_head(data: bytes | memoryview) -> tuple[int, bytes]:
    """The due time of a stored standing, and its members as stored."""
    due_us, size = _HEAD.unpack_from(data)
    return due_us, bytes(data[_HEAD.size : _HEAD.size + size])


def read_members(members: bytes) -> list[str]:
    """The names in stored members."""
    return _DECODE_MEMBERS(members)


def with_due(data: bytes | memoryview, due_us: int) -> bytes:
    """A stored standing with another due time."""
    return due_us.to_bytes(8, "little", signed=True) + bytes(data[8:])


class _Turned(msgspec.Struct):
    """The properties of an announcement."""

    segment: str
    rule: str
    member: bool


_ENCODE_TURNED = msgspec.json.Encoder().encode
read_turned = msgspec.json.Decoder(_Turned).decode


def rule_hash(program: Program, segment: Segment, expressions: Mapping[str, Expression]) -> str:
    """16 hex digits that name the condition and every tag that it reads."""
    names = closure([f"segment.{segment.name}"], expressions)
    tags, segments = program.of(Tag), program.of(Segment)
    read = {
        name: tags[name[4:]].value.model_dump(mode="json") | {"default": tags[name[4:]].default}
        for name in names
        if name.startswith("tag.") and name[4:] in tags
    }
    where = {name: segments[name[8:]].where for name in names if name.startswith("segment.")}
    return digest(canonical_json({"tags": read, "where": where}))[:16]


def announcement(
    turn: Turn, subject_id: str, kind: str, segment: str, rule: str, program: str, said: Announced
) -> Event:
    """The event that tells of a turn: at its crossing time, received at the tick."""
    name = "\x1f".join((turn, subject_id, segment, rule, str(said.crossing_us)))
    return Event(
        event=turn,
        message_id=f"turn:{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}",
        source="engine",
        trust="engine",
        time_us=said.crossing_us,
        received_us=said.tick_us,
        subjects={kind: subject_id},
        properties=msgspec.Raw(_ENCODE_TURNED(_Turned(segment, rule, said.is_member))),
        program=program,
    )


def payload(event: Event) -> bytes:
    """The bytes of an announcement's record."""
    return EVENT_ENCODER.encode(event)
