"""The lane for events that are exactly as declared, which is nearly all of them.

A compiled kernel takes the bytes of a request apart and writes the records of its plain events.
Each event that is out of the ordinary is left to `judge`, which gives the same answer for the
others too (a property test holds it); so is a request that is no plain JSON.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np

from dipper.collect.kernels.json_kernels import FAULT, padded
from dipper.collect.kernels.kernel import (
    CONSENTS,
    EARLIEST,
    FIRST,
    LATEST,
    SENT_AT,
    SENT_END,
    TAKEN,
    Room,
    Tables,
    run,
)
from dipper.collect.kernels.scan_kernels import RAW, WIDTH
from dipper.collect.kernels.tables import tables_of
from dipper.collect.kernels.write_kernels import ANY_DIGITS, SHORTEST_DIGITS
from dipper.collect.rules import Rules
from dipper.collect.sources import Source
from dipper.collect.subjects import REWRITTEN

_SPANS = 2 * 64
_FACTS = 8
_NOBODY = Source("", "public")
_OUT_MIN = 1 << 20


class Kernel:
    """The compiled kernel with the memory that it writes into. One event loop.

    On a machine's first start compiling takes seconds: it goes on in a thread beside the first
    requests, which are judged completely meanwhile. Later starts load it from the cache.
    """

    def __init__(self) -> None:
        self._rooms: dict[int, Room] = {}
        self._is_warm = False
        self._warming: threading.Thread | None = None

    def is_warm(self) -> bool:
        """Whether it can be used. Begins to compile it when first asked."""
        if not self._is_warm and self._warming is None:
            self._warming = threading.Thread(target=self.warm, name="lane-warm", daemon=True)
            self._warming.start()
        return self._is_warm

    def warm(self) -> None:
        """Compile it now, or load it from the cache; waits for a thread that is at it."""
        if self._is_warm:
            return
        body = b'{"batch":[]}'
        tables = tables_of(_NOBODY, "", {}, np.zeros(2, np.uint64))
        run(padded(body), len(body), False, 0, 0, ANY_DIGITS, *tables, *_room(1, 1_024))
        self._is_warm = True

    def room(self, events_max: int, body_size: int) -> Room:
        """Memory for so many events and no more, of a body of that size."""
        room = self._rooms.get(events_max)
        # A record repeats at most what came; the rest of it is a few hundred bytes.
        if room is None or len(room.out) < 4 * body_size:
            room = self._rooms[events_max] = _room(events_max, max(_OUT_MIN, 4 * body_size))
        return room


def _room(events_max: int, out_size: int) -> Room:
    ends, keys, contents, originals = (np.zeros(events_max, np.int64) for _ in range(4))
    return Room(
        np.zeros(events_max * WIDTH, np.int64),
        np.zeros(out_size, np.uint8),
        ends,
        keys,
        contents,
        originals,
        np.zeros(_SPANS, np.int64),
        np.zeros(_FACTS, np.int64),
    )


class Laned(NamedTuple):
    """What the lane made of a request; the arrays are valid until the next one.

    `payloads` has None for each event that needs the complete judgement; `has_consents` tells of
    the others. Keys, content hashes and
    original times have a number for every event, which counts only for those with a payload; the
    times lie between `earliest_us` and `latest_us`.
    """

    body: bytes
    sent: str | None
    payloads: list[bytes | None]
    is_complete: bool
    has_consents: bool
    keys: np.ndarray
    contents: np.ndarray
    originals_us: np.ndarray
    earliest_us: int
    latest_us: int
    rows: np.ndarray

    def raw(self, place: int) -> bytes:
        """The text of one event."""
        start = place * WIDTH + 2 * RAW
        return self.body[self.rows[start] : self.rows[start + 1]]


class Lane:
    """The lane of one source under one program."""

    def __init__(self, rules: Rules, fingerprint_key: np.ndarray, kernel: Kernel) -> None:
        self._rules = rules
        self._key = fingerprint_key
        self._kernel = kernel
        self._is_open = rules.source.person_id_type not in REWRITTEN
        self._tables: Tables | None = None
        self._known = -1

    def run(
        self,
        body: bytes,
        is_single: bool,
        received_us: int,
        batch_max: int,
        event_max: int,
        *,
        is_canonical: bool = False,
    ) -> Laned | None:
        """Take a request of track events through. None where another reader must read it.

        `is_canonical` says that its numbers are in their shortest writing.
        """
        if not self._is_open or not self._kernel.is_warm():
            return None
        room = self._kernel.room(batch_max, len(body))
        digits_max = SHORTEST_DIGITS if is_canonical else ANY_DIGITS
        count = run(
            padded(body),
            len(body),
            is_single,
            received_us,
            event_max,
            digits_max,
            *self._compiled(),
            *room,
        )
        if count == FAULT:
            return None
        facts = room.facts.tolist()
        ends: list[int] = room.ends[:count].tolist()
        is_complete = facts[TAKEN] == count
        return Laned(
            body,
            body[facts[SENT_AT] : facts[SENT_END]].decode() if facts[SENT_AT] else None,
            _payloads(room.out, facts[FIRST], ends),
            is_complete,
            facts[CONSENTS] > 0,
            room.keys[:count],
            room.contents[:count],
            room.originals[:count],
            facts[EARLIEST],
            facts[LATEST],
            room.rows,
        )

    def _compiled(self) -> Tables:
        """The kernel's tables; made anew when a further name for an event was met."""
        if self._tables is None or self._known != len(self._rules.plain):
            self._known = len(self._rules.plain)
            self._tables = tables_of(
                self._rules.source, self._rules.plan.program, self._rules.plain, self._key
            )
        return self._tables


def _payloads(out: np.ndarray, start: int, ends: list[int]) -> list[bytes | None]:
    """The payloads that stand one behind another; None for an event without one."""
    last = max(ends, default=0)
    text = out[:last].tobytes()
    payloads: list[bytes | None] = []
    for end in ends:
        if end:
            payloads.append(text[start:end])
            start = end
        else:
            payloads.append(None)
    return payloads
