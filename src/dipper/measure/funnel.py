"""The funnel: of those who took the first step, how many took the second, the third ...

Steps are events with a condition; the rules of order, window and breakdown are those of
`fold.funnel`. The lake is asked for four columns and no more: whose row, when, which steps it
satisfies, and the breakdown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dipper.engine.ports import Column, Projection, Runner
from dipper.expr import tree
from dipper.expr.duckdb_sql import to_sql
from dipper.expr.parse import Expression
from dipper.fold.funnel import STEPS_MAX, Funnel, reached
from dipper.kit.errors import BadInput


@dataclass(frozen=True)
class Step:
    """An event, and what must be TRUE of it."""

    event: str
    where: Expression | None = None

    @property
    def name(self) -> str:
        """How a reader sees the step."""
        return self.event if self.where is None else f"{self.event} ({self.where.text})"


@dataclass(frozen=True)
class StepCount:
    """`subjects` reached the step: `of_first` of those who entered, `of_previous` of those who
    reached the step before; None where nobody could."""

    step: str
    subjects: int
    of_first: float | None
    of_previous: float | None


@dataclass(frozen=True)
class FunnelGroup:
    """The subjects who entered with one value of the breakdown (None: without any)."""

    value: str | None
    steps: tuple[StepCount, ...]


@dataclass(frozen=True)
class FunnelResult:
    """A funnel over the subjects of one kind; `groups` is empty without a breakdown."""

    subject: str
    ordered: bool
    window_us: int | None
    start_us: int | None
    end_us: int | None
    breakdown: str | None
    steps: tuple[StepCount, ...]
    groups: tuple[FunnelGroup, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Subjects who reached each step."""
        return tuple(step.subjects for step in self.steps)

    @property
    def conversion(self) -> float | None:
        """Those who reached the last step, of those who entered."""
        return self.steps[-1].of_first

    def as_dict(self) -> dict[str, Any]:
        """The result for JSON."""
        return {
            "subject": self.subject,
            "ordered": self.ordered,
            "window_us": self.window_us,
            "start_us": self.start_us,
            "end_us": self.end_us,
            "breakdown": self.breakdown,
            "conversion": self.conversion,
            "steps": _as_dicts(self.steps),
            "groups": [
                {"value": group.value, "steps": _as_dicts(group.steps)} for group in self.groups
            ],
        }


def funnel(
    runner: Runner,
    steps: Sequence[Step],
    *,
    subject: str = "person",
    window_us: int | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    breakdown: str | None = None,
    ordered: bool = True,
) -> FunnelResult:
    """Counts subjects along the steps over event times [start_us, end_us).

    `breakdown` is a text column of the lake (`scenario`, `channel`, a property). The runner knows
    who is one subject (`with_identity`). Raises BadInput for no or too many steps, or a window
    without order.
    """
    if not 1 <= len(steps) <= STEPS_MAX:
        raise BadInput(f"a funnel has 1 to {STEPS_MAX} steps, got {len(steps)}.", where="funnel")
    if window_us is not None and not (ordered and window_us >= 0):
        raise BadInput("a window needs an ordered funnel and a positive length.", where="funnel")
    fold = Funnel(len(steps), window_us, ordered, None if breakdown is None else "breakdown")
    found = runner.fold(projection(steps, subject, start_us, end_us, breakdown), fold)
    return FunnelResult(
        subject=subject,
        ordered=ordered,
        window_us=window_us,
        start_us=start_us,
        end_us=end_us,
        breakdown=breakdown,
        steps=_counted(steps, found.deepest),
        groups=tuple(
            FunnelGroup(value, _counted(steps, deepest)) for value, deepest in found.groups.items()
        ),
    )


def projection(
    steps: Sequence[Step],
    subject: str,
    start_us: int | None = None,
    end_us: int | None = None,
    breakdown: str | None = None,
) -> Projection:
    """What the fold reads: `time`, the mask `steps`, and `breakdown` where there is one."""
    columns = [
        Column("time", "time", "int64"),
        Column("steps", mask_sql(steps), "uint8" if len(steps) <= 8 else "int64"),
    ]
    if breakdown is not None:
        columns.append(Column("breakdown", _quoted(breakdown), "text"))
    names = ", ".join(sorted({_literal(step.event) for step in steps}))
    return Projection(subject, tuple(columns), f"event IN ({names})", start_us, end_us)


def mask_sql(steps: Sequence[Step]) -> str:
    """SQL of the mask: bit i is set where step i holds."""
    bits = [
        f"CASE WHEN {_condition(step)} THEN {1 << place} ELSE 0 END"
        for place, step in enumerate(steps)
    ]
    return " + ".join(bits)


def _condition(step: Step) -> str:
    is_event = f"event = {_literal(step.event)}"
    if step.where is None:
        return is_event
    moments = {
        node.name
        for node in tree.walk(step.where.tree)
        if isinstance(node, tree.Column) and node.type == "timestamp"
    }

    def column(name: str) -> str:
        # Expressions know moments as DuckDB's TIMESTAMP in UTC; the lake's have a zone.
        quoted = _quoted(name)
        return f"make_timestamp(epoch_us({quoted}))" if name in moments else quoted

    return f"{is_event} AND {to_sql(step.where, column)}"


def _counted(steps: Sequence[Step], deepest: Sequence[int]) -> tuple[StepCount, ...]:
    counts = reached(deepest)
    return tuple(
        StepCount(
            step=step.name,
            subjects=count,
            of_first=count / counts[0] if counts[0] else None,
            of_previous=count / before if before else None,
        )
        for step, count, before in zip(steps, counts, (counts[0], *counts), strict=False)
    )


def _as_dicts(steps: Sequence[StepCount]) -> list[dict[str, Any]]:
    return [
        {
            "step": step.step,
            "subjects": step.subjects,
            "of_first": step.of_first,
            "of_previous": step.of_previous,
        }
        for step in steps
    ]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
