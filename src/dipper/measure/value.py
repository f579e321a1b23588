"""What confirmed openings are worth, by scenario and by org unit.

The value of an opening is that of the offer of its product (`value_fen`, the bank's own estimate);
an opening that no decision led to has the value of its product all the same, under no scenario.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dipper.measure.confirmation import Matched


@dataclass(frozen=True)
class Value:
    """Openings, the subjects that made them, those new to the bank, and their value."""

    key: str
    openings: int
    subjects: int
    new_customers: int
    value_fen: int

    @property
    def value_per_customer_fen(self) -> int | None:
        """Mean value of a subject that opened; None where nobody did."""
        return self.value_fen // self.subjects if self.subjects else None


def by_scenario(rows: Iterable[Matched], value_of: Mapping[str, int]) -> list[Value]:
    """Values by the scenario of the matched decision; '' for openings without a decision."""
    return _grouped(
        ((row.decision.scenario if row.decision else "", row) for row in rows), value_of
    )


def by_org_unit(
    rows: Iterable[Matched],
    value_of: Mapping[str, int],
    rolled_up: Mapping[str, str] | None = None,
) -> list[Value]:
    """Values by the org unit that the core names, or by the one that `rolled_up` gives for it
    (outlet -> branch); '' where there is none. The most valuable first."""

    def unit(row: Matched) -> str:
        named = row.opening.org_unit or ""
        return named if rolled_up is None else rolled_up.get(named, "")

    return _grouped(((unit(row), row) for row in rows), value_of)


def _grouped(rows: Iterable[tuple[str, Matched]], value_of: Mapping[str, int]) -> list[Value]:
    groups: dict[str, list[Matched]] = {}
    for key, row in rows:
        groups.setdefault(key, []).append(row)
    found = [
        Value(
            key=key,
            openings=len(members),
            subjects=len({row.opening.subject for row in members}),
            new_customers=len({row.opening.subject for row in members if row.opening.is_first}),
            value_fen=sum(value_of.get(row.opening.product, 0) for row in members),
        )
        for key, members in groups.items()
    ]
    return sorted(found, key=lambda value: (-value.value_fen, value.key))
