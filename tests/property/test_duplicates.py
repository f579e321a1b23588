"""The index of duplicates says what a dictionary of all that ever came would say."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dipper.app.init import init_workspace
from dipper.app.workspace import Workspace
from dipper.collect.canonical import Stored, encode_all
from dipper.collect.duplicates import NO_TIME, Duplicates, Verdict
from dipper.engine.ports import Record
from dipper.engine.record import EVENT_ENCODER, FAILED_DECODER, FailedEvent, RecordKind
from dipper.kit.clock import DAY_US, HOUR_US
from dipper.surface.log_index import LogIndex, known_duplicates

NOW = 20_781 * DAY_US + 5 * HOUR_US
NEW, DUPLICATE, CONFLICT = Verdict.NEW, Verdict.DUPLICATE, Verdict.CONFLICT

# Days before (or, negative, behind) today; None is an event without a time.
DAYS = st.sampled_from([0, 0, 1, 2, 3, 40, 400, 30_000, -1, -2, -9_000, None])
EVENTS = st.tuples(st.integers(0, 5), DAYS, st.integers(1, 2))
STEPS = st.one_of(
    st.tuples(st.just("send"), st.lists(EVENTS, min_size=1, max_size=6)),
    st.tuples(st.just("undo"), st.lists(EVENTS, min_size=1, max_size=3)),
    st.tuples(st.just("fail"), EVENTS),
    st.tuples(st.just("turn"), st.integers(1, 3)),
    st.tuples(
        st.sampled_from(
            ["save", "save", "restart", "lose a run", "lose all", "tear", "keep", "go back", "move"]
        ),
        st.none(),
    ),
)


class ListLog:
    """A log that is a list."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, kind: RecordKind, payload: bytes, received_us: int) -> None:
        self.records.append(Record(0, len(self.records), kind, received_us, payload, False))

    def end(self, partition: int) -> int:
        return len(self.records)

    def read(self, partition: int, start: int, limit: int) -> list[Record]:
        return self.records[start : start + limit]

    def read_batches(self, partition: int, start: int) -> Iterator[list[Record]]:
        for at in range(start, len(self.records), 3):
            yield self.records[at : at + 3]


