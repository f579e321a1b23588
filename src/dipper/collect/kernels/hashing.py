"""SipHash-1-3 over bytes, compiled: a secret key for fingerprints, a fixed one for content.

A keyed hash for fingerprints, so that nobody outside can aim at one place of the table; the same
function for content, because one is enough (ADR 0004).
"""

from __future__ import annotations

import numpy as np

from dipper.collect.kernels.compiled import inner, kernel
from dipper.collect.kernels.names import word_at

_U = np.uint64
_MASK = np.int64(2**63 - 1)


@inner
def _rotate(x, bits):
    return (x << _U(bits)) | (x >> _U(64 - bits))


@inner
def _round(v0, v1, v2, v3):
    v0 += v1
    v1 = _rotate(v1, 13) ^ v0
    v0 = _rotate(v0, 32)
    v2 += v3
    v3 = _rotate(v3, 16) ^ v2
    v0 += v3
    v3 = _rotate(v3, 21) ^ v0
    v2 += v1
    v1 = _rotate(v1, 17) ^ v2
    v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


@kernel
def siphash(key0, key1, b, start, end):
    """The 64-bit hash of b[start:end] under a 128-bit key (two uint64), as int64."""
    v0 = _U(0x736F6D6570736575) ^ key0
    v1 = _U(0x646F72616E646F6D) ^ key1
    v2 = _U(0x6C7967656E657261) ^ key0
    v3 = _U(0x7465646279746573) ^ key1
    i = start
    while i + 8 <= end:
        word = word_at(b, i)
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
        i += 8
    word = _U(end - start) << _U(56)
    shift = _U(0)
    while i < end:
        word |= _U(b[_U(i)]) << shift
        shift += _U(8)
        i += 1
    v3 ^= word
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= word
    v2 ^= _U(0xFF)
    for _ in range(3):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return np.int64(v0 ^ v1 ^ v2 ^ v3)


@kernel
def content_of(b, start, end):
    """The 63-bit content hash of b[start:end]; never 0."""
    found = siphash(_U(0), _U(0), b, start, end) & _MASK
    return found if found else np.int64(1)


@kernel
def siphash_each(key0, key1, b, ends):
    """`siphash` of texts that follow each other in `b`; `ends` are their ends."""
    found = np.empty(len(ends), np.int64)
    start = np.int64(0)
    for number in range(len(ends)):
        found[number] = siphash(key0, key1, b, start, ends[number])
        start = ends[number]
    return found


@kernel
def content_of_each(b, starts, ends):
    """`content_of` of pieces of `b`."""
    found = np.empty(len(ends), np.int64)
    for number in range(len(ends)):
        found[number] = content_of(b, starts[number], ends[number])
    return found
