"""From a placement's inputs to the vector that a ranker reads.

The order and the names of the columns follow from the program, so that a stored trace gives the
same vector years later and a model says by name what it has learned. Numbers are squeezed by
log1p (counts and amounts span decades), texts become one column for each declared value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import log1p
from typing import Any, Literal

import numpy as np

from dipper.decide.inputs import Inputs, Pick, Values
from dipper.expr.dates import day_of
from dipper.expr.types import Type
from dipper.kit.clock import DAY_US
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program

Vector = np.ndarray[Any, np.dtype[np.float64]]
Form = Literal["bool", "number", "day", "moment", "is_value", "is_missing"]

INTERCEPT = "1"

SQUEEZED_MAX = 10_000

# Dates and moments become days before now.
_FORMS: Mapping[Type, Form] = {"date": "day", "timestamp": "moment"}


@dataclass(frozen=True)
class Column:
    """One number of the vector: how it follows from one input."""

    name: str
    input: str
    form: Form
    value: str = ""


@dataclass(frozen=True)
class FeatureSpace:
    """The columns of a policy. The vector has the intercept first and then a number each."""

    columns: tuple[Column, ...]

    def without(self, inputs: Collection[str]) -> FeatureSpace:
        """The columns that do not read these inputs."""
        return FeatureSpace(tuple(one for one in self.columns if one.input not in inputs))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all numbers of the vector in order."""
        return (INTERCEPT, *(column.name for column in self.columns))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The inputs that the columns read, each once, in order of appearance."""
        return tuple(dict.fromkeys(column.input for column in self.columns))

    def reader(self, inputs: Inputs) -> Reader:
        """Reads vectors from the values of these inputs."""
        squeezed = _Squeezed().__getitem__
        steps = tuple(_step(column, squeezed) for column in self.columns)
        timed = tuple(
            (place, column.form)
            for place, column in enumerate(self.columns, 1)
            if column.form in _SINCE
        )
        return Reader(inputs.pick([column.input for column in self.columns]), steps, timed)


Step = Callable[[Any], float]


@dataclass(frozen=True)
class Reader:
    """A feature space over the values of a placement: where each column's value stands and what
    becomes of it. `timed` are the place in the vector and the form of those that need the time."""

    pick: Pick
    steps: tuple[Step, ...]
    timed: tuple[tuple[int, Form], ...]

    def vector(self, values: Values) -> Vector:
        """The vector of some values."""
        picked = self.pick(values)
        numbers = [1.0]
        numbers += [step(value) for step, value in zip(self.steps, picked, strict=True)]
        for place, form in self.timed:
            numbers[place] = _SINCE[form](picked[place - 1], values.now_us)
        return np.array(numbers)


def feature_space(
    program: Program, features: Sequence[str], types: Mapping[str, Type]
) -> FeatureSpace:
    """The columns of a policy's features, in the order in which the policy names them.

    `types` are those of the inputs. A column of the product is left out: it is the same for
    everybody, so the offer's own weights carry it. So is a text without declared values.
    """
    columns: list[Column] = []
    for name in features:
        if not name.startswith("product.") and name in types:
            columns += _columns(program, name, types[name])
    return FeatureSpace(tuple(columns))


def _columns(program: Program, name: str, type_: Type) -> list[Column]:
    if type_ == "bool":
        return [Column(name, name, "bool")]
    if type_ == "text":
        return [Column(f"{name}={v}", name, "is_value", v) for v in _values(program, name)]
    form = _FORMS.get(type_, "number")
    columns = [Column(name, name, form)]
    if not _is_always_known(program, name):
        columns.append(Column(f"{name} is missing", name, "is_missing"))
    return columns


def _values(program: Program, name: str) -> tuple[str, ...]:
    """The texts that a property, or the property below a tag, may have."""
    prefix, _, rest = name.partition(".")
    if prefix == "tag":
        tag = program.of(Tag).get(rest)
        rest = (tag.value.property or tag.value.attribute or "") if tag else ""
    known = program.of(Property).get(rest)
    return (known.values or ()) if known is not None else ()


def _is_always_known(program: Program, name: str) -> bool:
    """Whether an input has a number for everybody: a count, or a tag with a default."""
    prefix, _, rest = name.partition(".")
    tag = program.of(Tag).get(rest) if prefix == "tag" else None
    return tag is not None and (
        tag.value.aggregate in ("count", "distinct") or tag.default is not None
    )


class _Squeezed(dict[Any, float]):
    """value -> the number of its column. Counts come again and again, so that they are kept."""

    def __missing__(self, value: float | None) -> float:
        number = 0.0 if value is None else _squeezed(value)
        if len(self) < SQUEEZED_MAX:
            self[value] = number
        return number


def _step(column: Column, squeezed: Step) -> Step:
    """From the value of a column to its number."""
    if column.form == "number":
        return squeezed
    if column.form == "is_value":
        return partial(_is_value, column.value)
    return _is_missing if column.form == "is_missing" else _is_true


def _is_value(text: str, value: Any) -> float:
    return 1.0 if value == text else 0.0


def _is_missing(value: Any) -> float:
    return 1.0 if value is None else 0.0


def _is_true(value: Any) -> float:
    return 1.0 if value else 0.0


def _days_since_day(value: int | None, now_us: int) -> float:
    return 0.0 if value is None else _squeezed(day_of(now_us) - value)


def _days_since_moment(value: int | None, now_us: int) -> float:
    return 0.0 if value is None else _squeezed((now_us - value) / DAY_US)


_SINCE: Mapping[Form, Callable[[int | None, int], float]] = {
    "day": _days_since_day,
    "moment": _days_since_moment,
}


def _squeezed(number: float) -> float:
    return log1p(number) if number >= 0 else -log1p(-number)
