"""How many different ways there are: distinct sequences of events over whole timelines.

A timeline's sequence is hashed as a chain of two 64-bit words over the hashes of its events' names
(blake2b), so that equal sequences agree on every machine and two different ones meet with a chance
of n² / 2^129. Rows that share a time follow each other by `seq`: with another order the loan log's
4,366 variants do not come out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from dipper.fold.timeline import Timelines, read_only
from dipper.kit.hashing import hash64

Hashes = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
_MISSING = hash64("\x00missing")


@dataclass(frozen=True)
class Variants:
    """`subjects[i]` subjects share the i-th most frequent of the `count` distinct sequences."""

    count: int
    subjects: tuple[int, ...]


@dataclass
class VariantState:
    """Distinct sequences, as two words each, and how many subjects have them."""

    sequences: Hashes
    subjects: Counts


@dataclass(frozen=True)
class VariantFold:
    """The fold. Column: `column`, texts; a missing text is a value of its own."""

    column: str = "event"

    def start(self) -> VariantState:
        """No sequence yet."""
        return VariantState(np.zeros((0, 2), np.uint64), np.zeros(0, np.int64))

    def step(self, state: VariantState, timelines: Timelines) -> VariantState:
        """Adds the sequences of these subjects."""
        names = timelines.texts[self.column]
        # A missing text has code -1, the last place.
        hashes = np.array([*map(hash64, names), _MISSING], np.int64).view(np.uint64)
        starts, codes = timelines.subjects, timelines.columns[self.column]
        found = _chains(read_only(starts), read_only(codes), read_only(hashes))
        return self.merge(state, VariantState(found, np.ones(len(found), np.int64)))

    def merge(self, state: VariantState, other: VariantState) -> VariantState:
        """The union, counts added."""
        both = np.concatenate([state.sequences, other.sequences])
        counts = np.concatenate([state.subjects, other.subjects])
        sequences, places = np.unique(both, axis=0, return_inverse=True)
        subjects = np.zeros(len(sequences), np.int64)
        np.add.at(subjects, places.reshape(-1), counts)
        return VariantState(sequences, subjects)

    def finish(self, state: VariantState) -> Variants:
        """The number of sequences, and how many subjects have each."""
        ordered = np.sort(state.subjects)[::-1]
        return Variants(len(ordered), tuple(ordered.tolist()))


@njit(cache=True, nogil=True)
def _mix(word):  # type: ignore[no-untyped-def]
    # The finaliser of splitmix64 (Steele, Lea, Flood 2014).
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@njit(cache=True, nogil=True)
def _chains(starts, codes, hashes):  # type: ignore[no-untyped-def]
    chains = np.empty((len(starts) - 1, 2), np.uint64)
    for subject in range(len(starts) - 1):
        one = np.uint64(0x9E3779B97F4A7C15)
        two = np.uint64(0xC2B2AE3D27D4EB4F)
        for row in range(starts[subject], starts[subject + 1]):
            word = hashes[codes[row]]
            one = _mix(one ^ word) + np.uint64(0x9E3779B97F4A7C15)
            two = _mix(two + word) ^ one
        chains[subject, 0] = one
        chains[subject, 1] = two
    return chains
