"""All gates over all candidates of a placement, in one pass over the values.

What follows from the program alone is judged when it is compiled. The rest is asked once for each
distinct question (the consent to a set of purposes, a class and a risk level), and all conditions
together are one generated function. `judge` is the plain reading of one gate about one offer; a
property test holds both equal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np

from dipper.decide.candidate import Candidate
from dipper.decide.condition import Condition
from dipper.decide.gates.registry import Gate
from dipper.decide.gates.verdict import Verdict, input_missing
from dipper.expr.parse import Expression
from dipper.expr.python import compile_mask
from dipper.expr.tree import Constant
from dipper.kit.errors import BadInput

Counts = np.ndarray[Any, np.dtype[np.uint8]]
Places = np.ndarray[Any, np.dtype[np.intp]]

_ALWAYS = Expression("TRUE", Constant("bool", True), "bool", ())


def judge(gate: Gate, offer: Candidate, inputs: Mapping[str, Any]) -> Verdict:
    """What a gate says about an offer, given the values by name: it gets what it declares."""
    needed = gate.needs(offer)
    missing = [name for name in needed if inputs.get(name) is None]
    if missing:
        return input_missing(*missing)
    given = {name: inputs[name] for name in needed}
    condition = _condition(gate, offer)
    if condition is not None:
        given |= {name: inputs.get(name) for name in condition.expression.inputs}
    return gate.check(_view(gate, offer), given)


def inputs_of(gates: Iterable[Gate], offers: Iterable[Candidate]) -> set[str]:
    """The names of all inputs that the gates read for the offers.

    Raises BadInput when a gate needs what it does not declare.
    """
    names: set[str] = set()
    offers = tuple(offers)
    for gate in gates:
        for offer in offers:
            needed = gate.needs(offer)
            _check_declared(gate, needed)
            names.update(needed)
            condition = _condition(gate, offer)
            if condition is not None:
                names.update(condition.expression.inputs)
    return names


def _check_declared(gate: Gate, needed: Sequence[str]) -> None:
    for name in needed:
        if not any(
            name == general or (general.endswith("*") and name.startswith(general[:-1]))
            for general in gate.NEEDS
        ):
            raise BadInput(
                f"expected needs within {', '.join(gate.NEEDS) or 'nothing'}, got '{name}'",
                where=f"gate '{gate.NAME}'",
                hint="Add it to NEEDS.",
            )


def _condition(gate: Gate, offer: Candidate) -> Condition | None:
    return getattr(offer, gate.CONDITION) if gate.CONDITION else None


def _fields(gate: Gate, offer: Candidate) -> tuple[Any, ...]:
    return tuple(getattr(offer, name) for name in gate.OFFER)


def _asks(gate: Gate, offers: Sequence[Candidate]) -> bool:
    """Whether one of the offers has a condition for the gate."""
    return any(_condition(gate, offer) is not None for offer in offers)


def _view(gate: Gate, offer: Candidate) -> Candidate:
    """The offer with the fields that the gate declares and no others."""
    fields = zip(gate.OFFER, _fields(gate, offer), strict=True)
    return cast(Candidate, SimpleNamespace(**dict(fields)))


class Screened(NamedTuple):
    """What the gates said. `first` has for each candidate 0, or 1 + the place of the first gate
    that denied it; `passed` are the places of those that passed; `denials` counts first denials by
    gate, without zeros."""

    first: Counts
    passed: Places
    denials: Mapping[str, int]


class Screen:
    """The compiled gates of a placement over its candidates and the names of its values.

    A set of candidates is an int with a bit for each.
    """

    def __init__(
        self, gates: Sequence[Gate], candidates: Sequence[Candidate], names: Sequence[str]
    ) -> None:
        self._count = len(candidates)
        self._bytes = (len(candidates) + 7) // 8
        self._everybody = (1 << len(candidates)) - 1
        asking = [gate for gate in gates if _asks(gate, candidates)]
        self._conditions = _Conditions(asking, candidates, names)
        places = {name: place for place, name in enumerate(names)}
        self._rows = [_row(gate, candidates, places) for gate in gates]
        self._asking = frozenset(gate.NAME for gate in asking)
        self._weights = np.arange(1, len(gates) + 1, dtype=np.uint8)

    def screen(self, values: Sequence[Any]) -> Screened:
        """Every gate about every candidate."""
        left = self._everybody
        denied: list[int] = []
        for passes in self._passes(values):
            denied.append(left & ~passes)
            left &= passes
        flags = self._flags([*denied, left])
        return Screened(
            self._weights @ flags[:-1],
            np.flatnonzero(flags[-1]),
            {
                row.gate.NAME: held.bit_count()
                for row, held in zip(self._rows, denied, strict=True)
                if held
            },
        )

    def matrix(self, values: Sequence[Any]) -> Counts:
        """A row a gate, a column a candidate: 1 where it passes."""
        return self._flags(list(self._passes(values)))

    def _passes(self, values: Sequence[Any]) -> Iterator[int]:
        """The candidates that pass, gate by gate."""
        conditions = self._conditions.hold(values)
        for row in self._rows:
            passes = row.passes(values)
            if row.gate.NAME in self._asking:
                passes &= conditions & self._everybody
                conditions >>= self._count
            yield passes

    def _flags(self, sets: Sequence[int]) -> Counts:
        """Sets of candidates as rows of 0 and 1."""
        data = b"".join([one.to_bytes(self._bytes, "little") for one in sets])
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return bits.reshape(len(sets), -1)[:, : self._count]


@dataclass(frozen=True)
class _Question:
    """What a gate is asked once for several candidates. `given` is its place among the row's."""

    view: Candidate
    given: int
    candidates: int


