"""Who was in a segment at a moment follows from what was announced."""

from __future__ import annotations

from collections.abc import Callable

from dipper.engine.conformance.lake import NOW_US
from dipper.engine.embedded.history import History
from dipper.kit.hashing import hash128
from dipper.measure.memberships import read_memberships

ANN = "login:ann"


def turn(segment: str, member: bool | None = None) -> dict[str, object]:
    extra = "{}" if member is None else f'{{"member":{str(member).lower()}}}'
    return {"segment": segment, "trust": "engine", "extra": extra}


def test_a_member_is_in_from_entering_to_leaving(told: Callable[..., History]) -> None:
    """At the crossing time itself the turn has happened; a correction counts like a turn."""
    history = told(
        (ANN, "segment_entered", NOW_US, turn("payers", True)),
        (ANN, "segment_entered", NOW_US + 5, turn("parents")),
        (ANN, "segment_left", NOW_US + 10, turn("payers", False)),
        (ANN, "segment_corrected", NOW_US + 20, turn("parents", False)),
        (ANN, "segment_entered", NOW_US + 1, turn("forged") | {"trust": "server"}),
    )
    found = read_memberships(history, NOW_US + 100)
    key = hash128(ANN).hex()
    at = [sorted(found.at(key, NOW_US + after)) for after in (-1, 0, 7, 10, 20)]
    assert at == [[], ["payers"], ["parents", "payers"], ["parents"], []]
    assert found.at("nobody", NOW_US) == frozenset()
