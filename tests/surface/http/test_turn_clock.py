"""The clock that stands still during a turn of the event loop."""

from __future__ import annotations

import asyncio
from itertools import count

from dipper.surface.http.turn_clock import TurnClock


def test_a_turn_has_one_moment() -> None:
    """Whoever asks in one turn hears the same moment; the next turn has its own."""

    async def ask() -> list[int]:
        clock = TurnClock(count(1).__next__)
        heard: list[int] = []
        for _ in range(3):
            asyncio.get_running_loop().call_soon(lambda: heard.append(clock()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return [*heard, clock()]

    assert asyncio.run(ask()) == [1, 1, 1, 2]
