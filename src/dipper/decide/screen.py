"""All gates over all candidates of a placement, in one pass over the values.

What follows from the program alone is judged when it is compiled. The rest is asked once for each
distinct question (the consent to a set of purposes, a class and a risk level), and all conditions
together are one generated function. `judge` is the plain reading of one gate about one offer; a
property test holds both equal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from dipper.decide.candidate import Candidate
from dipper.decide.condition import Condition
from dipper.decide.gates.registry import Gate
from dipper.decide.gates.verdict import Verdict, input_missing
from dipper.expr.parse import Expression
from dipper.expr.python import compile_mask
from dipper.expr.tree import Constant
from dipper.kit.errors import BadInput

Flags = np.ndarray[Any, np.dtype[np.bool_]]
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


def _view(gate: Gate, offer: Candidate) -> Candidate:
    """The offer with the fields that the gate declares and no others."""
    fields = {name: getattr(offer, name) for name in gate.OFFER}
    return cast(Candidate, SimpleNamespace(**fields))


@dataclass(frozen=True)
class _Question:
    """One question that a gate is asked for several candidates."""

    view: Candidate
    names: tuple[str, ...]
    places: tuple[int, ...]
    candidates: Places


@dataclass(frozen=True)
class _Row:
    """A gate, compiled: `settled` is what does not depend on the values, `slots` has the place of
    each candidate's condition among the outcomes."""

    gate: Gate
    settled: Flags
    questions: tuple[_Question, ...]
    slots: Places | None

    def passes(self, values: Sequence[Any], outcomes: Flags) -> Flags:
        """Whether each candidate passes."""
        row = self.settled
        if self.slots is not None:
            row = row & outcomes[self.slots]
        elif self.questions:
            row = row.copy()
        for question in self.questions:
            given = {
                name: values[place]
                for name, place in zip(question.names, question.places, strict=True)
            }
            if None in given.values() or not self.gate.check(question.view, given).passed:
                row[question.candidates] = False
        return row


class Screen:
    """The compiled gates of a placement over its candidates and the names of its values."""

    def __init__(
        self, gates: Sequence[Gate], candidates: Sequence[Candidate], names: Sequence[str]
    ) -> None:
        places = {name: place for place, name in enumerate(names)}
        self._conditions = _Conditions(gates, candidates, names)
        self._rows = [_row(gate, candidates, places, self._conditions) for gate in gates]

    def passes(self, values: Sequence[Any]) -> Flags:
        """A row a gate, a column a candidate: whether it passes."""
        outcomes = self._conditions.outcomes(values)
        return np.array([row.passes(values, outcomes) for row in self._rows])

    def first_denials(self, values: Sequence[Any]) -> Counts:
        """For each candidate 0, or 1 + the place of the first gate that denies it."""
        denied = np.zeros(len(self._rows[0].settled), np.uint8)
        outcomes = self._conditions.outcomes(values)
        # Backwards, so that the first one is what stays.
        for place in range(len(self._rows), 0, -1):
            denied[~self._rows[place - 1].passes(values, outcomes)] = place
        return denied


def _row(
    gate: Gate,
    candidates: Sequence[Candidate],
    places: Mapping[str, int],
    conditions: _Conditions,
) -> _Row:
    settled = np.ones(len(candidates), bool)
    asked: dict[Any, list[int]] = {}
    for offer in candidates:
        rule = _without_condition(gate, offer)
        key = (rule, gate.needs(rule))
        asked.setdefault(_hashable(gate, *key), []).append(offer.index)
    questions = []
    for members in asked.values():
        rule = _without_condition(gate, candidates[members[0]])
        view, names = _view(gate, rule), gate.needs(rule)
        if names:
            where = tuple(places[name] for name in names)
            questions.append(_Question(view, names, where, np.array(members)))
        elif not gate.check(view, {}).passed:
            settled[members] = False
    return _Row(gate, settled, tuple(questions), conditions.slots(gate, candidates))


def _without_condition(gate: Gate, offer: Candidate) -> Candidate:
    """The offer as the gate's own rule sees it."""
    nothing: dict[str, Any] = {gate.CONDITION: None}
    return dataclasses.replace(offer, **nothing) if gate.CONDITION else offer


def _hashable(gate: Gate, rule: Candidate, names: tuple[str, ...]) -> Any:
    return (names, *(getattr(rule, field) for field in gate.OFFER))


class _Conditions:
    """All distinct conditions of a placement as one function, and what each of them needs.

    Place 0 of the outcomes is always true, for candidates without a condition.
    """

    def __init__(
        self, gates: Sequence[Gate], candidates: Sequence[Candidate], names: Sequence[str]
    ) -> None:
        found: dict[Any, Condition] = {}
        for gate in gates:
            for offer in candidates:
                condition = _condition(gate, offer)
                if condition is not None:
                    found.setdefault(condition.meaning, condition)
        conditions = list(found.values())
        self._slots = {meaning: place + 1 for place, meaning in enumerate(found)}
        self._bytes = (len(conditions) + 8) // 8
        self._count = len(conditions) + 1
        self._function = compile_mask([_ALWAYS, *(c.expression for c in conditions)], names)
        self._never = np.array(
            [place + 1 for place, c in enumerate(conditions) if c.absent], np.intp
        )
        self._needed_by = {
            place: needed
            for place, name in enumerate(names)
            if (needed := [at + 1 for at, c in enumerate(conditions) if name in c.required])
        }

    def slots(self, gate: Gate, candidates: Sequence[Candidate]) -> Places | None:
        """The place of each candidate's condition for a gate, or None if there are none."""
        conditions = [_condition(gate, offer) for offer in candidates]
        if not any(conditions):
            return None
        return np.array([self._slots[c.meaning] if c else 0 for c in conditions])

    def outcomes(self, values: Sequence[Any]) -> Flags:
        """Whether each condition is TRUE and nothing that it needs is missing."""
        mask = self._function(values).to_bytes(self._bytes, "little")
        bits = np.unpackbits(np.frombuffer(mask, np.uint8), count=self._count, bitorder="little")
        outcomes = bits.view(bool)
        if self._never.size:
            outcomes[self._never] = False
        if None in values:
            for place, needed in self._needed_by.items():
                if values[place] is None:
                    outcomes[needed] = False
        return outcomes
