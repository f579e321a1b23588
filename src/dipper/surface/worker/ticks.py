"""When a tick is due: something was touched, or a timer has run out; at most once a second.

A quiet bank writes no ticks. In a demo on virtual time the clock records are the ticks.
"""

from __future__ import annotations

from dipper.engine.ports import Entry, StateReader, SubjectState
from dipper.engine.record import EVENT_ENCODER, Control, RecordKind
from dipper.surface.worker.projector import TICK_EVERY_US, Projector


class Ticks:
    """Decides and writes ticks. One worker."""

    def __init__(self, state: SubjectState, projector: Projector) -> None:
        self._state = state
        self._projector = projector
        self._last_us = 0

    def is_due(self, now_us: int) -> bool:
        """Whether a tick must be written now."""
        if self._projector.virtual_now_us is not None or self._projector.served is None:
            return False
        if now_us - self._last_us < TICK_EVERY_US or self._projector.lag:
            return False
        if self._projector.touched_waiting:
            return True
        with self._state.read() as view:
            return has_due_timer(view, now_us)

    def entry(self, now_us: int) -> Entry:
        """The tick's record."""
        self._last_us = now_us
        control = Control(type="tick", time_us=now_us, body={"now_us": now_us})
        return Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control))


def has_due_timer(view: StateReader, now_us: int) -> bool:
    """Whether a subject's segments may turn by now through time alone."""
    end = (now_us + 1).to_bytes(8, "big")
    return next(iter(view.scan("timers", b"", end)), None) is not None