@dataclass(frozen=True)
class _Row:
    """A gate, compiled: `settled` passed or not whatever the values; `givens` are the distinct
    sets of values that its questions want, as names and places."""

    gate: Gate
    settled: int
    givens: tuple[tuple[tuple[str, int], ...], ...]
    questions: tuple[_Question, ...]

    def passes(self, values: Sequence[Any]) -> int:
        """The candidates that the gate's own rule lets pass."""
        left = self.settled
        if not self.questions:
            return left
        givens = [{name: values[place] for name, place in wanted} for wanted in self.givens]
        complete = [None not in given.values() for given in givens]
        check = self.gate.check
        for question in self.questions:
            at = question.given
            if not complete[at] or not check(question.view, givens[at]).passed:
                left &= ~question.candidates
        return left


def _row(gate: Gate, candidates: Sequence[Candidate], places: Mapping[str, int]) -> _Row:
    settled = (1 << len(candidates)) - 1
    asked: dict[Any, list[Candidate]] = {}
    for offer in candidates:
        rule = _without_condition(gate, offer)
        asked.setdefault((gate.needs(rule), *_fields(gate, rule)), []).append(rule)
    givens: dict[tuple[tuple[str, int], ...], int] = {}
    questions = []
    for offers in asked.values():
        view, names = _view(gate, offers[0]), gate.needs(offers[0])
        members = sum(1 << offer.index for offer in offers)
        if names:
            wanted = tuple((name, places[name]) for name in names)
            questions.append(_Question(view, givens.setdefault(wanted, len(givens)), members))
        elif not gate.check(view, {}).passed:
            settled &= ~members
    return _Row(gate, settled, tuple(givens), tuple(questions))


def _without_condition(gate: Gate, offer: Candidate) -> Candidate:
    """The offer as the gate's own rule sees it."""
    nothing: dict[str, Any] = {gate.CONDITION: None}
    return dataclasses.replace(offer, **nothing) if gate.CONDITION else offer


class _Conditions:
    """The conditions of the gates that have some as a single function.

    Its answer is an int with a bit for each candidate, gate after gate from the lowest bits up.
    """

    def __init__(
        self, gates: Sequence[Gate], candidates: Sequence[Candidate], names: Sequence[str]
    ) -> None:
        conditions = [_condition(gate, offer) for gate in gates for offer in candidates]
        self._function = compile_mask([c.expression if c else _ALWAYS for c in conditions], names)
        self._possible = _bits(not (c and c.absent) for c in conditions)
        needed_by = (_bits(bool(c and name in c.required) for c in conditions) for name in names)
        self._needed_by = [(place, bits) for place, bits in enumerate(needed_by) if bits]

    def hold(self, values: Sequence[Any]) -> int:
        """Which conditions are TRUE with nothing missing that they need."""
        found = self._function(values) & self._possible
        if None in values:
            for place, needing in self._needed_by:
                if values[place] is None:
                    found &= ~needing
        return found


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << place for place, flag in enumerate(flags) if flag)
