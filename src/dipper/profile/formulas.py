"""Formulas and segments in stages: each stage is one generated function over what came before.

What a stage reads and gives has the names of the expression language: `tag.x`, `segment.y`,
`person.city`, `now()`, `holds('product')`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from dipper.expr.parse import Expression
from dipper.expr.python import compile_function
from dipper.kit.errors import BadInput

Environment = dict[str, Any]


# From values, by name or by place, to some of them.
Take = Callable[[Any], tuple[Any, ...]]


class Stage(NamedTuple):
    """One generated function over the values of its inputs."""

    inputs: tuple[str, ...]
    function: Callable[[Sequence[Any]], tuple[Any, ...]]
    outputs: tuple[str, ...]
    defaults: tuple[Any, ...]
    has_defaults: bool

    def results(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The values of its outputs, with defaults for nulls."""
        results = self.function(values)
        if self.has_defaults:
            results = tuple(
                default if result is None else result
                for result, default in zip(results, self.defaults, strict=True)
            )
        return results


def compile_stages(
    expressions: Mapping[str, Expression], defaults: Mapping[str, Any]
) -> tuple[Stage, ...]:
    """Stages in which every expression comes after those that it reads.

    `defaults` replace a null. Raises BadInput when expressions read each other in a circle.
    """
    waiting = dict(expressions)
    stages = []
    while waiting:
        ready = [name for name, e in waiting.items() if not any(i in waiting for i in e.inputs)]
        if not ready:
            raise BadInput(f"these read each other in a circle: {', '.join(sorted(waiting))}")
        stages.append(_stage({name: waiting.pop(name) for name in ready}, defaults))
    return tuple(stages)


def closure(wanted: Sequence[str], expressions: Mapping[str, Expression]) -> frozenset[str]:
    """Everything that the wanted names read, directly or through other expressions; with them."""
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            if name in expressions:
                waiting += expressions[name].inputs
    return frozenset(found)


def _stage(expressions: Mapping[str, Expression], defaults: Mapping[str, Any]) -> Stage:
    inputs = sorted({name for e in expressions.values() for name in e.inputs})
    replaced = tuple(defaults.get(name) for name in expressions)
    return Stage(
        tuple(inputs),
        compile_function(list(expressions.values()), inputs),
        tuple(expressions),
        replaced,
        any(default is not None for default in replaced),
    )


def taker(inputs: Sequence[Any]) -> Take:
    """A function that gives the values at these keys (names, or places in a list) as a tuple."""
    if not inputs:
        return _nothing
    if len(inputs) == 1:
        key = inputs[0]
        return lambda values: (values[key],)
    return itemgetter(*inputs)


def _nothing(values: Any) -> tuple[Any, ...]:
    return ()
