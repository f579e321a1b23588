"""Tags and contact caps that are folded from records, as the condition and aggregate of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dipper.expr.types import Type
from dipper.fold.tags import Aggregate
from dipper.profile.caps import cap_condition
from dipper.profile.rows import Condition
from dipper.profile.values import Value
from dipper.spec.envelope import READABLE
from dipper.spec.kinds.cap import Cap
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program

# The aggregate of the kernel over ints (and times) and over doubles.
_AGGREGATES: dict[str, tuple[Aggregate, Aggregate]] = {
    "count": (Aggregate.COUNT, Aggregate.COUNT),
    "sum": (Aggregate.SUM_INT, Aggregate.SUM_DOUBLE),
    "min": (Aggregate.MIN_INT, Aggregate.MIN_DOUBLE),
    "max": (Aggregate.MAX_INT, Aggregate.MAX_DOUBLE),
    "first": (Aggregate.FIRST, Aggregate.FIRST),
    "last": (Aggregate.LAST, Aggregate.LAST),
    "distinct": (Aggregate.DISTINCT, Aggregate.DISTINCT),
}


class FoldedTag(NamedTuple):
    """A tag or cap by its input name (`tag.x`, `cap.x`); window 0 is the whole life."""

    name: str
    type: Type
    default: Value
    aggregate: Aggregate
    condition: Condition
    window_us: int


def folded_tags(
    program: Program, subject: str, types: Mapping[str, Type], lines: Mapping[str, str]
) -> list[FoldedTag]:
    """The aggregates of one subject kind, and the caps that protect it."""
    tags = [
        _folded(program, tag, types[tag.name])
        for tag in program.of(Tag).values()
        if tag.subject == subject and tag.value.aggregate is not None
    ]
    caps = [
        FoldedTag(
            f"cap.{cap.name}", "int", None, Aggregate.COUNT,
            cap_condition(program, cap, lines), cap.window_us,
        )
        for cap in program.of(Cap).values()
        if cap.subject == subject
    ]  # fmt: skip
    return tags + caps


def _folded(program: Program, tag: Tag, type_: Type) -> FoldedTag:
    value = tag.value
    property_ = value.property or ""
    spec = program.of(Property).get(property_)
    of = spec.type if spec is not None else READABLE.get(property_, "int")
    aggregate = _AGGREGATES[str(value.aggregate)][of == "double"]
    condition = Condition(tuple(sorted(set(value.events))), value.where or "", property_)
    return FoldedTag(
        f"tag.{tag.name}", type_, tag.default, aggregate, condition, value.window_us or 0
    )
