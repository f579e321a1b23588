"""What an event leaves in the near end of a timeline: the record layout of a program, and for each
event the function that makes its row.

Tags that count by the same condition share a bit, whatever their windows; values share slots, for
a property has one slot and properties that never meet in one event may have the same. All
conditions of an event are one generated function.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from dipper.engine.record import Event
from dipper.expr.parse import Expression, parse
from dipper.expr.python import compile_mask
from dipper.expr.types import Type
from dipper.fold.records import WORD_BITS, RecordLayout
from dipper.kit.hashing import canonical_json, digest, hash64
from dipper.profile.values import EventReader
from dipper.spec.envelope import READABLE
from dipper.spec.kinds.property import Property
from dipper.spec.program import Program
from dipper.spec.scope import event_scope

TEXTS_MAX = 4_096

_ENCODE = msgspec.msgpack.Encoder().encode


class Condition(NamedTuple):
    """What a bit says: one of these events, `where` is true, and `property` is not null."""

    events: tuple[str, ...]
    where: str
    property: str


class KeptText(NamedTuple):
    """A text, its hash, and both as they stand among the stored facts of an id (msgpack)."""

    hash: int
    text: str
    stored: bytes


class RowMaker:
    """Makes the rows of one event for one layout."""

    def __init__(
        self,
        code: int,
        layout: RecordLayout,
        conditions: Sequence[tuple[int, Expression | None]],
        slots: Mapping[str, int],
        texts: frozenset[str],
        types: Mapping[str, Type],
    ) -> None:
        """`conditions` are (bit, expression; None: always). `slots` maps property to slot."""
        written = [(bit, e) for bit, e in conditions if e is not None]
        self._always = sum(1 << bit for bit, e in conditions if e is None)
        inputs = sorted({name for _, e in written for name in e.inputs} | set(slots))
        self._reader = EventReader(inputs, dict(types))
        names = self._reader.names
        self._mask = compile_mask([e for _, e in written], names) if written else None
        self._spread = _spread([bit for bit, _ in written])
        self._code = code
        self._words = layout.words
        by_slot = {slot: name for name, slot in slots.items()}
        used = [by_slot[slot] for slot in sorted(by_slot)]
        self._take = _taker([names.index(name) for name in used])
        self._doubles = [i for i, name in enumerate(used) if types[name] == "double"]
        self._texts = [(i, name in texts) for i, name in enumerate(used) if types[name] == "text"]
        forms = [_form(by_slot.get(slot), types) for slot in range(layout.slots)]
        self._pack = struct.Struct(f"<5q{layout.words}Q{''.join(forms)}").pack
        self._known: dict[str, KeptText] = {}

    def row(self, event: Event, order: int, claim: int) -> tuple[bytes, int, Sequence[KeptText]]:
        """The row, its condition bits, and the texts that tags may have to give.

        An event for which no condition holds has no bits: its row need not be kept.
        """
        values = self._reader.read(event)
        mask = self._always
        if self._mask is not None:
            found = self._mask(values)
            for table in self._spread:
                mask |= table[found & 0xFF]
                found >>= 8
        if not mask:
            return b"", 0, ()
        slots = list(self._take(values))
        kept: list[KeptText] = []
        for place, is_kept in self._texts:
            text: Any = slots[place]
            if text is not None:
                known = self._known.get(text) or self._new(text)
                slots[place] = known.hash
                if is_kept:
                    kept.append(known)
        for place in self._doubles:
            number: Any = slots[place]
            # Adding zero makes -0.0 and 0.0 one number: they are equal and their bits are not.
            slots[place] = 0.0 if number is None else number + 0.0
        if None in slots:
            slots = [0 if value is None else value for value in slots]
        words = (mask,) if self._words == 1 else _words(mask, self._words)
        row = self._pack(event.time_us, event.seq, order, claim, self._code, *words, *slots)
        return row, mask, kept

    def _new(self, text: str) -> KeptText:
        """Most texts come again, so the last ones are remembered."""
        if len(self._known) >= TEXTS_MAX:
            self._known.clear()
        hashed = hash64(text)
        known = self._known[text] = KeptText(hashed, text, _ENCODE(hashed) + _ENCODE(text))
        return known


def _form(name: str | None, types: Mapping[str, Type]) -> str:
    """How a slot is packed; one that the event does not use is zeros."""
    if name is None:
        return "8x"
    return "d" if types[name] == "double" else "q"


def _taker(places: Sequence[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    if not places:
        return lambda values: ()
    if len(places) == 1:
        (place,) = places
        return lambda values: (values[place],)
    return itemgetter(*places)


def _words(mask: int, words: int) -> tuple[int, ...]:
    return tuple((mask >> (WORD_BITS * word)) & (2**WORD_BITS - 1) for word in range(words))


def _spread(bits: Sequence[int]) -> list[list[int]]:
    """For each byte of a mask over the event's own conditions, the bits of the layout."""
    tables = []
    for start in range(0, len(bits), 8):
        group = bits[start : start + 8]
        tables.append(
            [
                sum(1 << bit for i, bit in enumerate(group) if byte >> i & 1)
                for byte in range(1 << len(group))
            ]
        )
    return tables


