"""Waiting until the projection has applied a record: consents and `seen_position` need it.

The worker is another process; the position that it has reached stands in the state. It is looked at
every two milliseconds while somebody waits, and not at all otherwise.
"""

from __future__ import annotations

import asyncio

from dipper.engine.ports import Position, SubjectState

LOOK_S = 0.002


class Projection:
    """What the state has reached, for those who wait. One event loop."""

    def __init__(self, state: SubjectState) -> None:
        self._state = state
        self._reached: dict[int, int] = {}
        self._looking: asyncio.Task[None] | None = None
        self._waiting: list[tuple[Position, asyncio.Future[None]]] = []

    async def applied(self, position: Position) -> None:
        """Return when the record is projected; the caller sets the time limit."""
        if self._reached.get(position.partition, 0) > position.offset:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((position, done))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
        await done

    def reached(self) -> dict[int, int]:
        """partition -> offset of the next record to project, read now."""
        with self._state.read() as view:
            self._reached = view.positions()
        return self._reached

    async def _look(self) -> None:
        while self._waiting:
            reached = self.reached()
            left = []
            for position, done in self._waiting:
                if done.done():
                    continue
                if reached.get(position.partition, 0) > position.offset:
                    done.set_result(None)
                else:
                    left.append((position, done))
            self._waiting = left
            if left:
                await asyncio.sleep(LOOK_S)
