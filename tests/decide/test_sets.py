"""Sets of candidates as bits."""

from __future__ import annotations

import numpy as np

from dipper.decide.sets import first_denials


def test_the_first_gate_that_denies_is_named() -> None:
    """Each candidate has its first denying gate, or its place among those that passed."""
    gates = [0b11_0110_1101, 0b10_1111_0101]
    data = np.frombuffer(b"".join(one.to_bytes(2, "little") for one in gates), np.uint8)
    first, places = np.empty(10, np.uint8), np.empty(10, np.int64)
    denials = np.zeros(2, np.int64)
    passed = first_denials(data, 2, first, places, denials)
    assert first.tolist() == [0, 1, 0, 2, 1, 0, 0, 1, 2, 0]
    assert places[:passed].tolist() == [0, 2, 5, 6, 9]
    assert denials.tolist() == [3, 2]


def test_nobody() -> None:
    """Without gates everybody passes, without candidates nobody."""
    nothing = np.frombuffer(b"", np.uint8)
    first, places = np.empty(3, np.uint8), np.empty(3, np.int64)
    assert first_denials(nothing, 1, first, places, np.zeros(0, np.int64)) == 3
    assert first_denials(nothing, 0, first[:0], places[:0], np.zeros(2, np.int64)) == 0
