"""The projection of a real log: programs that change, ticks, and workers that die in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from dipper.app.served import Programs
from dipper.engine.ports import Entry
from dipper.kit.clock import DAY_US, SECOND_US
from dipper.surface.append import AsWriter
from dipper.surface.replaying import replay
from dipper.surface.worker.projector import Projector

OTHER_LAYOUT = """
---
kind: tag
name: {name}
title: {{zh: 缴费总额, en: sum of bills}}
owners: {{business: retail, technical: data-platform, managing: retail-head}}
purposes: [personalised_service]
value: {{aggregate: sum, event: bill_paid, property: amount_fen, window: {window}}}
"""
SUM_60D = OTHER_LAYOUT.format(name="paid_60d", window="60d")
SUM_90D = OTHER_LAYOUT.format(name="paid_90d", window="90d")


class Dead(Exception):
    """The process that did this is gone."""


class DyingWriter:
    """A writer whose process dies at its n-th append, before or after it is on disk."""

    def __init__(self, to: AsWriter, appends: int, *, is_written: bool = False) -> None:
        self._to = to
        self._left = appends
        self._is_written = is_written

    def append(self, partition: int, entries: Sequence[Entry]) -> int:
        self._left -= 1
        if self._left < 0 and not self._is_written:
            raise Dead
        first = self._to.append(partition, entries)
        if self._left < 0:
            raise Dead
        return first

    def erase(self, positions: Sequence[Any]) -> int:
        return self._to.erase(positions)

    def close(self) -> None:
        self._to.close()


def test_another_layout_rebuilds_the_state(bench: Any) -> None:
    """A new tag over old events has its value at once, and a replay gives the same bytes."""
    bench.bills("A", 3)
    bench.settle(bench.worker())
    assert bench.subject("A").tags["bills_paid_30d"] == 3

    bench.add_spec(SUM_60D)
    bench.apply()
    worker = bench.worker()
    bench.bills("A", 1)
    bench.settle(worker)
    assert bench.subject("A").tags["paid_60d"] == 400
    assert bench.subject("A").segments == {"regular_payers"}
    assert bench.ids_in_lake()["customer_no:A"] >= 4

    found = replay(bench.workspace)
    assert found["equal"], found


SEGMENT = """
---
kind: segment
name: {name}
title: {{zh: 客群, en: segment}}
owners: {{business: retail, technical: data-platform, managing: retail-head}}
purposes: [personalised_service]
where: {where}
"""
PAYERS = SEGMENT.format(name="payers", where="tag.bills_paid_30d >= 1")
SPENDERS = SEGMENT.format(name="spenders", where="tag.paid_60d >= 200")


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("specs", [PAYERS, PAYERS + SUM_60D + SPENDERS])
def test_what_a_new_program_turns_is_announced_once_as_of_its_apply(
    make_bench: Callable[..., Any], partitions: int, specs: str
) -> None:
    """With another layout of records or the same: nothing at past times, all at the next tick."""
    bench = make_bench(partitions)
    paid_us = bench.now_us
    bench.bills("A", 3)
    bench.bills("B", 1)
    bench.settle(bench.worker())
    assert turns_of(bench, "A") == [("segment_entered", paid_us)]
    bench.now_us += DAY_US
    applied_us = bench.now_us
    bench.add_spec(specs)
    bench.apply()
    bench.settle(bench.worker())
    bench.now_us += DAY_US
    bench.settle(bench.worker())
    new = [("segment_entered", applied_us)] * (2 if "spenders" in specs else 1)
    assert turns_of(bench, "A") == [("segment_entered", paid_us), *new]
    assert turns_of(bench, "B") == [("segment_entered", applied_us)]
    # Time goes on for what was announced: all leave when the window has slid past.
    bench.now_us = paid_us + 61 * DAY_US
    bench.settle(bench.worker())
    left = [at_us for name, at_us in turns_of(bench, "B") if name == "segment_left"]
    assert left == [paid_us + 30 * DAY_US]
    found = replay(bench.workspace)
    assert found["equal"], found


def test_a_segment_that_a_new_program_defines_otherwise_is_left_as_of_its_apply(
    bench: Any,
) -> None:
    """What was announced under the old rule is known after a rebuild from the log alone."""
    bench.bills("A", 3)
    bench.settle(bench.worker())
    bench.now_us += DAY_US
    path = bench.workspace.specs / "starter.yml"
    text = path.read_text("utf-8")
    assert "tag.bills_paid_30d >= 3" in text
    path.write_text(text.replace("tag.bills_paid_30d >= 3", "tag.bills_paid_30d >= 4"), "utf-8")
    bench.add_spec(SUM_60D)
    bench.apply()
    applied_us = bench.now_us
    bench.settle(bench.worker())
    assert turns_of(bench, "A")[1:] == [("segment_left", applied_us)]
    assert replay(bench.workspace)["equal"]


def test_a_rebuild_keeps_the_lake_whole(bench: Any) -> None:
    """Records that the lake had not yet when the rebuild began are in it afterwards, once each."""
    worker = bench.worker()
    bench.settle(worker, ticks=0)
    bench.bills("A", 2)
    bench.add_spec(SUM_60D)
    bench.apply()
    bench.bills("A", 5)
    bench.settle(bench.worker())
    bench.settle(bench.worker())
    found = [event for event in bench.events() if event.event == "bill_paid"]
    assert len(found) == 7
    turns = sum(event.trust == "engine" for event in bench.events())
    assert bench.ids_in_lake()["customer_no:A"] == 7 + turns


def test_two_new_layouts_at_once_end_with_the_last(bench: Any) -> None:
    """A worker that finds two applies behind each other serves what was applied last."""
    bench.bills("A", 2)
    for spec in (SUM_60D, SUM_90D):
        bench.add_spec(spec)
        bench.now_us += SECOND_US
        bench.apply()
        bench.bills("A", 1)
    bench.settle(bench.worker())
    tags = bench.subject("A").tags
    assert (tags["paid_60d"], tags["paid_90d"]) == (400, 400)
    assert replay(bench.workspace)["equal"]


def test_a_rebuild_that_died_goes_on(bench: Any) -> None:
    """The next process goes on under the new program, from where the dead one was."""
    bench.bills("A", 30)
    bench.settle(bench.worker())
    bench.add_spec(SUM_60D)
    bench.apply()
    bench.bills("A", 1)
    projector = bench.worker().projector
    while not projector.is_rebuilding:
        projector.step(10)
    projector.step(10)
    assert 0 < projector.positions[0] < 30
    worker = bench.worker()
    assert worker.projector.is_rebuilding
    bench.settle(worker)
    assert bench.subject("A").tags["paid_60d"] == 3_100
    assert replay(bench.workspace)["equal"]


def test_records_before_the_first_apply_are_projected_by_it(
    make_bench: Callable[..., Any],
) -> None:
    """What was stored when nobody knew what it means counts from the first apply on."""
    bench = make_bench(is_applied=False)
    bench.bills("A", 3)
    worker = bench.worker()
    assert worker.turn()
    assert worker.projector.served is None
    bench.apply()
    bench.settle(bench.worker())
    assert bench.subject("A").tags["bills_paid_30d"] == 3
    assert bench.ids_in_lake()["customer_no:A"] >= 3
    assert replay(bench.workspace)["equal"]


def test_a_later_partition_does_not_bring_an_old_program_back(
    make_bench: Callable[..., Any],
) -> None:
    """With two programs in every partition the last applied is in force, whoever is read first."""
    bench = make_bench(4)
    for person in "ABCDEFGH":
        bench.bills(person, 1)
    bench.add_spec(SUM_60D)
    bench.now_us += SECOND_US
    bench.apply()
    for person in "ABCDEFGH":
        bench.bills(person, 1)
    worker = bench.worker()
    bench.settle(worker)
    assert worker.projector.current.program == bench.served.current.program
    assert {bench.subject(person).tags["paid_60d"] for person in "ABCDEFGH"} == {200}
    assert replay(bench.workspace)["equal"]


def test_a_tick_fires_when_every_partition_has_reached_it(make_bench: Callable[..., Any]) -> None:
    """A partition that is behind holds the tick back, and no record passes it meanwhile."""
    bench = make_bench(2)
    projector = bench.worker().projector
    projector.step()
    bench.bills("A", 3)
    bench.control("tick", {"now_us": bench.now_us}, [0])
    after = [(p, at) for p, at in bench.append([bench.event("bill_paid", "A")]) if p == 0]
    done = projector.step()
    assert done.ticked_us is None
    assert all(projector.positions[partition] <= at for partition, at in after)
    bench.control("tick", {"now_us": bench.now_us}, [1])
    assert projector.step().ticked_us == bench.now_us


def test_a_tick_that_was_written_to_some_partitions_is_completed(
    make_bench: Callable[..., Any],
) -> None:
    """A worker that died between the partitions leaves a tick that the next one completes."""
    bench = make_bench(3)
    bench.bills("A", 3)
    worker = bench.worker()
    while worker.turn():
        pass
    worker.appender = DyingWriter(bench.to, 1)
    bench.now_us += 5 * SECOND_US
    bench.bills("A", 1)
    with pytest.raises(Dead):
        bench.settle(worker)
    worker = bench.worker()
    bench.settle(worker)
    assert worker.projector.lag == 0
    assert bench.subject("A").segments == {"regular_payers"}
    assert len(turns_of(bench, "A")) == 1


def turns_of(bench: Any, person: str) -> list[tuple[str, int]]:
    """What was announced of a person, with the moments."""
    return [
        (event.event, event.time_us)
        for event in bench.events()
        if event.event.startswith("segment_")
        and event.subjects.get("person") == f"customer_no:{person}"
    ]


@pytest.mark.parametrize("is_written", [False, True])
def test_announcements_are_written_once(bench: Any, is_written: bool) -> None:
    """Whether the worker dies before or after they are on disk: the next one writes what lacks."""
    bench.bills("A", 3)
    worker = bench.worker()
    worker.appender = DyingWriter(bench.to, 1, is_written=is_written)
    with pytest.raises(Dead):
        bench.settle(worker)
    assert len(turns_of(bench, "A")) == is_written
    bench.settle(bench.worker())
    assert [name for name, _ in turns_of(bench, "A")] == ["segment_entered"]
    assert replay(bench.workspace)["equal"]


def test_a_gateway_that_is_away_only_delays_an_announcement(bench: Any) -> None:
    """The same worker fires the tick again, and the lake lacks nothing of the failed step."""
    bench.bills("A", 3)
    worker = bench.worker()
    working = worker.appender
    worker.appender = DyingWriter(bench.to, 1)
    with pytest.raises(Dead):
        bench.settle(worker)
    worker.appender = working
    bench.settle(worker)
    assert [name for name, _ in turns_of(bench, "A")] == ["segment_entered"]
    assert bench.ids_in_lake()["customer_no:A"] >= 3


def test_a_worker_ticks_for_what_the_one_before_it_touched(bench: Any) -> None:
    """Records projected by a worker that died before its tick turn segments all the same."""
    bench.bills("A", 3)
    bench.worker().projector.step()
    bench.settle(bench.worker())
    assert [name for name, _ in turns_of(bench, "A")] == ["segment_entered"]


def test_a_person_leaves_a_segment_by_the_clock_alone(bench: Any) -> None:
    """No event comes, and the leaving bears the moment at which the window had slid past."""
    paid_us = bench.now_us
    bench.bills("A", 3)
    worker = bench.worker()
    bench.settle(worker)
    bench.now_us = paid_us + 31 * DAY_US
    bench.settle(worker)
    entered, left = turns_of(bench, "A")
    assert entered == ("segment_entered", paid_us)
    assert left == ("segment_left", paid_us + 30 * DAY_US)
    assert bench.subject("A").segments == frozenset()
    assert replay(bench.workspace)["equal"]


def test_a_state_that_is_ahead_of_the_log_is_refused(bench: Any) -> None:
    """It belongs to another log: projecting on would mix two banks."""
    from dipper.kit.errors import Corrupt

    bench.settle(bench.worker())
    positions: Mapping[int, int] = {0: 10_000}
    bench.workspace.state.write({}, positions)
    with pytest.raises(Corrupt, match="10000"):
        bench.worker()


def test_the_same_records_in_any_batches_give_the_same_state(bench: Any) -> None:
    """One record at a time or thousands at once."""
    from dipper.engine.embedded.state import EmbeddedState

    for person in "ABC":
        bench.bills(person, 5)
    bench.settle(bench.worker())
    digests = set()
    for at_once in (1, 7, 2_000):
        state = EmbeddedState(bench.folder / f"state{at_once}")
        with bench.workspace.log.reader() as reader:
            projector = Projector(
                reader, state, Programs(bench.workspace), bench.erasure_key, lambda events: None
            )
            while projector.step(at_once).records:
                pass
        digests.add(state.dump_digest())
        state.close()
    assert digests == {bench.workspace.state.dump_digest()}
