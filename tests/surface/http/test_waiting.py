"""Waiting for the projection."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dipper.engine.embedded.state import EmbeddedState
from dipper.engine.ports import Position
from dipper.surface.http.waiting import LOOK_S, Projection


@pytest.fixture
def state(tmp_path: Path) -> EmbeddedState:
    """A state that has projected three records of partition 0."""
    state = EmbeddedState(tmp_path / "state")
    state.write({}, {0: 3})
    return state


def test_what_is_projected_is_not_waited_for(state: EmbeddedState) -> None:
    """The position stands for the record before it: 3 means that 0, 1 and 2 are applied."""

    async def run() -> None:
        projection = Projection(state)
        await asyncio.wait_for(projection.applied(Position(0, 2)), 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(projection.applied(Position(0, 3)), 10 * LOOK_S)

    asyncio.run(run())


def test_each_waits_for_its_own_record(state: EmbeddedState) -> None:
    """Several in several partitions; each goes on when its record is applied."""

    async def run() -> None:
        projection = Projection(state)
        places = [Position(0, 3), Position(0, 5), Position(1, 0)]
        waits = [asyncio.ensure_future(projection.applied(place)) for place in places]
        await asyncio.sleep(5 * LOOK_S)
        assert not any(wait.done() for wait in waits)
        state.write({}, {0: 4})
        await asyncio.sleep(10 * LOOK_S)
        assert [wait.done() for wait in waits] == [True, False, False]
        state.write({}, {0: 6, 1: 1})
        await asyncio.wait_for(asyncio.gather(*waits), 1)

    asyncio.run(run())


def test_one_that_gave_up_does_not_stop_the_others(state: EmbeddedState) -> None:
    """A request that timed out leaves; who came later is still told."""

    async def run() -> None:
        projection = Projection(state)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(projection.applied(Position(0, 9)), 3 * LOOK_S)
        waiting = asyncio.ensure_future(projection.applied(Position(0, 3)))
        await asyncio.sleep(3 * LOOK_S)
        state.write({}, {0: 4})
        await asyncio.wait_for(waiting, 1)
        # And after a quiet while, when nobody looked any more.
        later = asyncio.ensure_future(projection.applied(Position(0, 4)))
        await asyncio.sleep(3 * LOOK_S)
        state.write({}, {0: 5})
        await asyncio.wait_for(later, 1)

    asyncio.run(run())


def test_the_reach_is_read_now(state: EmbeddedState) -> None:
    """partition -> the next record to project."""
    projection = Projection(state)
    assert projection.reached() == {0: 3}
    state.write({}, {0: 4, 2: 1})
    assert projection.reached() == {0: 4, 2: 1}
