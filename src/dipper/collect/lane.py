"""The lane for events that are exactly as declared, which is nearly all of them.

A compiled kernel takes the bytes of a request apart and writes the records of its plain events. Each
event that is out of the ordinary is left to `judge`, which gives the same answer for the others too
(a property test holds it); so is a request that is no plain JSON.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dipper.collect.kernels.json_kernels import FAULT, padded
from dipper.collect.kernels.kernel import Room, Tables, run
from dipper.collect.kernels.scan_kernels import (
    CONTENT,
    DEVICE,
    FINGERPRINT,
    IS_OPEN,
    ORIGINAL,
    PAYLOAD,
    PAYLOAD_END,
    RAW,
    USER,
    WIDTH,
)
from dipper.collect.kernels.tables import tables_of
from dipper.collect.rules import Rules
from dipper.collect.subjects import REWRITTEN

_SPANS = 2 * 64
_OUT_MIN = 1 << 20


class Memory:
    """What the kernel writes into, kept between requests. One thread."""

    def __init__(self) -> None:
        self._room = Room(
            np.zeros(0, np.int64),
            np.zeros(0, np.uint8),
            np.zeros(_SPANS, np.int64),
            np.zeros(2, np.int64),
        )

    def room(self, events_max: int, body_size: int) -> Room:
        """Room for so many events of a body of that size."""
        room = self._room
        # A record repeats at most what came; the rest of it is a few hundred bytes.
        out_size = max(_OUT_MIN, 4 * body_size)
        if len(room.rows) < events_max * WIDTH or len(room.out) < out_size:
            rows = np.zeros(max(len(room.rows), events_max * WIDTH), np.int64)
            out = np.zeros(max(len(room.out), out_size), np.uint8)
            room = self._room = room._replace(rows=rows, out=out)
        return room


class Laned(NamedTuple):
    """What the lane made of a request.

    `payloads` has None for each event that needs the complete judgement; the arrays of keys,
    content hashes and original times have a number for every event, which counts only for those
    with a payload. `rows` is valid until the next request.
    """

    body: bytes
    sent: str | None
    payloads: list[bytes | None]
    is_complete: bool
    keys: np.ndarray
    contents: np.ndarray
    originals_us: np.ndarray
    rows: np.ndarray

    def raw(self, place: int) -> bytes:
        """The text of one event."""
        start, end = self.rows[place, 2 * RAW], self.rows[place, 2 * RAW + 1]
        return self.body[start:end]

    def ids(self, place: int) -> tuple[str, str]:
        """User and device of an event with a payload, as they came."""
        user, user_end, device, device_end = self.rows[place, 2 * USER : 2 * DEVICE + 2].tolist()
        return self.body[user:user_end].decode(), self.body[device:device_end].decode()


class Lane:
    """The lane of one source under one program."""

    def __init__(self, rules: Rules, fingerprint_key: np.ndarray, memory: Memory) -> None:
        self._rules = rules
        self._key = fingerprint_key
        self._memory = memory
        self._is_open = rules.source.person_id_type not in REWRITTEN
        self._tables: Tables | None = None
        self._known = -1

    def run(
        self, body: bytes, is_single: bool, received_us: int, batch_max: int, event_max: int
    ) -> Laned | None:
        """Take a request of track events through. None where another reader must read it."""
        if not self._is_open:
            return None
        room = self._memory.room(batch_max, len(body))
        count = run(
            padded(body), len(body), is_single, received_us, event_max, *self._compiled(), *room
        )
        if count == FAULT:
            return None
        rows = room.rows[: count * WIDTH].reshape(count, WIDTH)
        is_open = rows[:, IS_OPEN].tolist()
        text = memoryview(room.out)[: int(rows[:, PAYLOAD_END].max())].tobytes() if count else b""
        starts, ends = rows[:, PAYLOAD].tolist(), rows[:, PAYLOAD_END].tolist()
        start, end = room.sent.tolist()
        return Laned(
            body,
            body[start:end].decode() if start else None,
            [
                text[start:end] if taken else None
                for taken, start, end in zip(is_open, starts, ends, strict=True)
            ],
            0 not in is_open,
            rows[:, FINGERPRINT].copy(),
            rows[:, CONTENT].copy(),
            rows[:, ORIGINAL].copy(),
            rows,
        )

    def _compiled(self) -> Tables:
        """The kernel's tables; made anew when a further name for an event was met."""
        if self._tables is None or self._known != len(self._rules.plain):
            self._known = len(self._rules.plain)
            self._tables = tables_of(
                self._rules.source, self._rules.plan.program, self._rules.plain, self._key
            )
        return self._tables
