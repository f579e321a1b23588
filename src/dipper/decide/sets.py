"""Sets of candidates as bits: who passed all gates, and which gate denied another first."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def first_denials(passes, width, first, places, denials):  # type: ignore[no-untyped-def]
    """How many passed every gate; `passes` has `width` bytes a gate with a bit for each candidate.

    Fills `first` (0, or 1 + the place of the first gate that denied), the `places` of those that
    passed, and `denials`, the first denials of each gate.
    """
    passed = 0
    for at in range(first.shape[0]):
        byte, bit = at >> 3, at & 7
        first[at] = 0
        for gate in range(denials.shape[0]):
            if not (passes[gate * width + byte] >> bit) & 1:
                first[at] = gate + 1
                denials[gate] += 1
                break
        if first[at] == 0:
            places[passed] = at
            passed += 1
    return passed
