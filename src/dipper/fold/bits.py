"""Where the only set bit of a 64-bit word stands, without a loop (a de Bruijn sequence).

In a kernel: `PLACES[(lowest * DE_BRUIJN) >> SHIFT]` for `lowest = bits & (~bits + ONE)`.
"""

from __future__ import annotations

import numpy as np

_SEQUENCE = 0x03F79D71B4CB0A89

ONE = np.uint64(1)
SHIFT = np.uint64(58)
DE_BRUIJN = np.uint64(_SEQUENCE)
PLACES = np.zeros(64, dtype=np.int64)
PLACES[[((1 << place) * _SEQUENCE & 2**64 - 1) >> 58 for place in range(64)]] = range(64)
