"""What comes in one turn of the event loop comes at one moment, so that it is appended as one."""

from __future__ import annotations

import asyncio

from dipper.kit.clock import Clock


class TurnClock:
    """A clock that stands still until the turn of the event loop is over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._now_us: int | None = None

    def __call__(self) -> int:
        """The moment of this turn, µs since 1970."""
        if self._now_us is None:
            self._now_us = self._clock()
            asyncio.get_running_loop().call_soon(self._go_on)
        return self._now_us

    def _go_on(self) -> None:
        self._now_us = None
