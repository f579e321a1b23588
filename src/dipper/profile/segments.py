"""Segments: which rule is meant, who belongs to them, and what is announced of it.

An announcement's id is computed from subject, segment, rule and crossing time, so that a replay
arrives at the same one and nothing is announced twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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


class Standing(msgspec.Struct, array_like=True):
    """What was announced of a subject, and when its segments may change by the clock alone."""

    due_us: int
    segments: dict[str, Announced] = {}

    def to_bytes(self) -> bytes:
        """Equal standings give equal bytes."""
        self.segments = dict(sorted(self.segments.items()))
        return _ENCODE(self)

    @property
    def members(self) -> frozenset[str]:
        """The segments to which the subject was last announced to belong."""
        return frozenset(name for name, said in self.segments.items() if said.is_member)


_ENCODE = msgspec.msgpack.Encoder().encode
read_standing = msgspec.msgpack.Decoder(Standing).decode


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
