"""Probabilities and the first slot as kernels: what each decision does for every candidate.

They add in the order in which NumPy adds, so that a decision that NumPy made years ago replays to
the same bits.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit

# How fast inverse_gap becomes sure at scale 1; chosen by measurement (ADR 0012).
SURENESS = 300.0

_ALONE, _AT_ONCE = 8, 128
_DEPTH_MAX = 64


@njit(cache=True, nogil=True)
def sum_of(numbers):  # type: ignore[no-untyped-def]  # Numba infers
    """The sum by halves of halves, as NumPy adds. (A kernel that calls itself breaks the cache.)"""
    if numbers.shape[0] <= _AT_ONCE:
        return _sum_at_once(numbers, 0, numbers.shape[0])
    start = np.empty(_DEPTH_MAX, np.int64)
    count = np.empty(_DEPTH_MAX, np.int64)
    first = np.empty(_DEPTH_MAX)
    has_first = np.empty(_DEPTH_MAX, np.bool_)
    depth, total = 0, 0.0
    start[0], count[0], has_first[0] = 0, numbers.shape[0], False
    while depth >= 0:
        while count[depth] > _AT_ONCE:
            start[depth + 1], count[depth + 1] = start[depth], count[depth] // 16 * 8
            depth += 1
            has_first[depth] = False
        total = _sum_at_once(numbers, start[depth], count[depth])
        depth -= 1
        while depth >= 0 and has_first[depth]:
            total = first[depth] + total
            depth -= 1
        if depth >= 0:
            first[depth], has_first[depth] = total, True
            half = count[depth] // 16 * 8
            start[depth + 1], count[depth + 1] = start[depth] + half, count[depth] - half
            depth += 1
            has_first[depth] = False
    return total


@njit(cache=True, nogil=True)
def _sum_at_once(numbers, start, count):  # type: ignore[no-untyped-def]
    if count < _ALONE:
        total = 0.0
        for i in range(start, start + count):
            total += numbers[i]
        return total
    a, b, c, d = numbers[start], numbers[start + 1], numbers[start + 2], numbers[start + 3]
    e, f, g, h = numbers[start + 4], numbers[start + 5], numbers[start + 6], numbers[start + 7]
    end = start + count
    at = start + 8
    while at < end - count % 8:
        a, b, c, d = (
            a + numbers[at], b + numbers[at + 1], c + numbers[at + 2], d + numbers[at + 3],
        )  # fmt: skip
        e, f, g, h = (
            e + numbers[at + 4], f + numbers[at + 5], g + numbers[at + 6], h + numbers[at + 7],
        )  # fmt: skip
        at += 8
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    while at < end:
        total += numbers[at]
        at += 1
    return total


@njit(cache=True, nogil=True)
def fill_chances(scores, counts, noise, epsilon, is_greedy, chances):  # type: ignore[no-untyped-def]
    """The probability of each candidate: by its gap to the best score, or the best alone.

    `counts` are outcomes of each, `noise` is the scale times the standard deviation of a score.
    """
    count = scores.shape[0]
    best = 0
    for i in range(1, count):
        if scores[i] > scores[best]:
            best = i
    if is_greedy:
        ties = 0
        for i in range(count):
            ties += scores[i] == scores[best]
        for i in range(count):
            chances[i] = 1.0 / ties if scores[i] == scores[best] else 0.0
    else:
        sure = SURENESS / noise
        for i in range(count):
            rate = sure * sqrt(count * counts[i])
            chances[i] = 1.0 / (count + rate * (scores[best] - scores[i]))
        chances[best] = 0.0
        chances[best] = 1.0 - sum_of(chances)
    if epsilon > 0.0:
        for i in range(count):
            chances[i] = (1.0 - epsilon) * chances[i] + epsilon / count


@njit(cache=True, nogil=True)
def choose_place(chances, draw):  # type: ignore[no-untyped-def]
    """The place that a draw from [0, 1) falls on; never one of probability 0."""
    total = 0.0
    for i in range(chances.shape[0]):
        total += chances[i]
    target = draw * total
    end = 0.0
    last = 0
    for i in range(chances.shape[0]):
        end += chances[i]
        if end > target:
            return i
        if chances[i] != 0.0:
            last = i
    # Rounding has carried a draw next to 1 to the last end.
    return last


@njit(cache=True, nogil=True)
def first_slot(  # type: ignore[no-untyped-def]
    scores, rows, counts, worth, passed, noise, epsilon, is_greedy, draw
):
    """The place, among those that passed, of the offer in the first slot; the expected value and
    the probability of each.

    `scores` and `counts` are those of the model's rows, `rows` and `worth` of the candidates.
    """
    expected = np.empty(passed.shape[0])
    chances = np.empty(passed.shape[0])
    outcomes = np.empty(passed.shape[0], np.int64)
    unit = 1.0
    for i in range(passed.shape[0]):
        at = passed[i]
        expected[i] = scores[rows[at]] * worth[at]
        outcomes[i] = counts[rows[at]]
        unit = max(unit, worth[at])
    fill_chances(expected, outcomes, noise * unit, epsilon, is_greedy, chances)
    return choose_place(chances, draw), expected, chances
