"""All names that the kernels must know, in one flat table: a name in a scope gives a number.

Scopes keep the members of a request, an event, its context, its columns and its further subjects,
the id types that are written anew, the events of a source, the properties of each event and the
allowed texts of each property apart. A name is found by its
hash and confirmed byte by byte, so that no chosen name is taken for another.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dipper.collect.kernels.compiled import inner, kernel

REQUEST, EVENT, CONTEXT, COLUMNS, SUBJECTS, REWRITTEN, EVENTS, FIRST_FREE = np.arange(8)
"""The fixed scopes; rules and allowed texts take their own from FIRST_FREE on.

Constants that are handed to kernels are int64 by type: a literal number would be compiled into a
kernel of its own.
"""

UNKNOWN = -1
PLACE = 4
"""Numbers a place takes: hash (0 in an empty place), value, start and length in the text."""

_U = np.uint64
_FACTOR = _U(0x9E3779B97F4A7C15)
_MASKS = np.array([(1 << (8 * count)) - 1 for count in range(8)], np.uint64)


def build(names: Mapping[tuple[int, str], int], text: bytearray) -> np.ndarray:
    """The table of (scope, name) -> value, a power of two of places at most half full.

    The names are added to `text`.
    """
    count = 16
    while count < 2 * len(names):
        count *= 2
    table = np.zeros(PLACE * count, np.int64)
    for (scope, name), value in names.items():
        raw = name.encode()
        key = int(name_hash(scope, np.frombuffer(raw + bytes(16), np.uint8), 0, len(raw)))
        place = (key >> 1) & (count - 1)
        while table[PLACE * place]:
            place = (place + 1) & (count - 1)
        table[PLACE * place : PLACE * (place + 1)] = key, value, len(text), len(raw)
        text += raw
    return table


@inner
def word_at(b, i):
    """Eight bytes as one number. The compiler makes one load of it."""
    j = _U(i)
    return (
        _U(b[j])
        | _U(b[j + _U(1)]) << _U(8)
        | _U(b[j + _U(2)]) << _U(16)
        | _U(b[j + _U(3)]) << _U(24)
        | _U(b[j + _U(4)]) << _U(32)
        | _U(b[j + _U(5)]) << _U(40)
        | _U(b[j + _U(6)]) << _U(48)
        | _U(b[j + _U(7)]) << _U(56)
    )


@kernel
def name_hash(scope, b, start, end):
    """A hash of scope and bytes, always odd. Reads up to 8 bytes beyond the end."""
    h = _U(scope + 1) * _FACTOR
    i = start
    while i + 8 <= end:
        h = (h ^ word_at(b, i)) * _FACTOR
        h ^= h >> _U(29)
        i += 8
    h = (h ^ (word_at(b, i) & _MASKS[_U(end - i)])) * _FACTOR
    h ^= h >> _U(32)
    return np.int64(h) | 1


@kernel
def find(table, places, text, scope, b, start, end):
    """The value of a name in a scope, or UNKNOWN. `table` may have more behind its `places`."""
    key = name_hash(scope, b, start, end)
    place = (key >> 1) & (places - 1)
    size = end - start
    while True:
        found = table[_U(PLACE * place)]
        if found == 0:
            return UNKNOWN
        if found == key and table[_U(PLACE * place + 3)] == size:
            known, i = table[_U(PLACE * place + 2)], start
            while i + 8 <= end and word_at(text, known) == word_at(b, i):
                known += 8
                i += 8
            if i + 8 > end and ((word_at(text, known) ^ word_at(b, i)) & _MASKS[_U(end - i)]) == 0:
                return table[_U(PLACE * place + 1)]
        place = (place + 1) & (places - 1)
