"""The canonical event: what an event says, apart from how and when this copy of it came.

Two copies of one event agree in it, whatever was resent, so its hash tells a duplicate from another
event under the same id (ADR 0004). In a record of ours the fields of the copy stand first and those
of the canonical event after them: the canonical bytes are simply the end of the payload.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from dipper.collect.kernels.hashing import content_of, content_of_each
from dipper.engine.record import EVENT_DECODER, TokenVerdict, Trust
from dipper.kit.hashing import canonical_json, hash128

NO_PROPERTIES = msgspec.Raw(b"{}")

_OPENING = b',"event":'
_COPY_FIELDS = frozenset({"sentAt", "messageId", "_flush_time", "created_at", "receivedAt"})
_ENCODER = msgspec.json.Encoder()


class Stored(msgspec.Struct, omit_defaults=True, gc=False):
    """An accepted event: the fields of `engine.record.Event` in writing order.

    From `event` on stands the canonical part. `content` is given only where the tracking plan
    dropped something that the canonical event still has. No text has a default that an event may
    have: defaults are left out by identity, and equal events must give equal bytes.
    """

    message_id: str
    source: str
    trust: Trust
    time_us: int
    received_us: int
    sent_us: int | None = None
    claims: tuple[str, ...] = ()
    token: TokenVerdict | None = None
    program: str = ""
    content: int = 0
    event: str = ""
    subjects: dict[str, str] = {}
    type: str = ""
    original_us: int | None = None
    seq: int = 0
    scenario: str | None = None
    channel: str | None = None
    campaign: str | None = None
    link: str | None = None
    placement: str | None = None
    org_unit: str | None = None
    staff: str | None = None
    partner: str | None = None
    legal_entity: str | None = None
    business_date: str | None = None
    properties: Any = NO_PROPERTIES


def encode_all(events: Sequence[Stored]) -> list[bytes]:
    """The payloads of many events in one pass."""
    lines = _ENCODER.encode_lines(events).split(b"\n")
    lines.pop()
    return lines


def content_hash(payload: bytes) -> int:
    """The 63-bit content hash of a payload that `encode_all` made."""
    return bytes_hash(payload, payload.index(_OPENING))


def bytes_hash(data: bytes, start: int = 0) -> int:
    """The 63-bit hash of bytes; never 0. Its key is fixed: the hash may be stored.

    Nobody gains by forging one: it is compared only under an equal source and message id.
    """
    return int(content_of(np.frombuffer(data + bytes(8), np.uint8), start, len(data)))


def missing_message_id(event: Stored) -> str:
    """The id of an event that came without one: a hash of its source and canonical bytes."""
    payload = encode_all([event])[0]
    return hash128(event.source + payload[payload.index(_OPENING) :].decode()).hex()


def recorded_hash(payload: bytes, content: int) -> int:
    """The content hash of a stored event, whoever encoded its payload; `content` is its field."""
    if content:
        return content
    if payload.startswith(b'{"message_id":'):
        return content_hash(payload)
    event = EVENT_DECODER.decode(payload)
    again = Stored(
        event.message_id,
        event.source,
        event.trust,
        event.time_us,
        event.received_us,
        **{name: getattr(event, name) for name in _CANONICAL_FIELDS},
    )
    return content_hash(encode_all([again])[0])


def recorded_hashes(payloads: Sequence[bytes], contents: Sequence[int]) -> np.ndarray:
    """`recorded_hash` of many, as int64."""
    found = np.array(contents, np.int64)
    plain = [
        place
        for place, payload in enumerate(payloads)
        if not contents[place] and payload.startswith(b'{"message_id":')
    ]
    starts = np.array([payloads[place].index(_OPENING) for place in plain], np.int64)
    lengths = np.array([len(payloads[place]) for place in plain], np.int64)
    ends = np.cumsum(lengths)
    text = np.frombuffer(b"".join([payloads[place] for place in plain]) + bytes(8), np.uint8)
    found[np.array(plain, np.int64)] = content_of_each(text, ends - lengths + starts, ends)
    for place in np.flatnonzero(found == 0).tolist():
        found[place] = recorded_hash(payloads[place], 0)
    return found


_CANONICAL_FIELDS = Stored.__struct_fields__[Stored.__struct_fields__.index("event") :]


def without_copy_fields(event: Mapping[str, Any]) -> bytes:
    """The canonical JSON of a failed event: what a resend repeats."""
    return canonical_json({key: item for key, item in event.items() if key not in _COPY_FIELDS})
