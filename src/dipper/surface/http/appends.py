"""Appends of one gateway: what fails is undone, and a duplicate waits for its original.

A copy is told from its original before the original is on disk. If that append then fails, the
copy must not be acknowledged either: the client would take the event for stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from dipper.collect.admission import Admission
from dipper.collect.in_hand import InHand
from dipper.engine.embedded.index_files import Mark
from dipper.engine.ports import Entry, LogWriter
from dipper.kit.errors import Unavailable

_LOOK_AGAIN_S = 0.005
Done = Callable[[BaseException | None], None]
"""Hears that entries are on disk, or why they are not."""


@dataclass(slots=True)
class _Turn:
    """What joins in one turn of the event loop: handed to the writer as one append."""

    waiter: asyncio.Future[int]
    received_us: int
    reserve: bool
    entries: list[Entry] = field(default_factory=list)
    joined: list[tuple[Sequence[Entry], Done]] = field(default_factory=list)


class Appends:
    """Appends to one partition. Runs in the gateway's event loop."""

    def __init__(self, writer: LogWriter, admission: Admission) -> None:
        self.admission = admission
        self.in_hand = admission.in_hand = InHand()
        self.mark = Mark()
        """How far the log is known to be on disk."""
        self._writer = writer
        self._pending: set[asyncio.Future[int]] = set()
        self._ended: deque[tuple[asyncio.Future[int], Future[int]]] = deque()
        self._is_woken = False
        self._turns: dict[bool, _Turn] = {}

    def join(self, entries: Sequence[Entry], received_us: int, done: Done) -> None:
        """Append together with all else that joins in this turn of the loop, and call `done` later.

        For admitted events among which nothing was told to be a copy. On failure, which all of the
        turn share, none of the entries counts as known.
        """
        turn = self._turn_of(received_us, False)
        turn.entries += entries
        turn.joined.append((entries, done))

    async def together(
        self, entries: Sequence[Entry], received_us: int, *, reserve: bool = False
    ) -> int:
        """Join and wait until all is on disk; gives the offset of the first of these entries.

        For entries that are no control records. `reserve` and errors are those of `append`.
        """
        turn = self._turn_of(received_us, reserve)
        at = len(turn.entries)
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.in_hand.take(entries)
        turn.entries += entries
        turn.joined.append((entries, partial(_tell, stored)))
        await stored
        return turn.waiter.result() + at

    async def append(
        self,
        entries: Sequence[Entry],
        received_us: int,
        *,
        has_duplicates: bool = False,
        reserve: bool = False,
    ) -> int:
        """Append and wait until all is on disk; gives the offset of the first.

        `reserve` may use the room that is kept for decision traces when the disk is full.
        Raises Unavailable, and then none of the entries counts as known.
        """
        originals = list(self._pending) if has_duplicates else ()
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pending.add(waiter)
        self.in_hand.take(entries)
        try:
            # What else this turn of the loop makes goes into the same group: a sync for each would
            # cost more than the group, and its thread would ask for the interpreter in between.
            await asyncio.sleep(0)
            self._hand_over(waiter, entries, received_us, reserve)
            first = await waiter
        except Exception:
            self.admission.undo(entries)
            raise
        finally:
            self._pending.discard(waiter)
            waiter.cancel()  # Where this call was cut off, a copy must not wait for it.
        if entries:
            self.mark = max(self.mark, Mark(first + len(entries), received_us))
        self.in_hand.settle(entries)
        if originals:
            await asyncio.wait(originals)
            if any(original.cancelled() or original.exception() for original in originals):
                raise Unavailable("the original of a duplicate could not be stored")
        return first

    async def settled(self, timeout_s: float) -> None:
        """Wait until all that was admitted before this call is on disk, or forgotten again.

        Raises TimeoutError when that does not come about.
        """
        first = self.in_hand.taken
        async with asyncio.timeout(timeout_s):
            while self.in_hand.has_any_of(first):
                await asyncio.sleep(_LOOK_AGAIN_S)

    def _turn_of(self, received_us: int, reserve: bool) -> _Turn:
        """What entries of this moment join, until the event loop's turn is over."""
        turn = self._turns.get(reserve)
        if turn is None or turn.received_us != received_us:
            loop = asyncio.get_running_loop()
            turn = self._turns[reserve] = _Turn(loop.create_future(), received_us, reserve)
            self._pending.add(turn.waiter)
            turn.waiter.add_done_callback(partial(self._end, turn))
            loop.call_soon(self._close, turn)
        return turn

    def _close(self, turn: _Turn) -> None:
        """The turn is over: nothing joins it any more."""
        if self._turns.get(turn.reserve) is turn:
            del self._turns[turn.reserve]
        self._hand_over(turn.waiter, turn.entries, turn.received_us, turn.reserve)

    def _end(self, turn: _Turn, waiter: asyncio.Future[int]) -> None:
        """Tell all who joined a turn what became of it."""
        self._pending.discard(waiter)
        error = waiter.exception()
        if error is None:
            self.mark = max(self.mark, Mark(waiter.result() + len(turn.entries), turn.received_us))
        for entries, done in turn.joined:
            if error is None:
                self.in_hand.settle(entries)
            else:
                self.admission.undo(entries)
            done(error)

    def _hand_over(
        self, waiter: asyncio.Future[int], entries: Sequence[Entry], received_us: int, reserve: bool
    ) -> None:
        """Let the writer append; the waiter hears its outcome in the event loop."""
        try:
            future = self._writer.append(entries, received_us, reserve=reserve)
        except Exception as error:
            waiter.set_exception(error)
            return
        future.add_done_callback(partial(self._note, asyncio.get_running_loop(), waiter))

    def _note(
        self, loop: asyncio.AbstractEventLoop, waiter: asyncio.Future[int], future: Future[int]
    ) -> None:
        """Called in the log writer's thread. One wake-up serves a whole group of appends."""
        self._ended.append((waiter, future))
        if not self._is_woken:
            self._is_woken = True
            loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        # Taken back first: what ends from now on wakes the loop again.
        self._is_woken = False
        while self._ended:
            waiter, future = self._ended.popleft()
            if waiter.done():
                continue
            error = future.exception()
            if error is None:
                waiter.set_result(future.result())
            else:
                waiter.set_exception(error)


def _tell(stored: asyncio.Future[None], error: BaseException | None) -> None:
    """Wake who waits, unless it has been cut off."""
    if stored.done():
        return
    if error is None:
        stored.set_result(None)
    else:
        stored.set_exception(error)
