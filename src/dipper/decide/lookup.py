"""All conditions of a placement at once, looked up input by input.

Each input has a table from a value to the literals (`clauses`) that are TRUE with it, over all
conditions, as bits of one int. A decision joins the ints of its values; a condition holds when each
of its clauses has a bit. So the price is a lookup an input and none a condition. A table fills as
values come. What no table can answer is a generated function, as every condition once was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import getitem, or_
from typing import Any

from dipper.decide.clauses import Literal, Split, split
from dipper.decide.condition import Condition
from dipper.decide.inputs import NOW, TRUE, UNKNOWN, Inputs, Values
from dipper.expr import tree
from dipper.expr.parse import Expression
from dipper.expr.python import Mask, compile_mask
from dipper.expr.tree import Node, inputs_of

# What the tables of all inputs together may take.
TABLES_MAX_BYTES = 32 << 20


class Table(dict[Any, int]):
    """value of one input -> the literals that are TRUE with it. Keeps `most` of them."""

    def __init__(self, function: Mask, most: int) -> None:
        super().__init__()
        self._function = function
        self._most = most

    def __missing__(self, value: Any) -> int:
        found = self._function((value,))
        if len(self) < self._most:
            self[value] = found
        return found


class Lookup:
    """The conditions of a placement, None for one that always holds. Bit i is condition i.

    Literals stand in rows of one bit a condition: a row for each literal of each clause.
    """

    def __init__(self, conditions: Sequence[Condition | None], inputs: Inputs) -> None:
        self._count = len(conditions)
        splits = [split(c.expression.tree, NOW) if c else Split((), ()) for c in conditions]
        widths = _widths(splits)
        self._slots = _slots(widths, self._count)
        self._base, literals = self._place(splits)
        tables = {name: _table(name, found) for name, found in literals.items()}
        self._set_flags(inputs, tables)
        others = [one.name for one in inputs.others if one.name in tables]
        entry_bytes = 32 + sum(widths) * self._count // 8
        most = TABLES_MAX_BYTES // (entry_bytes * max(1, len(others)))
        self._tables = [Table(tables[name], most) for name in others]
        self._pick = inputs.pick(others)
        self._rest = _Rest(splits, inputs)
        self._possible = _bits(not (c and c.absent) for c in conditions)
        needed_by = {
            one.name: _bits(bool(c and one.name in c.required) for c in conditions)
            for one in inputs.inputs
        }
        self._flags_needed = [needed_by[one.name] for one in inputs.flags]
        self._others_needed = [needed_by[one.name] for one in inputs.others]

    def hold(self, values: Values) -> int:
        """Which conditions are TRUE with nothing missing that they need."""
        bits = self._base
        flags = values.flags
        if_true = self._if_true
        at = flags.find(TRUE)
        while at >= 0:
            bits ^= if_true[at]
            at = flags.find(TRUE, at + 1)
        found = self._possible
        if UNKNOWN in flags:
            at = flags.find(UNKNOWN)
            while at >= 0:
                bits ^= self._if_unknown[at]
                found &= ~self._flags_needed[at]
                at = flags.find(UNKNOWN, at + 1)
        if None in values.others:
            for value, needing in zip(values.others, self._others_needed, strict=True):
                if value is None:
                    found &= ~needing
        bits = reduce(or_, map(getitem, self._tables, self._pick(values)), bits)
        for shifts in self._slots:
            found &= reduce(or_, [bits >> shift for shift in shifts])
        return found & self._rest.hold(values) if self._rest.asked else found

    def _place(self, splits: Sequence[Split]) -> tuple[int, dict[str, list[tuple[Literal, int]]]]:
        """The bits that are set whatever the values, and the literals of each input with theirs."""
        base = 0
        literals: dict[str, list[tuple[Literal, int]]] = {}
        for slot, shifts in enumerate(self._slots):
            for at, (clauses, _) in enumerate(splits):
                if slot >= len(clauses):
                    base |= 1 << shifts[0] + at
                    continue
                for literal, shift in zip(clauses[slot], shifts, strict=False):
                    literals.setdefault(literal.input, []).append((literal, 1 << shift + at))
        return base, literals

    def _set_flags(self, inputs: Inputs, tables: Mapping[str, Mask]) -> None:
        """What changes in the bits where a flag is true or not known instead of false."""
        self._if_true, self._if_unknown = [], []
        for one in inputs.flags:
            function = tables.get(one.name, _nothing)
            false = function((False,))
            self._base |= false
            self._if_true.append(false ^ function((True,)))
            self._if_unknown.append(false ^ function((None,)))


class _Rest:
    """The conditions that read several inputs at once, as one generated function."""

    def __init__(self, splits: Sequence[Split], inputs: Inputs) -> None:
        found = {at: one.rest for at, one in enumerate(splits) if one.rest}
        trees = [rest[0] if len(rest) == 1 else tree.And(rest) for rest in found.values()]
        names = sorted({name for node in trees for name in inputs_of(node)})
        self.asked = sum(1 << at for at in found)
        self._others = (1 << len(splits)) - 1 & ~self.asked
        self._function = compile_mask(_expressions(trees), names, [1 << at for at in found])
        self._pick = inputs.pick(names)

    def hold(self, values: Values) -> int:
        """Those whose rest is TRUE, and all that have none."""
        return self._others | self._function(self._pick(values))


def _widths(splits: Sequence[Split]) -> list[int]:
    """How many literals the longest clause at each place has."""
    slots = range(max((len(one.clauses) for one in splits), default=0))
    return [max(len(one.clauses[k]) for one in splits if len(one.clauses) > k) for k in slots]


def _slots(widths: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """Where the rows of each slot begin, in bits."""
    starts = [sum(widths[:slot]) for slot in range(len(widths))]
    return [
        tuple((start + row) * count for row in range(width))
        for start, width in zip(starts, widths, strict=True)
    ]


def _table(name: str, literals: Sequence[tuple[Literal, int]]) -> Mask:
    trees = [literal.tree for literal, _ in literals]
    return compile_mask(_expressions(trees), (name,), [bit for _, bit in literals])


def _expressions(trees: Iterable[Node]) -> list[Expression]:
    return [Expression("", node, "bool", inputs_of(node)) for node in trees]


def _nothing(values: Sequence[Any]) -> int:
    """No literal reads it."""
    return 0


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << place for place, flag in enumerate(flags) if flag)
