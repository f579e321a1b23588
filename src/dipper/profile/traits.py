"""Traits: the lasting attributes of a subject that a believed source has stated.

For each attribute the last statement in timeline order holds. A null states that the value is not
known (any more). What a public source says of a person is a claim and does not get here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dipper.expr.types import Type
from dipper.profile.identity import OrderKey
from dipper.profile.values import Value, typed


class Trait(NamedTuple):
    """A stated value with its place in the timeline."""

    time_us: int
    seq: int
    order: int
    value: bool | int | float | str | None


def stated(
    key: OrderKey, properties: Mapping[str, Any], attributes: Mapping[str, Type]
) -> dict[str, Trait]:
    """What an identify or group event states of the declared attributes; others are not kept."""
    return {
        name: Trait(*key, typed(properties[name], type_))
        for name, type_ in attributes.items()
        if name in properties
    }


def is_later(trait: Trait, known: Trait | None) -> bool:
    """Whether a statement comes after the known one; one moment's are ordered by their value."""
    return known is None or _sortable(trait) > _sortable(known)


def values_of(parts: Iterable[Mapping[str, Trait]]) -> dict[str, Value]:
    """The values that hold among several ids."""
    merged: dict[str, Trait] = {}
    for part in parts:
        if not merged:
            merged.update(part)
            continue
        for name, trait in part.items():
            if is_later(trait, merged.get(name)):
                merged[name] = trait
    return {name: trait.value for name, trait in merged.items()}


def _sortable(trait: Trait) -> tuple[OrderKey, str]:
    return trait[:3], repr(trait.value)
