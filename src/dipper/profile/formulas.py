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


class Stage(NamedTuple):
    """One generated function: `read` takes its inputs out of the environment."""

    read: Callable[[Environment], tuple[Any, ...]]
    function: Callable[[Sequence[Any]], tuple[Any, ...]]
    outputs: tuple[str, ...]
    defaults: tuple[Any, ...]
    has_defaults: bool


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


def run(stages: Sequence[Stage], environment: Environment) -> None:
    """Add the values of all stages to the environment."""
    for stage in stages:
        results = stage.function(stage.read(environment))
        if stage.has_defaults:
            results = tuple(
                default if result is None else result
                for result, default in zip(results, stage.defaults, strict=True)
            )
        environment.update(zip(stage.outputs, results, strict=True))


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
        taker(inputs),
        compile_function(list(expressions.values()), inputs),
        tuple(expressions),
        replaced,
        any(default is not None for default in replaced),
    )


def taker(inputs: Sequence[str]) -> Callable[[Environment], tuple[Any, ...]]:
    """A function that gives the values of these inputs as a tuple."""
    if not inputs:
        return _nothing
    if len(inputs) == 1:
        name = inputs[0]
        return lambda environment: (environment[name],)
    return itemgetter(*inputs)


def _nothing(environment: Environment) -> tuple[Any, ...]:
    return ()
