"""From the records of a subject to the values of its tags, and from these to its segments.

An evaluation computes what is wanted and what that reads, nothing else: decisions want every tag,
a tick only what its segments read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from dipper.expr.parse import Expression
from dipper.expr.tree import HostCall, host_calls
from dipper.expr.types import Type
from dipper.fold.records import Matrix
from dipper.fold.tags import Flags, FoldTable, Numbers, TagFold, fold_one, fold_table
from dipper.fold.windows import Watch, WatchTable, watch_table
from dipper.profile.formulas import Environment, Stage, Take, closure, compile_stages, taker
from dipper.profile.holdings import Holding
from dipper.profile.values import Value

# The order of tags in a fold, so that one slice has one kind of Python value.
_CLASSES: dict[Type, int] = {"int": 0, "timestamp": 0, "date": 0, "double": 1, "bool": 2, "text": 3}


class PlainTag(NamedTuple):
    """A tag (or cap) that is folded from records; `name` is its input name, `tag.x` or `cap.x`."""

    name: str
    type: Type
    default: Value
    fold: TagFold


class AttributeTag(NamedTuple):
    """A tag that is an attribute; `source` is the input name of the attribute."""

    name: str
    source: str
    default: Value


class Known(NamedTuple):
    """What a subject has beside its records: traits by name, what it holds, texts by hash."""

    traits: Mapping[str, Value]
    holdings: tuple[Holding, ...]
    products: Collection[str]
    lines: Collection[str]
    texts: Mapping[int, str]


NOTHING_KNOWN = Known({}, (), frozenset(), frozenset(), {})


@dataclass(frozen=True)
class Evaluation:
    """Compiled for one subject kind; make it with `compile_evaluation`."""

    fold: FoldTable
    watch: WatchTable
    names: tuple[str, ...]
    defaults: tuple[Value, ...]
    ends: tuple[int, int, int]
    attributes: tuple[tuple[str, str], ...]
    attribute_tags: tuple[AttributeTag, ...]
    hosts: tuple[tuple[str, str, str], ...]
    stages: tuple[Stage, ...]
    reads_now: bool

    def at(self, rows: Matrix, now_us: int, known: Known) -> Environment:
        """All values at one moment, by input name."""
        return dict(zip(self.order, self.values(rows, now_us, known), strict=True))

    def _one(self, values: Numbers, nulls: Flags, texts: Mapping[int, str]) -> list[Value]:
        """The same as `plain` for a single evaluation, in fewer steps."""
        ints, doubles, bools = self.ends
        plain: list[Any] = values.tolist()
        if doubles > ints:
            plain[ints:doubles] = values[ints:doubles].view(np.float64).tolist()
        if bools > doubles:
            plain[doubles:bools] = map(bool, plain[doubles:bools])
        if len(plain) > bools:
            plain[bools:] = map(texts.get, plain[bools:])
        if nulls.any():
            for place in nulls.nonzero()[0].tolist():
                plain[place] = self.defaults[place]
        return plain

    def plain(
        self, values: Numbers, nulls: Flags, texts: Sequence[Mapping[int, str]]
    ) -> list[list[Value]]:
        """Python values of the folded tags, a list an evaluation, defaults where null.

        `texts` has an entry for each evaluation.
        """
        ints, doubles, bools = self.ends
        lists: list[list[Any]] = values.tolist()
        if doubles > ints:
            part = np.ascontiguousarray(values[:, ints:doubles]).view(np.float64).tolist()
            for row, numbers in zip(lists, part, strict=True):
                row[ints:doubles] = numbers
        if len(self.names) > doubles:
            for row, known in zip(lists, texts, strict=True):
                row[doubles:bools] = map(bool, row[doubles:bools])
                row[bools:] = [known.get(text) for text in row[bools:]]
        # Most subjects have some tag without a value, so that the nulls are taken all at once.
        where, which = np.nonzero(nulls)
        defaults = self.defaults
        for at, tag in zip(where.tolist(), which.tolist(), strict=True):
            lists[at][tag] = defaults[tag]
        return lists

    def environment(self, plain: Sequence[Value], known: Known, now_us: int) -> Environment:
        """All values by input name: folded tags, attributes, formulas, segments."""
        return dict(zip(self.order, self._completed([*plain], known, now_us), strict=True))

    def values(self, rows: Matrix, now_us: int, known: Known) -> list[Value]:
        """The same as `at` in the order of `order`."""
        folded, nulls = fold_one(rows, now_us, self.fold)
        return self._completed(self._one(folded, nulls, known.texts), known, now_us)

    def _completed(self, found: list[Any], known: Known, now_us: int) -> list[Value]:
        """The folded tags, with everything behind them that follows from them."""
        if self.attributes:
            traits = known.traits
            found += [traits.get(attribute) for _, attribute in self.attributes]
        for tag in self.attribute_tags:
            value = found[self.places[tag.source]]
            found.append(tag.default if value is None else value)
        if self.reads_now:
            found.append(now_us)
        for _, function, argument in self.hosts:
            found.append(argument in (known.products if function == "holds" else known.lines))
        for stage, read in self._stages_by_place:
            found += stage.results(read(found))
        return found

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The input names of all values, each behind those that it follows from."""
        return (
            *self.names,
            *(source for source, _ in self.attributes),
            *(tag.name for tag in self.attribute_tags),
            *(["now()"] * self.reads_now),
            *(name for name, _, _ in self.hosts),
            *(name for stage in self.stages for name in stage.outputs),
        )

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each input name in `order`."""
        return {name: place for place, name in enumerate(self.order)}

    @cached_property
    def _stages_by_place(self) -> tuple[tuple[Stage, Take], ...]:
        return tuple((stage, self._take(stage.inputs)) for stage in self.stages)

    @cached_property
    def _takes(self) -> dict[tuple[str, tuple[str, ...]], Take]:
        return {}

    def take(self, prefix: str, names: tuple[str, ...]) -> Take:
        """A function from the values to those of `prefix` + each name, as a tuple."""
        found = self._takes.get((prefix, names))
        if found is None:
            found = self._takes[prefix, names] = self._take([prefix + name for name in names])
        return found

    def _take(self, names: Sequence[str]) -> Take:
        return taker([self.places[name] for name in names])


def compile_evaluation(
    wanted: Iterable[str],
    *,
    plain: Sequence[PlainTag],
    attribute_tags: Sequence[AttributeTag],
    expressions: Mapping[str, Expression],
    defaults: Mapping[str, Value],
    words: int,
) -> Evaluation:
    """The evaluation of the wanted names and of what these read.

    `expressions` are formulas (`tag.x`) and segments (`segment.y`) by input name.
    """
    needed = closure([*wanted], expressions)
    needed |= {tag.source for tag in attribute_tags if tag.name in needed}
    folded = sorted(
        (tag for tag in plain if tag.name in needed), key=lambda t: (_CLASSES[t.type], t.name)
    )
    classes = [_CLASSES[tag.type] for tag in folded]
    used = {name: e for name, e in expressions.items() if name in needed}
    calls = {call for e in used.values() for call in host_calls(e.tree)}
    prefixes = ("tag.", "segment.", "cap.")
    return Evaluation(
        fold=fold_table([tag.fold for tag in folded], words),
        watch=watch_table([Watch(tag.fold.bit, tag.fold.window_us) for tag in folded], words),
        names=tuple(tag.name for tag in folded),
        defaults=tuple(tag.default for tag in folded),
        ends=(
            classes.count(0),
            classes.count(0) + classes.count(1),
            len(classes) - classes.count(3),
        ),
        attributes=tuple(
            (name, name.partition(".")[2])
            for name in sorted(needed)
            if "(" not in name and not name.startswith(prefixes)
        ),
        attribute_tags=tuple(tag for tag in attribute_tags if tag.name in needed),
        hosts=tuple(
            (call.name, call.function, _argument(call))
            for call in sorted(calls, key=lambda call: call.name)
            if call.function != "now"
        ),
        stages=compile_stages(used, defaults),
        reads_now="now()" in needed,
    )


def _argument(call: HostCall) -> str:
    return str(call.arguments[0].value)
