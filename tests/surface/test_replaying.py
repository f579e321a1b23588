"""Replaying along with a server: a process that follows and compares at the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dipper.app.init import init_workspace
from dipper.app.programs import prepare
from dipper.app.workspace import Workspace
from dipper.feed.mapping import load_map
from dipper.kit.clock import system_clock
from dipper.kit.errors import NotFound, Unavailable
from dipper.surface.applying import apply
from dipper.surface.beside import Beside
from dipper.surface.bulk_import import BulkImport

REPLAYING = "dipper.surface.replaying"
MAP = """
source: server
file: {format: csv}
event: {value: bill_paid}
time: {column: at}
subjects: {person: {type: customer_no, column: who}}
properties: {amount_fen: {column: fen, type: int}}
"""


def test_a_replay_that_began_before_ends_equal(tmp_path: Path) -> None:
    """What is projected while it follows is replayed too, to the same bytes."""
    init_workspace(tmp_path / "bank", random_bytes=os.urandom)
    workspace = Workspace(tmp_path / "bank")
    apply(workspace, prepare(workspace, system_clock()), system_clock)
    file, map_file = tmp_path / "a.csv", tmp_path / "map.yml"
    lines = [f"C{n % 7},2026-10-{n % 28 + 1:02}T00:00:00Z,100" for n in range(200)]
    file.write_text("\n".join(["who,at,fen", *lines]) + "\n", encoding="utf-8")
    map_file.write_text(MAP, encoding="utf-8")
    along = Beside(REPLAYING, workspace.folder)
    bulk = BulkImport(workspace, system_clock)
    bulk.read(file, load_map(map_file))
    bulk.project()
    heard: list[int] = []
    found = along.finish(heard.append)
    along.close()
    with workspace.log.reader() as reader:
        assert found["records"] == reader.end(0) > 200
    assert found["equal"]
    assert heard[-1] == found["records"]
    bulk.close()


def test_what_the_process_met_is_raised_here(tmp_path: Path) -> None:
    """Its error arrives as the same error."""
    along = Beside(REPLAYING, tmp_path / "nowhere")
    with pytest.raises(NotFound, match="not a workspace"):
        along.finish()
    along.close()


def test_a_process_that_died_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody waits for a result that cannot come."""
    along = Beside("dipper.surface.nowhere", tmp_path)
    with pytest.raises(Unavailable, match=r"nowhere.*ended with 1"):
        along.finish()
    along.close()
    assert "No module named" in capfd.readouterr().err
