"""Who was in which segment when, from what was announced at ticks."""

from __future__ import annotations

from collections.abc import Iterable

from dipper.measure.history import SUBJECT, History

NOWHERE: frozenset[str] = frozenset()


class Memberships:
    """Turns by subject, in order of their crossing time."""

    def __init__(self, turns: Iterable[tuple[str, int, str, bool]]) -> None:
        """`turns` are (subject, crossing time in µs, segment, is a member), in order of time."""
        self._turns: dict[str, list[tuple[int, str, bool]]] = {}
        for subject, time_us, segment, is_member in turns:
            self._turns.setdefault(subject, []).append((time_us, segment, is_member))

    def at(self, subject: str, time_us: int) -> frozenset[str]:
        """The segments of a subject at a moment."""
        members: set[str] = set()
        for crossing_us, segment, is_member in self._turns.get(subject, ()):
            if crossing_us > time_us:
                break
            (members.add if is_member else members.discard)(segment)
        return frozenset(members) if members else NOWHERE


def read_memberships(history: History, until_us: int) -> Memberships:
    """All turns up to a moment; a correction counts like a turn."""
    return Memberships(
        history.rows(
            f"SELECT {SUBJECT}, time_us, segment, "  # noqa: S608
            "coalesce(CAST(json_extract(extra, '$.member') AS BOOLEAN), "
            "event = 'segment_entered') FROM events "
            "WHERE event IN ('segment_entered', 'segment_left', 'segment_corrected') "
            "AND trust = 'engine' AND time_us <= $until_us ORDER BY time_us, received, message_id",
            {"until_us": until_us},
        )
    )
