"""Appends: what one turn of the event loop makes is one group, and fails as one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import pytest

from dipper.collect.admission import Admission
from dipper.collect.duplicates import Duplicates
from dipper.collect.erasures import Erasures
from dipper.engine.embedded.index_files import Mark
from dipper.engine.ports import Entry
from dipper.engine.record import RecordKind
from dipper.kit.errors import Unavailable
from dipper.surface.http.appends import Appends

ENTRY = Entry(RecordKind.CONTROL, b'{"type":"tick","time_us":1}')


class Held:
    """A log writer that tells the fate of its appends when it is asked to."""

    partition = 0

    def __init__(self) -> None:
        self.futures: list[Future[int]] = []
        self.made_before: list[int] = []
        self.made = 0

    def append(
        self, entries: Sequence[Entry], received_us: int, *, reserve: bool = False
    ) -> Future[int]:
        self.futures.append(Future())
        self.made_before.append(self.made)
        return self.futures[-1]

    def close(self) -> None:
        """Nothing is open."""


def appends_to(writer: Held) -> Appends:
    """Appends with an empty index of duplicates."""
    return Appends(writer, Admission(Duplicates(), Erasures(None)))


async def handed_over(writer: Held, count: int) -> None:
    """Wait until the writer has so many appends."""
    async with asyncio.timeout(10):
        while len(writer.futures) < count:
            await asyncio.sleep(0)


def test_the_writer_hears_of_appends_when_the_turn_has_made_all_of_them() -> None:
    """Ten requests that are ready together wake the writer's thread once, not ten times."""
    writer = Held()
    appends = appends_to(writer)

    async def answer() -> int:
        writer.made += 1
        return await appends.append([ENTRY], 1)

    async def run() -> list[int]:
        answers = asyncio.gather(*(answer() for _ in range(10)))
        await handed_over(writer, 10)
        for offset, future in enumerate(writer.futures):
            future.set_result(offset)
        return await answers

    assert asyncio.run(run()) == list(range(10))
    assert writer.made_before == [10] * 10


def test_a_copy_of_the_same_turn_fails_with_its_original() -> None:
    """A copy that comes in the turn of its original is not acknowledged when that is lost."""
    writer = Held()
    appends = appends_to(writer)

    async def run() -> list[int | BaseException]:
        original = asyncio.create_task(appends.append([ENTRY], 1))
        copy = asyncio.create_task(appends.append([], 1, has_duplicates=True))
        await handed_over(writer, 2)
        writer.futures[1].set_result(0)
        writer.futures[0].set_exception(Unavailable("the disk is gone"))
        return await asyncio.gather(original, copy, return_exceptions=True)

    lost, refused = asyncio.run(run())
    assert isinstance(lost, Unavailable)
    with pytest.raises(Unavailable, match="the original of a duplicate"):
        raise refused


def test_a_copy_does_not_wait_for_an_original_that_was_cut_off() -> None:
    """A copy whose original was cut off before the writer heard of it is refused, and ends."""
    writer = Held()
    appends = appends_to(writer)

    async def run() -> None:
        original = asyncio.create_task(appends.append([ENTRY], 1))
        copy = asyncio.create_task(appends.append([], 1, has_duplicates=True))
        await asyncio.sleep(0)
        original.cancel()
        await handed_over(writer, 1)
        writer.futures[0].set_result(0)
        async with asyncio.timeout(10):
            await copy

    with pytest.raises(Unavailable, match="the original of a duplicate"):
        asyncio.run(run())


def test_what_joins_in_a_turn_is_one_append_and_each_hears_its_place() -> None:
    """Traces of one moment are one append; only they may use the room that is kept for them."""
    writer = Held()
    appends = appends_to(writer)

    async def run() -> list[int]:
        answers = asyncio.gather(
            appends.together([ENTRY], 1, reserve=True),
            appends.together([ENTRY, ENTRY], 1, reserve=True),
            appends.together([ENTRY], 1, reserve=True),
            appends.together([ENTRY], 1),
        )
        await handed_over(writer, 2)
        for offset, future in zip((7, 20), writer.futures, strict=True):
            future.set_result(offset)
        return await answers

    assert asyncio.run(run()) == [7, 8, 10, 20]
    assert appends.mark.offset == 21
    assert not appends.in_hand.has_any_of(appends.in_hand.taken)


def test_a_turn_that_fails_tells_all_who_joined() -> None:
    """Nobody of a group that was lost takes it for stored, and who was cut off disturbs nobody."""
    writer = Held()
    appends = appends_to(writer)

    async def run() -> list[int | BaseException]:
        joined = [asyncio.create_task(appends.together([ENTRY], 1)) for _ in range(3)]
        await handed_over(writer, 1)
        joined[1].cancel()
        await asyncio.sleep(0)
        writer.futures[0].set_exception(Unavailable("the disk is gone"))
        return await asyncio.gather(*joined, return_exceptions=True)

    first, cut_off, last = asyncio.run(run())
    assert isinstance(first, Unavailable)
    assert isinstance(cut_off, asyncio.CancelledError)
    assert isinstance(last, Unavailable)
    assert not appends.in_hand.has_any_of(appends.in_hand.taken)


def test_what_joins_in_one_turn_is_one_append() -> None:
    """Each hears of it once it is on disk, and the mark stands behind all of them."""
    writer = Held()
    appends = appends_to(writer)
    heard: list[tuple[int, BaseException | None]] = []

    async def run() -> None:
        for number in range(3):
            entries = [ENTRY] * (number + 1)
            appends.in_hand.take(entries)
            appends.join(entries, 5, lambda error, number=number: heard.append((number, error)))
        await handed_over(writer, 1)
        await asyncio.sleep(0)
        assert not heard
        writer.futures[0].set_result(10)
        await appends.settled(10)
        assert len(writer.futures) == 1

    asyncio.run(run())
    assert heard == [(0, None), (1, None), (2, None)]
    assert appends.mark == Mark(16, 5)


def test_all_of_a_turn_fail_together_and_are_forgotten() -> None:
    """A copy that waits for one of them is not acknowledged, and a resend is no copy of nothing."""
    writer = Held()
    appends = appends_to(writer)
    heard: list[BaseException | None] = []
    entry = Entry(RecordKind.EVENT, b'{"source":"app","message_id":"m","received_us":1}')

    async def run() -> None:
        key = np.array([appends.admission.duplicates.fingerprint("app", "m")])
        one = np.array([1])
        assert appends.admission.duplicates.check(key, one, one, 1, between_us=(1, 1)) is None
        appends.join([entry], 5, heard.append)
        copy = asyncio.create_task(appends.append([], 5, has_duplicates=True))
        await handed_over(writer, 2)
        writer.futures[1].set_result(0)
        writer.futures[0].set_exception(Unavailable("the disk is gone"))
        with pytest.raises(Unavailable, match="the original of a duplicate"):
            await copy
        assert isinstance(heard[0], Unavailable)
        assert appends.admission.duplicates.check(key, one, one, 1, between_us=(1, 1)) is None

    asyncio.run(run())


def test_what_was_received_later_is_an_append_of_its_own() -> None:
    """A record's time of receipt is the one that its request was judged with."""
    writer = Held()
    appends = appends_to(writer)

    async def run() -> None:
        for received_us in (5, 5, 6):
            appends.join([ENTRY], received_us, lambda _: None)
        await handed_over(writer, 2)

    asyncio.run(run())
    assert len(writer.futures) == 2
