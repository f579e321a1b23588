"""Tests of explaining an offer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dipper.app.workspace import Workspace
from dipper.kit.clock import system_clock
from dipper.profile import gather
from dipper.surface.explaining import explain_offer


def test_lower_bounds_are_named(
    quiet_bank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a person with more events than are kept it is said which tags may count too few."""
    # A copy: other tests of this process may hold the bank itself open.
    workspace = Workspace(shutil.copytree(quiet_bank, tmp_path / "bank"))
    person, offer = "login:u000010", "autopay"
    before = explain_offer(workspace, person, offer, system_clock).sentences
    monkeypatch.setattr(gather, "RECORDS_MAX", 1)
    after = explain_offer(workspace, person, offer, system_clock).sentences
    workspace.state.close()
    assert after["en"][-1].startswith("of so many events only the last 4,096 are kept")
    assert "近" in after["zh"][-1]
    assert len(after["en"]) == len(before["en"]) + 1
