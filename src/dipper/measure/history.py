"""What measuring asks of history: SQL over two views, and a period of event time.

The engine answers (`engine.embedded.history`); measuring knows the views' columns and no driver.
`timelines` has one row a record and subject, `events` one a record. Both have `kind`, `subject`
(who it is today), `time_us`, the columns of the envelope, the declared properties, and `extra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

SUBJECT = "lower(hex(subject))"
"""A subject as text: its key in hex, as in a decision's trace."""


class History(Protocol):
    """One version of the lake under one identity."""

    @property
    def properties(self) -> frozenset[str]:
        """The declared properties that are columns; all others stand in `extra`."""

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The answer as tuples; `parameters` fill `$name`."""


@dataclass(frozen=True)
class Period:
    """Event time from `start_us` to `end_us`; both belong to it."""

    start_us: int
    end_us: int

    def holds(self, time_us: int) -> bool:
        """Whether a moment lies in it."""
        return self.start_us <= time_us <= self.end_us

    @property
    def bounds(self) -> dict[str, int]:
        """Parameters for `time_us BETWEEN $start_us AND $end_us`."""
        return {"start_us": self.start_us, "end_us": self.end_us}
