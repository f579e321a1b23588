"""Appending from processes that are no gateway, and applying through it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dipper.app.init import init_workspace
from dipper.app.programs import applied, prepare
from dipper.app.workspace import Workspace
from dipper.engine.ports import Entry, Position
from dipper.engine.record import CONTROL_DECODER, EVENT_ENCODER, Control, RecordKind
from dipper.kit.errors import BadInput, DipperError, Unavailable
from dipper.surface.append import AsWriter, ThroughGateways, append_everywhere, appender
from dipper.surface.applying import apply

NOW_US = 1_790_000_000_000_000


def clock() -> int:
    """Nothing moves this time."""
    return NOW_US


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The starter with three partitions, nothing applied."""
    init_workspace(tmp_path / "bank", random_bytes=os.urandom, partitions=3)
    return Workspace(tmp_path / "bank")


def entry(number: int) -> Entry:
    """A control record that does nothing."""
    control = Control(type="run", time_us=number)
    return Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control))


def controls(workspace: Workspace) -> list[list[Control]]:
    """The control records of each partition."""
    with workspace.log.reader() as reader:
        return [
            [
                CONTROL_DECODER.decode(record.payload)
                for records in reader.read_batches(partition, 0)
                for record in records
                if not record.erased
            ]
            for partition in range(reader.partitions())
        ]


def test_without_a_gateway_the_process_is_the_writer(workspace: Workspace) -> None:
    """Control records go to every partition; offsets count from where each stands."""
    to = appender(workspace, clock)
    assert isinstance(to, AsWriter)
    try:
        assert to.append(1, [entry(0)]) == 0
        assert append_everywhere(to, 3, [entry(1), entry(2)]) == {0: 0, 1: 1, 2: 0}
        assert to.erase([Position(1, 0)]) == 1
    finally:
        to.close()
    assert [len(found) for found in controls(workspace)] == [2, 2, 2]


def test_a_partition_that_is_taken_gives_the_others_back(workspace: Workspace) -> None:
    """Who cannot have all of the log holds none of it."""
    taken = workspace.log.writer(2)
    with pytest.raises(DipperError):
        AsWriter(workspace, clock)
    taken.close()
    AsWriter(workspace, clock).close()


def test_a_gateway_that_is_not_there_is_unavailable(workspace: Workspace) -> None:
    """With its socket named."""
    through = ThroughGateways(workspace, clock)
    with pytest.raises(Unavailable, match="socket"):
        through.append(0, [entry(0)])
    with pytest.raises(Unavailable):
        through.connect()


def test_what_is_applied_is_said_to_every_partition(workspace: Workspace) -> None:
    """Tables first, then the program; a second time changes nothing."""
    prepared = prepare(workspace, NOW_US)
    stored = apply(workspace, prepared, clock)
    assert applied(workspace) == stored
    for found in controls(workspace):
        assert [control.type for control in found] == ["spec_applied"]
        assert found[0].body == {"program": stored.program}
    assert apply(workspace, prepared, clock) == stored
    assert [len(found) for found in controls(workspace)] == [1, 1, 1]


def test_specs_with_errors_are_not_applied(workspace: Workspace) -> None:
    """The first finding is named, and the log does not hear of it."""
    (workspace.specs / "bad.yml").write_text("kind: tag\nname: t\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"bad\.yml"):
        apply(workspace, prepare(workspace, NOW_US), clock)
    assert controls(workspace) == [[], [], []]
    assert applied(workspace) is None
