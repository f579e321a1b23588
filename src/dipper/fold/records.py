"""The near end of a timeline as fixed-width records, and how a record finds its place.

A record is a row of 8-byte little-endian numbers, so that its bytes, a structured array and the
matrix that the kernels read are one memory. What a row carries is fixed by the program: a bit for
each condition that a tag counts by, and a slot for each value that one aggregates.

Rows stand in timeline order (time, seq, order). A row that is already there is not added again;
two rows with one order key and other content are two rows, ordered by their content, so that the
arrangement depends on the set of rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.int64]

TIME, SEQ, ORDER, CLAIM, EVENT, MASK = range(6)
WORD_BITS = 64


@dataclass(frozen=True)
class RecordLayout:
    """The shape of a record: `words` of 64 condition bits and `slots` of 8-byte values."""

    words: int
    slots: int

    @cached_property
    def width(self) -> int:
        """Numbers in a row."""
        return MASK + self.words + self.slots

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return 8 * self.width

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        """The same bytes as a structured array, for reading by name."""
        fields: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = [
            ("time_us", "<i8"),
            ("seq", "<i8"),
            ("order", "<i8"),
            ("claim", "<i8"),
            ("event", "<i4"),
            ("reserved", "<i4"),
            ("mask", "<u8", (self.words,)),
            ("values", "<i8", (self.slots,)),
        ]
        return np.dtype(fields)

    def matrix(self, data: bytes | memoryview, offset: int = 0) -> Matrix:
        """The rows in `data` from `offset`, unchanged and not copied; read only.

        Raises ValueError when the bytes are no whole number of rows.
        """
        rows = np.frombuffer(data, dtype=np.int64, offset=offset).reshape(-1, self.width)
        # The kernels are compiled for whole 8-byte places; a short value in a page may lie between.
        return (
            rows
            if rows.flags.aligned
            else np.frombuffer(rows.tobytes(), np.int64).reshape(-1, self.width)
        )

    def empty(self) -> Matrix:
        """No rows."""
        return np.empty((0, self.width), dtype=np.int64)


def row_bytes(
    time_us: int, seq: int, order: int, claim: int, event: int, mask: int, words: int, values: bytes
) -> bytes:
    """One row. `mask` is the number whose bit j is condition j; `values` are the packed slots."""
    head = np.array([time_us, seq, order, claim, event], dtype=np.int64).tobytes()
    return head + mask.to_bytes(8 * words, "little") + values


def sealed(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The same numbers in a row, not to be written: what is read from the state cannot be, and a
    kernel is compiled anew for each kind of array."""
    row = numbers.reshape(-1)
    if row.flags.writeable:
        row = row.view()
        row.flags.writeable = False
    return row


def arrange(rows: Matrix) -> Matrix:
    """The same set of rows in timeline order, each once."""
    if len(rows) < 2:
        return rows
    # Nearly always the moments differ, and then nothing else needs to be compared.
    moments = rows[:, TIME]
    if (moments[1:] > moments[:-1]).all():
        return rows
    by_time = np.argsort(moments, kind="stable")
    moments = moments[by_time]
    if (moments[1:] > moments[:-1]).all():
        return rows[by_time]
    # The last key of lexsort is the first to compare by.
    ordered = rows[np.lexsort(rows.T[::-1])]
    fresh = np.empty(len(ordered), dtype=bool)
    fresh[0] = True
    np.any(ordered[1:] != ordered[:-1], axis=1, out=fresh[1:])
    return ordered if fresh.all() else ordered[fresh]


def insert(rows: Matrix, new: Matrix) -> Matrix:
    """Arranged rows with new ones at their places; a row that is there already is not repeated."""
    if not len(new):
        return rows
    return arrange(np.concatenate((rows, new)))


def key_of(row: npt.NDArray[np.int64]) -> tuple[int, int, int]:
    """The order key (time, seq, order) of a row."""
    return int(row[TIME]), int(row[SEQ]), int(row[ORDER])
