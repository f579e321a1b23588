"""Lists of entries whose fate is not known yet."""

from __future__ import annotations

from dipper.collect.in_hand import InHand
from dipper.engine.ports import Entry
from dipper.engine.record import RecordKind


def entries() -> list[Entry]:
    """A list of its own, equal to every other."""
    return [Entry(RecordKind.EVENT, b"{}")]


def test_a_list_is_in_hand_until_its_own_fate_is_known() -> None:
    """Equal lists are different ones; later ones do not count for what was before."""
    hand = InHand()
    first, second = entries(), entries()
    hand.take(first)
    hand.take(first)
    taken = hand.taken
    hand.take(second)
    hand.settle(entries())
    assert hand.has_any_of(taken)
    hand.settle(first)
    assert not hand.has_any_of(taken)
    assert hand.has_any_of(hand.taken)
    hand.settle(second)
    assert not hand.has_any_of(hand.taken)


def test_whatever_order_they_settle_in() -> None:
    """The oldest decides."""
    hand = InHand()
    lists = [entries() for _ in range(5)]
    for found in lists:
        hand.take(found)
    for found in reversed(lists):
        assert hand.has_any_of(1)
        hand.settle(found)
    assert not hand.has_any_of(5)