@dataclass(frozen=True)
class Rows:
    """The layout of one family of subject kinds, its bits, slots and row makers by event."""

    layout: RecordLayout
    bits: Mapping[Condition, int]
    slots: Mapping[str, int]
    makers: Mapping[str, RowMaker]
    description: Mapping[str, Any]


def rows_of(program: Program, conditions: Iterable[Condition], kept_texts: frozenset[str]) -> Rows:
    """The rows that carry these conditions; `kept_texts` are properties whose text is kept.

    Raises ExpressionError for a condition that does not type in this program.
    """
    ordered = sorted(set(conditions))
    bits = {condition: bit for bit, condition in enumerate(ordered)}
    wanted: dict[str, set[str]] = {}
    for condition in ordered:
        for event in condition.events:
            wanted.setdefault(event, set()).update([condition.property] * bool(condition.property))
    slots = _colour(wanted)
    layout = RecordLayout(
        words=max(1, -(-len(ordered) // WORD_BITS)), slots=1 + max(slots.values(), default=-1)
    )
    types: dict[str, Type] = {spec.name: spec.type for spec in program.of(Property).values()}
    types |= READABLE
    codes = {event: code for code, event in enumerate(sorted(wanted))}
    expressions = {condition: _expression(program, condition) for condition in ordered}
    makers = {
        event: RowMaker(
            codes[event],
            layout,
            [(bits[c], expressions[c]) for c in ordered if event in c.events],
            {name: slots[name] for name in wanted[event]},
            kept_texts,
            types,
        )
        for event in codes
    }
    reads = sorted({n for e in expressions.values() if e for n in e.inputs})
    description = {
        "conditions": [list(condition) for condition in ordered],
        "slots": slots,
        "types": {name: types[name] for name in slots},
        "reads": {name: types[name] for name in reads},
        "kept_texts": sorted(kept_texts & slots.keys()),
    }
    return Rows(layout, bits, slots, makers, description)


def fingerprint(descriptions: Mapping[str, Mapping[str, Any]]) -> str:
    """The hash of what decides over the bytes of records; another one means a rebuild."""
    return digest(canonical_json(descriptions))


def _expression(program: Program, condition: Condition) -> Expression | None:
    parts = [f"({condition.where})"] * bool(condition.where)
    parts += [f"{condition.property} IS NOT NULL"] * bool(condition.property)
    if not parts:
        return None
    scope = event_scope(program, *condition.events)
    return parse(" AND ".join(parts), scope, expected="bool", where=condition.where)


def _colour(wanted: Mapping[str, set[str]]) -> dict[str, int]:
    """A slot for each property, different for two that one event carries (greedy colouring)."""
    slots: dict[str, int] = {}
    for name in sorted({name for names in wanted.values() for name in names}):
        rivals = {
            other for names in wanted.values() if name in names for other in names if other != name
        }
        taken = {slots[other] for other in rivals if other in slots}
        slots[name] = next(slot for slot in range(len(taken) + 1) if slot not in taken)
    return slots


Maker = Callable[[Event, int, int], tuple[bytes, int, Sequence[KeptText]]]
