"""All gates over all candidates of a placement, in one pass over the values.

What follows from the program alone is judged when it is compiled. The rest is asked once for each
distinct question (the consent to a set of purposes, a class and a risk level), and since gates are
pure, an answer is kept for the next person with the same values. Conditions are looked up
(`lookup`). `judge` is the plain reading of one gate about one offer; a property test holds both
equal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np

from dipper.decide.candidate import Candidate
from dipper.decide.condition import Condition
from dipper.decide.gates.registry import Gate
from dipper.decide.gates.verdict import Verdict, input_missing
from dipper.decide.inputs import NOW, Inputs, Pick, Values
from dipper.decide.lookup import Lookup
from dipper.decide.sets import first_denials
from dipper.kit.errors import BadInput

Counts = np.ndarray[Any, np.dtype[np.uint8]]
Places = np.ndarray[Any, np.dtype[np.intp]]

ANSWERS_MAX = 4_096


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
    """The compiled gates of a placement over its candidates and the inputs that they read.

    A set of candidates is an int with a bit for each.
    """

    def __init__(
        self, gates: Sequence[Gate], candidates: Sequence[Candidate], inputs: Inputs
    ) -> None:
        self._count = len(candidates)
        self._bytes = (len(candidates) + 7) // 8
        asking = [gate for gate in gates if _asks(gate, candidates)]
        self._conditions = Lookup(
            [_condition(gate, offer) for gate in asking for offer in candidates], inputs
        )
        self._rows = [_row(gate, candidates, inputs, gate in asking) for gate in gates]
        self._names = tuple(gate.NAME for gate in gates)

    def screen(self, values: Values) -> Screened:
        """Every gate about every candidate."""
        passes = self._passes(values)
        data = b"".join([one.to_bytes(self._bytes, "little") for one in passes])
        first = np.empty(self._count, np.uint8)
        places = np.empty(self._count, np.int64)
        denials = np.zeros(len(passes), np.int64)
        passed = first_denials(np.frombuffer(data, np.uint8), self._bytes, first, places, denials)
        held = zip(self._names, denials.tolist(), strict=True)
        return Screened(first, places[:passed], {name: count for name, count in held if count})

    def matrix(self, values: Values) -> Counts:
        """A row a gate, a column a candidate: 1 where it passes."""
        places = range(self._count)
        sets = self._passes(values)
        return np.array([[one >> at & 1 for at in places] for one in sets], np.uint8)

    def _passes(self, values: Values) -> list[int]:
        """The candidates that pass, gate by gate."""
        conditions = self._conditions.hold(values)
        found = []
        for row in self._rows:
            passes = row.settled
            for answers in row.answers:
                given = answers.pick(values)
                passes &= answers.of(given) if answers.is_timed else answers[given]
            if row.has_conditions:
                passes &= conditions
                conditions >>= self._count
            found.append(passes)
        return found


class _Answers(dict[Sequence[Any], int]):
    """Values that a gate wants -> the candidates that its own rule does not deny with them.

    `is_timed` says that the time is among the values, so that none come again.
    """

    def __init__(self, gate: Gate, names: tuple[str, ...], inputs: Inputs) -> None:
        super().__init__()
        self.pick: Pick = inputs.pick(names)
        self.is_timed = NOW in names
        self.questions: list[tuple[Candidate, int]] = []
        self._check = gate.check
        self._names = names

    def __missing__(self, given: Sequence[Any]) -> int:
        passes = self.of(given)
        if len(self) < ANSWERS_MAX:
            self[given] = passes
        return passes

    def of(self, given: Sequence[Any]) -> int:
        """The answer with these values, asked anew."""
        passes = -1
        if None in given:
            for _, members in self.questions:
                passes &= ~members
            return passes
        named = dict(zip(self._names, given, strict=True))
        for view, members in self.questions:
            if not self._check(view, named).passed:
                passes &= ~members
        return passes


@dataclass(frozen=True)
class _Row:
    """A gate, compiled: `settled` are those whom it does not deny whatever the values."""

    gate: Gate
    settled: int
    answers: tuple[_Answers, ...]
    has_conditions: bool


def _row(gate: Gate, candidates: Sequence[Candidate], inputs: Inputs, has_conditions: bool) -> _Row:
    settled = (1 << len(candidates)) - 1
    asked: dict[Any, list[Candidate]] = {}
    for offer in candidates:
        rule = _without_condition(gate, offer)
        asked.setdefault((gate.needs(rule), *_fields(gate, rule)), []).append(rule)
    answers: dict[tuple[str, ...], _Answers] = {}
    for offers in asked.values():
        view, names = _view(gate, offers[0]), gate.needs(offers[0])
        members = sum(1 << offer.index for offer in offers)
        if names:
            known = answers.setdefault(names, _Answers(gate, names, inputs))
            known.questions.append((view, members))
        elif not gate.check(view, {}).passed:
            settled &= ~members
    return _Row(gate, settled, tuple(answers.values()), has_conditions)


def _without_condition(gate: Gate, offer: Candidate) -> Candidate:
    """The offer as the gate's own rule sees it."""
    nothing: dict[str, Any] = {gate.CONDITION: None}
    return dataclasses.replace(offer, **nothing) if gate.CONDITION else offer
