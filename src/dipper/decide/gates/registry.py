"""The gates there are, in the order in which the first denial is named.

A gate is a module (or any object) with the members of `Gate`. What it declares is what runs: it
sees the offer's fields named in `OFFER` and the inputs that `needs` names, and nothing else. A
plug-in may add a gate behind ours; it can never replace one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from dipper.decide.candidate import Candidate
from dipper.decide.gates import applicable, consent, contact_cap, eligible, purpose, suitable
from dipper.decide.gates.verdict import Reason, Rule, Verdict
from dipper.kit.errors import Conflict


class Gate(Protocol):
    """The members of a gate.

    `OFFER` names the candidate's fields that `check` may read, `NEEDS` the inputs in general
    (a trailing `*` stands for any rest), `needs` the exact ones for one offer. `CONDITION` names
    the field that holds the offer's own condition for this gate, or is empty. `check` is pure; the
    runtime has denied already when a needed input is missing.
    """

    @property
    def NAME(self) -> str: ...
    @property
    def TITLE(self) -> Mapping[str, str]: ...
    @property
    def RULES(self) -> tuple[Rule, ...]: ...
    @property
    def OFFER(self) -> tuple[str, ...]: ...
    @property
    def NEEDS(self) -> tuple[str, ...]: ...
    @property
    def CONDITION(self) -> str: ...
    @property
    def REASONS(self) -> Mapping[str, Reason]: ...

    def needs(self, offer: Candidate) -> tuple[str, ...]: ...

    def check(self, offer: Candidate, inputs: Mapping[str, Any]) -> Verdict: ...


def built_in() -> tuple[Gate, ...]:
    """Our own gates."""
    return (purpose, eligible, applicable, suitable, consent, contact_cap)


def with_added(added: Iterable[Gate]) -> tuple[Gate, ...]:
    """Our own gates and those of plug-ins behind them, by name.

    Raises Conflict when a plug-in's gate bears a name that is taken.
    """
    gates = list(built_in())
    for gate in sorted(added, key=lambda one: one.NAME):
        if any(gate.NAME == other.NAME for other in gates):
            raise Conflict(
                f"expected a new name for a gate, got '{gate.NAME}', which exists",
                where=f"gate '{gate.NAME}'",
                hint="A plug-in adds gates and never replaces one. Rename it.",
            )
        gates.append(gate)
    return tuple(gates)
