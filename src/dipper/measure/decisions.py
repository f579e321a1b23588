"""Decisions and what was reported of their offers, read from history.

A decision is stored as its compact trace (`decide.trace`); here it becomes what matching and
readouts need, under the subject that it is about today.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from dipper.decide.trace import Chosen, Trace, decode
from dipper.measure.confirmation import Decided
from dipper.measure.history import SUBJECT, History, Period


@dataclass(frozen=True)
class Stored:
    """A decision of the log. `subject` is today's key in hex, the trace has that of its making."""

    subject: str
    kind: str
    scenario: str
    trace: Trace


@dataclass(frozen=True)
class Outcome:
    """What a caller reported of an offer: `event` is offer_shown, offer_clicked ..."""

    subject: str
    kind: str
    event: str
    decision_id: str
    offer: str
    scenario: str
    time_us: int


def read_decisions(history: History, period: Period) -> list[Stored]:
    """All decisions of a period in order of time and id."""
    own = sorted(history.properties & set(Trace.__struct_fields__))
    named = "".join(f', "{name}"' for name in own)
    rows = history.rows(
        f"SELECT {SUBJECT}, kind, coalesce(scenario, ''), extra{named} FROM events "  # noqa: S608
        "WHERE event = 'decision_made' AND trust = 'engine' "
        "AND time_us BETWEEN $start_us AND $end_us",
        period.bounds,
    )
    found = [
        Stored(subject, kind, scenario, _trace(extra, dict(zip(own, values, strict=True))))
        for subject, kind, scenario, extra, *values in rows
    ]
    return sorted(found, key=lambda one: (one.trace.now_us, one.trace.decision_id))


def _trace(extra: str | None, columns: Mapping[str, Any]) -> Trace:
    """The trace from its parts: properties that are columns, and the rest."""
    head = msgspec.json.encode({name: v for name, v in columns.items() if v is not None})
    rest = (extra or "{}").encode()
    comma = b"," if len(head) > 2 and len(rest) > 2 else b""
    return decode(head[:-1] + comma + rest[1:])


def decided(stored: Iterable[Stored], products: Mapping[str, str | None]) -> list[Decided]:
    """Decisions as matching sees them; `products` maps offer to product, None for a service."""

    def of(chosen: tuple[Chosen, ...]) -> tuple[str, ...]:
        named = (products.get(one.offer) for one in chosen)
        return tuple(product for product in named if product is not None)

    return [
        Decided(
            decision_id=one.trace.decision_id,
            subject=one.subject,
            kind=one.kind,
            time_us=one.trace.now_us,
            arm=one.trace.arm,
            policy=one.trace.policy,
            placement=one.trace.placement,
            scenario=one.scenario,
            products=of(one.trace.offers),
            would=of(one.trace.would),
            passed=one.trace.passed > 0,
        )
        for one in stored
    ]


def read_outcomes(history: History, period: Period) -> list[Outcome]:
    """All outcomes of a period in order of time, decision, offer."""
    rows = history.rows(
        f"SELECT {SUBJECT}, kind, event, decision_id, offer, coalesce(scenario, ''), time_us "  # noqa: S608
        "FROM events WHERE event IN ('offer_shown', 'offer_clicked', 'offer_dismissed') "
        "AND time_us BETWEEN $start_us AND $end_us ORDER BY time_us, decision_id, offer, event",
        period.bounds,
    )
    return [Outcome(*row) for row in rows]


def gate_denials(stored: Iterable[Stored]) -> dict[str, int]:
    """gate -> offers that it was the first to hold back; the gates in their order, zeros too."""
    counts: Counter[str] = Counter()
    gates: dict[str, None] = {}
    for one in stored:
        gates.update(dict.fromkeys(one.trace.gates))
        counts.update(one.trace.gate_denials)
    return {gate: counts[gate] for gate in gates}
