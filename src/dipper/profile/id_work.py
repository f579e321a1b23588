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
    HEADER,
    HEADER_BYTES,
    NEVER_US,
    PROVEN,
    VERSION,
    Facts,
    Header,
    flags_of,
    read_facts,
    read_header,
    records_at,
    write,
)
from dipper.profile.identity import Key

RECORDS_MAX = 4_096
UNTOUCHED = 2**63 - 1

_ORDER_KEY = struct.Struct("<3q")


class WorkFamily(NamedTuple):
    """What holds for all ids of a family during a batch.

    Records up to `horizon_us` are of no use unless they have a bit of `lifetime_mask`; those with a
    bit of `watched_mask` may turn a segment.
    """

    layout: RecordLayout
    lifetime_mask: int
    watched_mask: int
    horizon_us: int


class IdWork:
    """The state of one id while a batch is projected."""

    __slots__ = (
        "_data", "_facts", "_header", "_new", "family", "is_changed", "is_erased",
        "is_proven", "key", "kind", "last_us", "layout_code", "text", "touched_us",
    )  # fmt: skip

    def __init__(
        self,
        text: str,
        key: Key,
        kind: str,
        family: WorkFamily,
        layout_code: int,
        data: memoryview | bytes | None,
    ) -> None:
        self.text, self.key, self.kind = text, key, kind
        self.family, self.layout_code = family, layout_code
        self.touched_us = UNTOUCHED
        self.is_erased = False
        self._new: list[bytes] = []
        self._data = data
        if data is None:
            self._header = Header(VERSION, 0, layout_code, 0, NEVER_US, family.horizon_us)
            self._facts: Facts | None = Facts(text)
        else:
            self._header = read_header(data)
            self._facts = None
        self.is_changed = data is None
        self.is_proven = self._header.is_proven
        self.last_us = self._header.last_us

    @property
    def facts(self) -> Facts:
        """The facts, to read. Who changes them calls `change`."""
        if self._facts is None:
            assert self._data is not None
            self._facts = read_facts(self._data, self._header)
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

    def add(self, row: bytes, mask: int, time_us: int, texts: Sequence[tuple[int, str]]) -> None:
        """A record with its condition bits and the texts that it refers to."""
        family = self.family
        if time_us <= family.horizon_us and not mask & family.lifetime_mask:
            return
        self._new.append(row)
        if mask & family.watched_mask:
            self.touch(time_us)
        if texts:
            known = self.facts.texts
            for hashed, text in texts:
                if hashed not in known:
                    known[hashed] = text
                    self.is_changed = True

    def to_bytes(self) -> bytes:
        """The state with everything that was added, cut at the horizon."""
        header = self._header
        trimmed_us = max(header.trimmed_us, self.family.horizon_us)
        records = self._lengthened() if trimmed_us == header.trimmed_us else None
        if records is None:
            records = self._arranged(trimmed_us)
        if not self.is_changed:
            assert self._data is not None
            flags = header.flags | (PROVEN if self.is_proven else 0)
            head = HEADER.pack(
                VERSION, flags, header.layout, header.facts_bytes, self.last_us, trimmed_us
            )
            facts = memoryview(self._data)[HEADER_BYTES : records_at(header)]
            return b"".join((head, facts, *records))
        body = self.facts.to_bytes()
        flags = flags_of(self.kind, self.is_proven, self.facts)
        return write(
            Header(VERSION, flags, self.layout_code, len(body), self.last_us, trimmed_us),
            body,
            b"".join(records),
        )

    def _stored(self) -> memoryview:
        """The records as they were."""
        if self._data is None:
            return memoryview(b"")
        return memoryview(self._data)[records_at(self._header) :]

    def _lengthened(self) -> list[memoryview | bytes] | None:
        """The stored records with the new ones behind them, where that is their place."""
        new, stored = self._new, self._stored()
        if not new:
            return [stored]
        width = self.family.layout.row_bytes
        count = len(stored) // width
        if count + len(new) > RECORDS_MAX:
            return None
        if len(new) > 1:
            new = sorted(new, key=_ORDER_KEY.unpack_from)
        last = _ORDER_KEY.unpack_from(stored, len(stored) - width) if count else None
        for row in new:
            key = _ORDER_KEY.unpack_from(row)
            if last is not None and key <= last:
                return None
            last = key
        return [stored, *new]

    def _arranged(self, horizon_us: int) -> list[memoryview | bytes]:
        """All records at their places, each once, without those that are of no use any more."""
        layout = self.family.layout
        rows = insert(layout.matrix(bytes(self._stored())), layout.matrix(b"".join(self._new)))
        kept = self._useful(rows, horizon_us)[-RECORDS_MAX:]
        if len(kept) < len(rows) and self.facts.texts:
            present = set(kept[:, MASK + layout.words :].ravel().tolist())
            texts = self.facts.texts
            self.facts.texts = {key: text for key, text in texts.items() if key in present}
            self.is_changed = True
        return [kept.tobytes()]

    def _useful(self, rows: Matrix, horizon_us: int) -> Matrix:
        useful = rows[:, TIME] > horizon_us
        if useful.all():
            return rows
        for word in range(self.family.layout.words):
            bits = np.uint64(self.family.lifetime_mask >> (WORD_BITS * word) & (2**WORD_BITS - 1))
            useful |= (rows[:, MASK + word].view(np.uint64) & bits) != 0
        return rows[useful]
