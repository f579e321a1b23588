"""What a request says of its moment: declared properties of their types, and who is believed.

Gates must not depend on what a page says of itself. So what a token's page says of a property that
a gate reads is left out here, and the gate denies as it does without any word; the ranking may use
the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dipper.expr.types import Type
from dipper.guard.never_store import NeverStore
from dipper.kit.errors import BadInput, did_you_mean
from dipper.profile.values import typed
from dipper.spec.kinds.property import Property
from dipper.spec.program import Program

PREFIX = "context."

_WRITTEN: Mapping[Type, str] = {
    "date": "Write a date as '2026-11-24'.",
    "timestamp": "Write a moment as '2026-11-24T09:30:00+08:00'.",
}
_NEVER_STORED = NeverStore()


@dataclass(frozen=True)
class Context:
    """The properties that a request may carry: type and, where declared, the allowed texts.

    `gated` are those that a gate of the placement reads.
    """

    types: Mapping[str, Type]
    allowed: Mapping[str, tuple[str, ...]]
    gated: frozenset[str]

    def read(self, said: Mapping[str, Any], *, is_claimed: bool) -> Mapping[str, Any]:
        """The values in the form that expressions read, null being unknown.

        `is_claimed` says that a page speaks and no server. Raises BadInput for a name that is not
        declared and for a value of another type.
        """
        if not said:
            return said
        values = {name: self._value(name, value) for name, value in said.items()}
        if is_claimed:
            return {name: value for name, value in values.items() if name not in self.gated}
        return values

    def _value(self, name: str, value: Any) -> Any:
        where = f"body.{PREFIX}{name}"
        type_ = self.types.get(name)
        if type_ is None:
            raise BadInput(
                f"expected a declared property, got '{name}'",
                where=where,
                hint=did_you_mean(name, self.types) or "Declare it as a property, or leave it out.",
            )
        if value is None:
            return None
        read = typed(value, type_)
        if read is None:
            raise BadInput(
                f"expected {type_}, got {value!r}", where=where, hint=_WRITTEN.get(type_, "")
            )
        if type_ == "text":
            self._check_text(name, value, where)
        return read

    def _check_text(self, name: str, text: str, where: str) -> None:
        allowed = self.allowed.get(name)
        if allowed and text not in allowed:
            raise BadInput(
                f"expected one of {', '.join(allowed)}, got '{text}'",
                where=where,
                hint=did_you_mean(text, allowed),
            )
        if not allowed and _NEVER_STORED.clean_text(text)[1]:
            raise BadInput(
                "expected a text without what authenticates somebody, got one with it",
                where=where,
                hint="A decision is stored: leave card codes, passwords and the like out.",
            )


def context_of(program: Program, columns: Mapping[str, Type], gate_inputs: set[str]) -> Context:
    """What requests to a placement may carry. `columns` are those of the offers' scope."""
    named = {
        name.removeprefix(PREFIX): type_
        for name, type_ in columns.items()
        if name.startswith(PREFIX)
    }
    allowed = {
        name: spec.values
        for name, spec in program.of(Property).items()
        if name in named and spec.values
    }
    gated = {name.removeprefix(PREFIX) for name in gate_inputs if name.startswith(PREFIX)}
    return Context(named, allowed, frozenset(gated))
