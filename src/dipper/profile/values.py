"""How a property's JSON value becomes the value that expressions read, and the slot of a record.

A value of another type than the dictionary says is null, here as in the lake's typed columns, so
that the online path and history read one event alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated, Any

import msgspec

from dipper.engine.record import Event
from dipper.expr.dates import parse_day
from dipper.expr.types import Type
from dipper.kit.clock import from_iso
from dipper.spec.envelope import READABLE

Value = bool | int | float | str | None

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_DECODED: dict[Type, Any] = {
    "bool": bool,
    "int": _Int64,
    "double": float,
    "text": str,
    "timestamp": str,
    "date": str,
}


def typed(value: Any, type_: Type) -> Value:
    """The value that an expression reads: µs for a timestamp, days for a date, else as it is."""
    if type_ == "timestamp":
        return _moment(value)
    if type_ == "date":
        return parse_day(value) if type(value) is str else None
    if type_ == "double":
        return _double(value)
    if type_ == "int":
        return value if type(value) is int and -(2**63) <= value < 2**63 else None
    return value if type(value) is (bool if type_ == "bool" else str) else None


def _moment(value: Any) -> int | None:
    if type(value) is not str:
        return None
    try:
        return from_iso(value)
    except ValueError:  # Not a moment: null, as the lake has it.
        return None


def _double(value: Any) -> float | None:
    if type(value) is int and abs(value) < 2**1000:
        return float(value)
    return value if type(value) is float and math.isfinite(value) else None


class EventReader:
    """Takes the named inputs out of an event, in their order: properties and envelope columns."""

    def __init__(self, inputs: Sequence[str], types: dict[str, Type]) -> None:
        properties = [name for name in inputs if name not in READABLE]
        columns = [name for name in inputs if name in READABLE]
        self.names = (*properties, *columns)
        self._types = [types[name] for name in properties]
        self._properties = properties
        self._decode = _decoder(properties, self._types) if properties else None
        self._convert = [
            (place, type_)
            for place, type_ in enumerate(self._types)
            if type_ in ("timestamp", "date")
        ]
        self._columns = _columns(columns)

    def read(self, event: Event) -> tuple[Value, ...]:
        """The values, null where the event has none of that type."""
        values: tuple[Value, ...] = ()
        if self._decode is not None:
            try:
                values = msgspec.structs.astuple(self._decode(event.properties))
            except msgspec.DecodeError:
                # Some value is of another type than the dictionary says: read each by itself.
                return self._one_by_one(event.properties) + self._columns(event)
            if self._convert:
                values = self._converted(values)
        return values + self._columns(event)

    def _converted(self, values: tuple[Value, ...]) -> tuple[Value, ...]:
        changed = list(values)
        for place, type_ in self._convert:
            changed[place] = typed(values[place], type_)
        return tuple(changed)

    def _one_by_one(self, raw: bytes) -> tuple[Value, ...]:
        values = decode_properties(raw)
        return tuple(
            typed(values.get(name), type_)
            for name, type_ in zip(self._properties, self._types, strict=True)
        )


def _decoder(names: list[str], types: list[Type]) -> Callable[[bytes], msgspec.Struct]:
    fields = [
        (name, _DECODED[type_] | None, None) for name, type_ in zip(names, types, strict=True)
    ]
    struct = msgspec.defstruct("Properties", fields, gc=False)
    return msgspec.json.Decoder(struct).decode


def _columns(names: list[str]) -> Callable[[Event], tuple[Value, ...]]:
    attributes = ["time_us" if name == "time" else name for name in names]
    if not attributes:
        return _none
    if len(attributes) == 1:
        get = attrgetter(attributes[0])
        return lambda event: (get(event),)
    return attrgetter(*attributes)


def _none(event: Event) -> tuple[Value, ...]:
    return ()


_DECODE: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode
_DECODE_RAW: Callable[[bytes], dict[str, msgspec.Raw]] = msgspec.json.Decoder(
    dict[str, msgspec.Raw]
).decode
_DECODE_VALUE: Callable[[bytes], Any] = msgspec.json.Decoder().decode


def decode_properties(raw: bytes) -> dict[str, Any]:
    """All properties of an event; what no property type holds is None. What is no object has none.

    Collection lets only objects through; a log may come from elsewhere.
    """
    try:
        return _DECODE(raw)
    except msgspec.DecodeError:
        pass  # One value may be beyond every type: each is read by itself.
    try:
        return {name: _value(text) for name, text in _DECODE_RAW(raw).items()}
    except msgspec.DecodeError:
        return {}


def _value(raw: bytes) -> Any:
    try:
        return _DECODE_VALUE(raw)
    except msgspec.DecodeError:  # 1e400 and its like: no property type holds it.
        return None
