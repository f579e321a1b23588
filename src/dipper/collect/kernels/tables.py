"""What a source's rules look like to the kernel: names, kinds, and the fixed pieces of a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Literal, get_args, get_origin

import msgspec
import numpy as np

from dipper.collect.kernels import scan_kernels, write_kernels
from dipper.collect.kernels.json_kernels import PAD
from dipper.collect.kernels.kernel import Tables
from dipper.collect.kernels.names import (
    COLUMNS,
    CONTEXT,
    EVENT,
    EVENTS,
    FIRST_FREE,
    PLACE,
    REQUEST,
    REWRITTEN,
    SUBJECTS,
    build,
)
from dipper.collect.plan import Declared
from dipper.collect.rules import CONSENTS, Rule
from dipper.collect.sources import Source
from dipper.collect.subjects import REWRITTEN as REWRITTEN_TYPES
from dipper.collect.subjects import ROLES
from dipper.spec.envelope import COLUMN_TEXTS

PROPERTIES_MAX = 60
# A date is checked by the complete judgement.
_COLUMN_NAMES = tuple(name for name in COLUMN_TEXTS if name != "business_date")
_KIND_OF_TYPE = {
    bool: write_kernels.BOOL,
    float: write_kernels.DOUBLE,
    str: write_kernels.TEXT,
    date: write_kernels.DATE,
}
_MEMBERS: dict[tuple[int, str], int] = {
    (REQUEST, "batch"): scan_kernels.BATCH,
    (REQUEST, "sentAt"): scan_kernels.BATCH_SENT,
    (REQUEST, "writeKey"): scan_kernels.BATCH_KEY,
    (REQUEST, "context"): scan_kernels.BATCH_CONTEXT,
    (CONTEXT, "dipper"): scan_kernels.DIPPER,
    (EVENT, "type"): scan_kernels.TYPE,
    (EVENT, "event"): scan_kernels.NAME,
    (EVENT, "userId"): scan_kernels.USER,
    (EVENT, "anonymousId"): scan_kernels.DEVICE,
    (EVENT, "messageId"): scan_kernels.MESSAGE,
    (EVENT, "timestamp"): scan_kernels.TIME,
    (EVENT, "properties"): scan_kernels.PROPERTIES,
    (EVENT, "context"): scan_kernels.CONTEXT_MEMBER,
    (EVENT, "sentAt"): scan_kernels.SENT,
    **{
        (EVENT, name): scan_kernels.NOT_HERE
        for name in ("originalTimestamp", "groupId", "previousId", "name", "category")
    },
    (COLUMNS, "seq"): write_kernels.SEQ,
    **{(COLUMNS, name): place for place, name in enumerate(_COLUMN_NAMES)},
    **{(COLUMNS, name): write_kernels.COLUMN_FAULT for name in ("business_date", "token")},
    (COLUMNS, "subjects"): write_kernels.SUBJECTS,
    # Person and device have fields of their own.
    **{(SUBJECTS, name): place for place, name in enumerate(ROLES[2:])},
    **{(REWRITTEN, name): 1 for name in REWRITTEN_TYPES},
}


class _Text:
    """Pieces one behind another."""

    def __init__(self) -> None:
        self.data = bytearray()

    def add(self, piece: bytes) -> tuple[int, int]:
        """Start and end of a piece."""
        start = len(self.data)
        self.data += piece
        return start, len(self.data)


def tables_of(
    source: Source, program: str, rules: Mapping[str, Rule], fingerprint_key: np.ndarray
) -> Tables:
    """The tables for the track events that a source may send, by the name that it sends.

    Left out are events that need more than one pass, and those with more properties than a mask
    has bits.
    """
    names = dict(_MEMBERS)
    text = _Text()
    pieces = [place for piece in _pieces(source, program) for place in text.add(piece)]
    rows: list[list[int]] = []
    slots: list[int] = []
    scope = FIRST_FREE
    numbers: dict[str, int] = {}
    for sent, rule in rules.items():
        if rule.plan is None or rule.decode is None or len(rule.plan.declared) > PROPERTIES_MAX:
            continue
        if rule.event not in numbers:
            numbers[rule.event] = len(rows)
            first, own_scope = len(slots), scope
            count = len(rule.plan.declared)
            required = 0
            scope += 1
            for place, known in enumerate(rule.plan.declared.values()):
                names[own_scope, known.name] = place
                required |= (known.name in rule.plan.required) << place
                kind, choices = _kind(known)
                slots += (kind, *text.add(_encode(known.name) + b":"), scope)
                names.update({(scope, choice): 1 for choice in choices})
                scope += bool(choices)
            event = text.add(b',"event":' + _encode(rule.event) + b',"subjects":{')
            scenario = b',"scenario":' + _encode(rule.scenario) if rule.scenario else b""
            is_consent = rule.event in CONSENTS
            rows.append(
                [first, count, required, *event, *text.add(scenario), own_scope, is_consent]
            )
        names[EVENTS, sent] = numbers[rule.event]
    table = build(names, text.data)
    rules_at = len(table)
    slots_at = rules_at + write_kernels.RULE_WIDTH * len(rows)
    for row in rows:
        row[write_kernels.SLOTS] += slots_at
    flat = [number for row in rows for number in row] + slots
    return Tables(
        table=np.concatenate([table, np.array([*flat, *pieces], np.int64)]),
        places=rules_at // PLACE,
        rules=rules_at,
        pieces=rules_at + len(flat),
        text=np.frombuffer(bytes(text.data) + PAD, np.uint8),
        keys=fingerprint_key,
        is_public=source.trust == "public",
    )


def _pieces(source: Source, program: str) -> Iterable[bytes]:
    """The fixed pieces in the order of `kernel`'s numbers."""
    yield b'{"message_id":"'
    yield b'","source":%b,"trust":%b,"time_us":' % (_encode(source.name), _encode(source.trust))
    yield b',"received_us":'
    yield b',"sent_us":'
    yield b',"claims":["person"]'
    yield b',"program":' + _encode(program) if program else b""
    yield b'"person":"%b:' % source.person_id_type.encode()
    yield b',"device":"device:'
    yield b'"device":"device:'
    yield b'},"type":"track","original_us":'
    yield b',"seq":'
    yield b',"properties":'
    for name in _COLUMN_NAMES:
        yield b',"%b":"' % name.encode()


def _kind(known: Declared) -> tuple[int, tuple[str, ...]]:
    """How the kernel checks a property, and its allowed texts."""
    if get_origin(known.type) is Literal:
        choices: tuple[Any, ...] = get_args(known.type)
        if all(type(choice) is int for choice in choices):
            return write_kernels.NUMBER, tuple(map(str, choices))
        if any(_encode(choice) != f'"{choice}"'.encode() for choice in choices):
            return write_kernels.OTHER, ()
        return write_kernels.CHOICE, choices
    if known.words == "an integer":
        return write_kernels.INT, ()
    return _KIND_OF_TYPE.get(known.type, write_kernels.OTHER), ()


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
