"""A stored decision, computed again: to the same answer, or with every verdict and reason.

A trace names the versions that it was made with. A replay with others would prove nothing, so it
is refused. The trace of an erased person is gone from its record and cannot come here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from dipper.decide.arbitration import Decided, Decider, Moment, compile_decider
from dipper.decide.candidate import Candidate
from dipper.decide.compile import Place, Tables
from dipper.decide.gates.verdict import Verdict
from dipper.decide.inputs import Values
from dipper.decide.ranking import Published
from dipper.decide.request import Reply
from dipper.decide.screen import judge
from dipper.decide.trace import Trace
from dipper.experiment.arms import Arm
from dipper.kit.errors import Conflict, Corrupt
from dipper.spec.program import Program


def replay(
    trace: Trace, program: Program, tables: Tables, published: Published | None = None
) -> Reply:
    """The answer of a stored decision, computed from its trace.

    Raises Conflict when program, tables, gates or model are not those of the trace, Corrupt when
    its values are not of its placement.
    """
    return replay_on(compile_decider(program, tables), trace, published).reply


def replay_on(decider: Decider, trace: Trace, published: Published | None = None) -> Decided:
    """Answer and trace of a stored decision, on a decider that is compiled already."""
    address = published.hash if published is not None else ""
    if trace.model != address:
        raise _other("model", trace.model, address, trace)
    place, values = read_again(decider, trace)
    moment = Moment(
        trace.decision_id,
        trace.now_us,
        trace.draw,
        trace.limit,
        trace.personalised,
        trace.subject,
        cast(Arm, trace.arm),
        trace.lot,
    )
    return decider.answer(place, values, moment, published)


@dataclass(frozen=True)
class Row:
    """One candidate with what each gate says of it, in the order of the gates."""

    offer: Candidate
    verdicts: Mapping[str, Verdict]

    @property
    def passed(self) -> bool:
        """Whether all gates let it through."""
        return all(verdict.passed for verdict in self.verdicts.values())


@dataclass(frozen=True)
class Recomputed:
    """All that a trace leaves out: inputs by name and the whole matrix of verdicts."""

    place: Place
    inputs: Mapping[str, Any]
    rows: tuple[Row, ...]


def recompute(decider: Decider, trace: Trace) -> Recomputed:
    """Every gate about every candidate, one by one, with reasons. Raises like `replay`."""
    place, values = read_again(decider, trace)
    inputs = place.inputs.named(values)
    rows = tuple(
        Row(offer, {gate.NAME: judge(gate, offer, inputs) for gate in place.gates})
        for offer in place.candidates
    )
    return Recomputed(place, inputs, rows)


def read_again(decider: Decider, trace: Trace) -> tuple[Place, Values]:
    """The placement and the values of a trace, on the versions that it names."""
    if trace.program != decider.program:
        raise _other("program", trace.program, decider.program, trace)
    for table, address in trace.tables.items():
        if decider.tables.get(table) != address:
            raise _other(f"table '{table}'", address, decider.tables.get(table, ""), trace)
    place = decider.place(trace.placement)
    if place.gate_names != trace.gates:
        raise _other("gates", ", ".join(trace.gates), ", ".join(place.gate_names), trace)
    try:
        return place, place.inputs.known(trace.flags, trace.values, trace.now_us)
    except ValueError as error:
        raise Corrupt(
            f"expected values of placement '{trace.placement}', got others",
            where=f"decision {trace.decision_id}",
        ) from error


def _other(what: str, expected: str, got: str, trace: Trace) -> Conflict:
    return Conflict(
        f"expected {what} {expected or 'none'}, got {got or 'none'}",
        where=f"decision {trace.decision_id}",
        hint="Load the versions that the trace names: they are kept as long as the log.",
    )
