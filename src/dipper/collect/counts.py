"""Conservation: a record received is good, failed, a duplicate or refused, and exactly one."""

from __future__ import annotations

from typing import NamedTuple


class Counts(NamedTuple):
    """Records of one source."""

    good: int = 0
    failed: int = 0
    duplicate: int = 0
    refused: int = 0

    @property
    def received(self) -> int:
        """All of them."""
        return self.good + self.failed + self.duplicate + self.refused

    def plus(self, other: Counts) -> Counts:
        """The sum."""
        return Counts(
            self.good + other.good,
            self.failed + other.failed,
            self.duplicate + other.duplicate,
            self.refused + other.refused,
        )
