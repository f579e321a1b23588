"""What the writer of a partition keeps of its log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dipper.app.init import init_workspace
from dipper.app.workspace import Workspace
from dipper.collect.canonical import Stored, encode_all
from dipper.engine.ports import Entry, Record
from dipper.engine.record import EVENT_ENCODER, Control, RecordKind
from dipper.surface.log_index import LogIndex, erase_in_files, known_duplicates

NOW_US = 1_790_000_000_000_000


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with an empty log."""
    init_workspace(tmp_path / "bank", random_bytes=os.urandom)
    return Workspace(tmp_path / "bank")


def opened(workspace: Workspace) -> LogIndex:
    """The index in a process of its own."""
    index = LogIndex(workspace, 0, known_duplicates(workspace, is_saved=True))
    with workspace.log.reader() as reader:
        index.open(reader)
    return index


def event(number: int) -> Entry:
    """A good event of half a year ago."""
    original_us = NOW_US - 15_000_000 * 1_000_000
    found = Stored(
        f"m{number}", "app", "server", NOW_US, NOW_US, event="x", original_us=original_us
    )
    return Entry(RecordKind.EVENT, encode_all([found])[0])


def control(type_: str, **body: Any) -> Entry:
    """A control record."""
    found = Control(type=type_, time_us=NOW_US, body=body)
    return Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(found))


def append(workspace: Workspace, *entries: Entry, at_us: int = NOW_US) -> None:
    """Append as a process that knows nothing of the index."""
    with workspace.log.writer(0) as writer:
        writer.append_now(entries, at_us)


def import_all(workspace: Workspace, *entries: Entry) -> None:
    """Enter and append as an import does, and save."""
    index = opened(workspace)
    index.duplicates.rebuild(
        Record(0, 0, kind, NOW_US, payload, False) for kind, payload in entries
    )
    append(workspace, *entries)
    index.landed(entries)
    with workspace.log.reader() as reader:
        index.save_landed(reader)


def in_files(workspace: Workspace) -> int:
    """How many entries the files have."""
    return sum(len(run) for run in opened(workspace).duplicates.runs)


def test_only_the_last_of_what_replaces_itself_is_kept(workspace: Workspace) -> None:
    """Programs, tables, models and the clock; erasures all, in order; ticks not at all."""
    append(
        workspace,
        control("spec_applied", program="a"),
        control("table_applied", table="t", hash="1"),
        control("erased", ids=["x"]),
        control("table_applied", table="u", hash="1"),
        control("clock", now_us=1),
        control("tick", now_us=1),
        control("reinstated", ids=["x"]),
        control("table_applied", table="t", hash="2"),
        control("model_published", policy="p", hash="1"),
        control("clock", now_us=2),
        control("erased", ids=["x"]),
        control("spec_applied", program="b"),
    )
    assert opened(workspace).controls == [
        payload.decode()
        for _, payload in (
            control("erased", ids=["x"]),
            control("table_applied", table="u", hash="1"),
            control("reinstated", ids=["x"]),
            control("table_applied", table="t", hash="2"),
            control("model_published", policy="p", hash="1"),
            control("clock", now_us=2),
            control("erased", ids=["x"]),
            control("spec_applied", program="b"),
        )
    ]


def test_what_others_append_is_read_behind_the_files(workspace: Workspace) -> None:
    """A command that is no import writes no files; the next start sees its records all the same."""
    import_all(workspace, event(1), control("spec_applied", program="a"))
    append(workspace, event(2), control("erased", ids=["x"]))
    index = opened(workspace)
    assert index.mark == (4, NOW_US)
    assert len(index.controls) == 2
    assert (in_files(workspace), index.duplicates.held) == (1, 1)


def test_an_import_does_not_save_what_it_has_not_heard_of(workspace: Workspace) -> None:
    """Neither when something was entered and not appended, nor when others have appended."""
    for is_entered in (True, False):
        index = opened(workspace)
        more = [event(1), event(2)] if is_entered else [event(1)]
        index.duplicates.rebuild(
            Record(0, 0, kind, NOW_US, payload, False) for kind, payload in more
        )
        append(workspace, *([event(1)] if is_entered else [event(1), event(3)]))
        index.landed([event(1)])
        with workspace.log.reader() as reader:
            index.save_landed(reader)
        assert in_files(workspace) == 0


def test_the_files_of_another_log_are_not_believed(workspace: Workspace, tmp_path: Path) -> None:
    """An older copy of the log, or another one of the same length: it is read as a whole."""
    import_all(workspace, event(1), event(2))
    assert in_files(workspace) == 2
    for others in ((event(7),), (event(7), event(8), event(9))):
        for path in (workspace.data / "log" / "p0").iterdir():
            path.unlink()
        append(workspace, *others, at_us=NOW_US + 5)
        again = Workspace(workspace.folder)
        index = opened(again)
        assert (in_files(again), index.duplicates.held) == (0, len(others))
        import_all(again, event(1))


def test_an_erasure_without_a_server_leaves_nothing_in_the_files(workspace: Workspace) -> None:
    """Whoever empties records as the writer takes them out of the index first."""
    import_all(workspace, event(1), event(2), event(3))
    with workspace.log.reader() as reader:
        erase_in_files(workspace, 0, reader.read(0, 1, 1))
    index = opened(workspace)
    day, gone = index.duplicates.place(*event(2))
    (run,) = index.duplicates.runs
    kept = {index.duplicates.place(*event(number))[1] for number in (1, 3)}
    assert set(run.part(day)[:, 0].tolist()) == kept
    assert gone not in kept
