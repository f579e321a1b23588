"""What a batch changes of one id: new records and facts, folded into its bytes once at the end.

The usual case adds one record behind all others: then the stored bytes are only lengthened. Facts
and records are decoded when something else happens: a late record, a repeated one, a new fact, a
day's cutting of what has become too old.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dipper.fold.records import MASK, TIME, WORD_BITS, Matrix, RecordLayout, insert
from dipper.profile.id_state import (
    CUT,
    HEADER,
    HEADER_BYTES,
    NEVER_US,
    PROVEN,
    RECORDS_MAX,
    VERSION,
    Facts,
    decode_facts,
    flags_of,
)
from dipper.profile.identity import Key
from dipper.profile.rows import KeptText

UNTOUCHED = 2**63 - 1

_ORDER_KEY = struct.Struct("<3q")
_BEFORE_ALL = (NEVER_US - 1, 0, 0)


class WorkFamily(NamedTuple):
    """What holds for all ids of a family during a batch.

    Records up to `horizon_us` are of no use unless they have a bit of `lifetime_mask`; those with a
    bit of `watched_mask` may turn a segment.
    """

    name: str
    layout: RecordLayout
    row_bytes: int
    lifetime_mask: int
    watched_mask: int
    horizon_us: int
    layout_code: int


class IdWork:
    """The state of one id while a batch is projected."""

    __slots__ = (
        "_data", "_facts", "_facts_bytes", "_flags", "_new", "_trimmed_us", "family",
        "is_changed", "is_proven", "key", "kind", "last_us", "refused_until_us", "text",
        "touched_us",
    )  # fmt: skip

    def __init__(
        self, text: str, key: Key, kind: str, family: WorkFamily, data: memoryview | bytes | None
    ) -> None:
        self.text, self.key, self.kind, self.family = text, key, kind, family
        self.touched_us = UNTOUCHED
        self.refused_until_us = 0
        self._new: list[bytes] = []
        self._data = data
        self._facts: Facts | None = None
        if data is None:
            self._facts = Facts(text)
            self._flags = self._facts_bytes = 0
            self.last_us, self._trimmed_us = NEVER_US, family.horizon_us
            self.is_changed, self.is_proven = True, False
        else:
            _, flags, _, self._facts_bytes, self.last_us, self._trimmed_us = HEADER.unpack_from(
                data
            )
            self._flags = flags
            self.is_changed, self.is_proven = False, flags >= PROVEN

    @property
    def is_blank(self) -> bool:
        """Nothing was known of the id, and nothing has been said of it."""
        return self._data is None and self.last_us == NEVER_US and self.touched_us == UNTOUCHED

    @property
    def facts(self) -> Facts:
        """The facts, to read. Who changes them calls `change`."""
        if self._facts is None:
            assert self._data is not None
            self._facts = decode_facts(self._data[HEADER_BYTES : HEADER_BYTES + self._facts_bytes])
        return self._facts

    def change(self, since_us: int) -> Facts:
        """The facts, to change: what follows from them may be another from `since_us` on."""
        self.is_changed = True
        self.touch(since_us)
        return self.facts

    def touch(self, since_us: int) -> None:
        """Segments may have turned from this moment on."""
        if since_us < self.touched_us:
            self.touched_us = since_us

    def add(self, row: bytes, mask: int, time_us: int, texts: Sequence[KeptText]) -> None:
        """A record with its condition bits and the texts that it refers to."""
        family = self.family
        if time_us <= family.horizon_us and not mask & family.lifetime_mask:
            return
        self._new.append(row)
        if mask & family.watched_mask:
            self.touch(time_us)
        if texts:
            self._keep_texts(texts)

    def _keep_texts(self, texts: Sequence[KeptText]) -> None:
        stored = b""
        if self._facts is None and self._data is not None:
            stored = bytes(self._data[HEADER_BYTES : HEADER_BYTES + self._facts_bytes])
        for kept in texts:
            # Nearly always the text is there: its bytes are looked for before anything is decoded.
            if kept.stored not in stored and kept.hash not in self.facts.texts:
                self.facts.texts[kept.hash] = kept.text
                self.is_changed = True

    def to_bytes(self) -> bytes:
        """The state with everything that was added, cut at the horizon."""
        trimmed_us = self.family.horizon_us
        if trimmed_us <= self._trimmed_us:
            trimmed_us = self._trimmed_us
            records = self._lengthened()
        else:
            records = None
        if records is None:
            records = self._arranged(trimmed_us)
        if self.is_changed:
            body = self.facts.to_bytes()
            flags = flags_of(self.kind, self.is_proven, self.facts) | self._flags & CUT
            head: bytes | memoryview = body + bytes(-len(body) % 8)
            size = len(body)
        else:
            assert self._data is not None
            flags = self._flags | (PROVEN if self.is_proven else 0)
            size = self._facts_bytes
            head = self._data[HEADER_BYTES : HEADER_BYTES + (size + 7 & ~7)]
        fixed = HEADER.pack(VERSION, flags, self.family.layout_code, size, self.last_us, trimmed_us)
        return b"".join((fixed, head, *records))

    def _stored(self) -> memoryview | bytes:
        """The records as they were."""
        if self._data is None:
            return b""
        return self._data[HEADER_BYTES + (self._facts_bytes + 7 & ~7) :]

    def _lengthened(self) -> Sequence[memoryview | bytes] | None:
        """The stored records with the new ones behind them, where that is their place."""
        new, stored = self._new, self._stored()
        if not new:
            return (stored,)
        size, width = len(stored), self.family.row_bytes
        if size + len(new) * width > RECORDS_MAX * width:
            return None
        if len(new) > 1:
            new = sorted(new, key=_ORDER_KEY.unpack_from)
        last = _ORDER_KEY.unpack_from(stored, size - width) if size else _BEFORE_ALL
        for row in new:
            key = _ORDER_KEY.unpack_from(row)
            if key <= last:
                return None
            last = key
        return (stored, *new)

    def _arranged(self, horizon_us: int) -> Sequence[memoryview | bytes]:
        """All records at their places, each once, without those that are of no use any more."""
        layout = self.family.layout
        rows = insert(layout.matrix(bytes(self._stored())), layout.matrix(b"".join(self._new)))
        useful = self._useful(rows, horizon_us)
        kept = useful[-RECORDS_MAX:]
        if self._for_life(useful[:-RECORDS_MAX]).any():
            self._flags |= CUT
        if len(kept) < len(rows) and self.facts.texts:
            present = set(kept[:, MASK + layout.words :].ravel().tolist())
            texts = self.facts.texts
            self.facts.texts = {key: text for key, text in texts.items() if key in present}
            self.is_changed = True
        return (kept.tobytes(),)

    def _useful(self, rows: Matrix, horizon_us: int) -> Matrix:
        useful = rows[:, TIME] > horizon_us
        return rows if useful.all() else rows[useful | self._for_life(rows)]

    def _for_life(self, rows: Matrix) -> np.ndarray:
        """Which records a lifetime tag counts."""
        found = np.zeros(len(rows), dtype=np.bool_)
        for word in range(self.family.layout.words):
            bits = np.uint64(self.family.lifetime_mask >> (WORD_BITS * word) & (2**WORD_BITS - 1))
            found |= (rows[:, MASK + word].view(np.uint64) & bits) != 0
        return found
