"""Risk assessments (风险测评): the last one that the core recorded, and until when it counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dipper.expr.dates import midnight, parse_day
from dipper.profile.identity import OrderKey


class Assessed(NamedTuple):
    """A recorded assessment with its place in the timeline; days since 1970."""

    time_us: int
    seq: int
    order: int
    level: int
    valid_until: int


class Assessment(NamedTuple):
    """Risk tolerance 1 to 5, valid before `valid_until_us`: through its last day in Beijing."""

    level: int
    valid_until_us: int


def assessed_of(key: OrderKey, properties: Mapping[str, Any]) -> Assessed | None:
    """The record of an assessment event; None when level or last day cannot be read."""
    level, until = properties.get("risk_level"), properties.get("valid_until")
    day = parse_day(until) if isinstance(until, str) else None
    if type(level) is not int or not 1 <= level <= 5 or day is None:
        return None
    return Assessed(*key, level, day)


def latest(parts: Iterable[Assessed | None]) -> Assessment | None:
    """The last one among several ids, or None. An expired one is still the last one."""
    last = None
    for part in parts:
        if part is not None and (last is None or part > last):
            last = part
    if last is None:
        return None
    return Assessment(last.level, midnight(last.valid_until + 1))