class House:
    """One partition with its files, and a dictionary beside it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.files = workspace.index(0)
        self.older = workspace.data / "older"
        for folder in (self.files, self.older):
            shutil.rmtree(folder, ignore_errors=True)
        self.log = ListLog()
        self.now = NOW
        self.known: dict[tuple[int, str], int] = {}
        self.restart()

    def restart(self) -> None:
        """A new process: what was not saved must come from the log."""
        self.index = LogIndex(self.workspace, 0, known_duplicates(self.workspace, is_saved=True))
        self.index.open(self.log)  # type: ignore[arg-type]

    def save(self) -> None:
        """A checkpoint of all that is there."""
        if self.log.records:
            self.index.save_landed(self.log)  # type: ignore[arg-type]

    def expected(self, name: str, original_us: int, content: int) -> tuple[Verdict, int]:
        """What the dictionary says, and the day under which it finds or enters."""
        today = self.now // DAY_US
        days = [min(max(original_us // DAY_US, 0), 47_482)]
        if original_us == NO_TIME:
            days = [today - 1, today]
        for day in days:
            if (day, name) in self.known:
                same = self.known[day, name] == content
                return (DUPLICATE if same else CONFLICT), day
        self.known[days[-1], name] = content
        return NEW, days[-1]

    def send(self, events: list[tuple[int, int | None, int]]) -> list[tuple[int, bytes]]:
        """Check a batch and compare; gives day and payload of what was new."""
        names = [f"id {number}" for number, _, _ in events]
        times = [NO_TIME if ago is None else self.now - ago * DAY_US for _, ago, _ in events]
        contents = [content for _, _, content in events]
        verdicts = self.index.duplicates.check(
            np.array([self.index.duplicates.fingerprint("app", name) for name in names]),
            np.array(times),
            np.array(contents),
            self.now,
            between_us=(min(times), max(times)),
        )
        expected = [self.expected(*facts) for facts in zip(names, times, contents, strict=True)]
        assert (verdicts or [NEW] * len(events)) == [verdict for verdict, _ in expected]
        new = []
        for name, time_us, content, (verdict, day) in zip(
            names, times, contents, expected, strict=True
        ):
            if verdict is NEW:
                original_us = None if time_us == NO_TIME else time_us
                event = Stored(
                    name, "app", "server", self.now, self.now, content=content, event="x",
                    original_us=original_us,
                )  # fmt: skip
                new.append((day, encode_all([event])[0]))
        return new

    def land(self, kind: RecordKind, payload: bytes) -> None:
        """Append one record, and say so."""
        self.log.append(kind, payload, self.now)
        self.index.landed([(kind, payload)])

    def fail(self, number: int, content: int) -> None:
        """A failed event, known by id and content together for two days."""
        name = f"failed {content} id {number}"
        copy = self.index.duplicates.check_failed("app", f"id {number}", content, self.now)
        verdict, _ = self.expected(name, NO_TIME, 1)
        assert copy == (verdict is not NEW)
        if not copy:
            event = FailedEvent(
                source="app", received_us=self.now, code="x", reason="y", raw="",
                message_id=f"id {number}", content=content,
            )  # fmt: skip
            self.land(RecordKind.FAILED, EVENT_ENCODER.encode(event))

    def undo(self, events: list[tuple[int, int | None, int]]) -> None:
        """A batch whose append fails: a resend of it is no copy of anything."""
        for day, payload in self.send(events):
            place = self.index.duplicates.place(RecordKind.EVENT, payload)
            assert place[0] == day
            self.index.duplicates.forget(*place)
            name = FAILED_DECODER.decode(b'{"code":"","reason":"","raw":"",' + payload[1:])
            del self.known[day, name.message_id]

    def run(self, act: str, what: object) -> None:
        """One step."""
        runs = sorted(self.files.glob("*.run"))
        if act == "send":
            for _, payload in self.send(what):  # type: ignore[arg-type]
                self.land(RecordKind.EVENT, payload)
        elif act == "undo":
            self.undo(what)  # type: ignore[arg-type]
            self.restart()  # What was undone counts as entered: only a new process saves again.
        elif act == "fail":
            number, _, content = what  # type: ignore[misc]
            self.fail(number, content)
        elif act == "turn":
            self.now += what * DAY_US  # type: ignore[operator]
        elif act == "save":
            self.save()
        elif act == "keep" and self.files.exists():
            shutil.rmtree(self.older, ignore_errors=True)
            shutil.copytree(self.files, self.older)
        else:
            if act == "lose a run" and runs:
                runs[0].unlink()
            elif act == "lose all":
                shutil.rmtree(self.files, ignore_errors=True)
            elif act == "tear" and runs:
                data = bytearray(runs[-1].read_bytes())
                data[len(data) // 2] ^= 1
                runs[-1].write_bytes(data)
            elif act == "go back" and self.older.exists():
                shutil.rmtree(self.files)
                shutil.copytree(self.older, self.files)
            elif act == "move" and (self.files / "checkpoint").exists():
                (self.files / "checkpoint").write_bytes(b"of another log")
            self.restart()


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    """A workspace of which only keys and folder matter."""
    with tempfile.TemporaryDirectory() as folder:
        init_workspace(Path(folder) / "bank", random_bytes=os.urandom)
        yield Workspace(Path(folder) / "bank")


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
@example([("send", [(1, 400, 1)]), ("save", None), ("send", [(1, 400, 1), (1, 400, 2)])])
@example([("send", [(1, None, 1)]), ("save", None), ("turn", 1), ("send", [(1, None, 1)])])
def test_the_index_is_a_dictionary(workspace: Workspace, steps: list[tuple[str, object]]) -> None:
    """Whatever comes, is saved, lost, torn or old, and whenever a process starts again: what was
    acknowledged is a duplicate, what was not is new, and other content is a conflict."""
    house = House(workspace)
    for act, what in steps:
        house.run(act, what)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 400), st.integers(1, 3)),
        min_size=1,
        max_size=60,
    )
)
def test_a_batch_of_many_days_is_judged_as_its_events_one_by_one(
    events: list[tuple[int, int, int]],
) -> None:
    """Grouping by day changes no verdict."""
    together, alone = Duplicates(b"k"), Duplicates(b"k")
    keys = np.array([together.fingerprint("app", f"{name}") for name, _, _ in events])
    times = np.array([NOW - ago * DAY_US for _, ago, _ in events])
    contents = np.array([content for _, _, content in events])
    found = together.check(keys, times, contents, NOW, between_us=(times.min(), times.max()))
    one_by_one = [
        alone.check(
            keys[place : place + 1],
            times[place : place + 1],
            contents[place : place + 1],
            NOW,
            between_us=(times[place], times[place]),
        )
        for place in range(len(events))
    ]
    assert (found or [NEW] * len(events)) == [NEW if one is None else one[0] for one in one_by_one]
