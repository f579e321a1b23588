"""The kernels do to the bit what NumPy did before them."""

from __future__ import annotations

import numpy as np
import pytest

from dipper.decide.rank.slots import SURENESS, choose_place, fill_chances, first_slot, sum_of

SIZES = (1, 2, 7, 8, 9, 127, 128, 129, 200, 1_000, 5_003)


@pytest.mark.parametrize("size", SIZES)
def test_sums_like_numpy(size: int) -> None:
    """Numbers of very different size add up to NumPy's last bit."""
    draw = np.random.default_rng(size)
    for _ in range(20):
        numbers = draw.random(size) * 10.0 ** draw.integers(-12, 3, size)
        assert sum_of(numbers) == numbers.sum()


@pytest.mark.parametrize("size", SIZES)
def test_first_slot_like_numpy(size: int) -> None:
    """Scores, probabilities and the chosen place are those of the plain formulas."""
    draw = np.random.default_rng(size)
    scores, counts = draw.normal(0.0, 0.01, size + 3), draw.integers(0, 10_000, size + 3)
    rows, worth = draw.integers(0, size + 3, size), draw.integers(1, 20_000, size).astype(float)
    passed = np.flatnonzero(draw.random(size) < 0.7)
    if not len(passed):
        passed = np.array([0])
    noise, epsilon, chance = 0.2, 0.02, float(draw.random())
    expected = scores[rows[passed]] * worth[passed]
    best, n = int(expected.argmax()), len(passed)
    sure = SURENESS / (noise * max(1.0, worth[passed].max()))
    rates = sure * np.sqrt(n * counts[rows[passed]])
    chances = 1.0 / (n + rates * (expected[best] - expected))
    chances[best] = 0.0
    chances[best] = 1.0 - chances.sum()
    chances = (1.0 - epsilon) * chances + epsilon / n
    ends = chances.cumsum()
    at, found, probabilities = first_slot(
        scores, rows, counts, worth, passed, noise, epsilon, False, chance
    )
    assert found.tolist() == expected.tolist()
    assert probabilities.tolist() == chances.tolist()
    assert at == ends.searchsorted(chance * ends[-1], side="right")


def test_greedy_shares_among_equals() -> None:
    """Without exploration the best have equal parts and the others nothing."""
    chances = np.empty(3)
    fill_chances(np.array([2.0, 1.0, 2.0]), np.array([0, 0, 0]), 1.0, 0.0, True, chances)
    assert chances.tolist() == [0.5, 0.0, 0.5]


def test_a_draw_next_to_one_finds_a_place() -> None:
    """Where rounding leaves a draw behind the last end, the last possible place is chosen."""
    assert choose_place(np.array([0.5, 0.5, 0.0]), 1.0) == 1
