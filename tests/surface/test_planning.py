"""Tests of the plan over a workspace that has subjects."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dipper.app.init import init_workspace
from dipper.app.programs import prepare
from dipper.app.workspace import Workspace
from dipper.feed.guess import guess
from dipper.kit.clock import system_clock, to_iso
from dipper.spec.plan import SegmentNumbers
from dipper.spec.plan_text import plan_text
from dipper.surface.applying import apply
from dipper.surface.bulk_import import BulkImport
from dipper.surface.planning import make_plan


@pytest.fixture
def bank(tmp_path: Path) -> Workspace:
    """The starter, with one, two and three bills of 200 fen paid by three persons."""
    folder = tmp_path / "bank"
    init_workspace(folder, random_bytes=os.urandom)
    workspace = Workspace(folder)
    apply(workspace, prepare(workspace, system_clock()), system_clock)
    rows = [f"C{n},bill_paid,{to_iso(system_clock())},200" for n in (1, 2, 2, 3, 3, 3)]
    history = tmp_path / "history.csv"
    history.write_text("\n".join(["customer_no,event,time,amount_fen", *rows]) + "\n")
    mapping, _ = guess(history, "core")
    bulk = BulkImport(workspace, system_clock)
    bulk.read(history, mapping, lambda done: None)
    bulk.project(lambda done: None)
    bulk.close()
    return Workspace(folder)


def rewrite(workspace: Workspace, old: str, new: str) -> None:
    """Change the starter."""
    path = workspace.specs / "starter.yml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_nothing_changed_plans_nothing(bank: Workspace) -> None:
    """And nobody is counted."""
    found, errors = make_plan(bank, system_clock)
    assert (found.is_empty, errors, found.numbers) == (True, [], {})


def test_a_plan_counts_who_enters_and_leaves(bank: Workspace) -> None:
    """The condition alone changes: the served state says it."""
    rewrite(bank, "tag.bills_paid_30d >= 3", "tag.bills_paid_30d < 3")
    found, _ = make_plan(bank, system_clock)
    assert found.numbers == {"regular_payers": SegmentNumbers(enter=2, leave=1, now=2)}


def test_a_plan_counts_under_another_layout_of_records(bank: Workspace) -> None:
    """A tag of other events needs the log; the segment that reads it is only touched."""
    rewrite(bank, "amount_fen >= 100", "amount_fen >= 500")
    found, _ = make_plan(bank, system_clock)
    assert found.numbers == {"regular_payers": SegmentNumbers(enter=0, leave=1, now=0)}
    assert "        0 persons enter, 1 leave, 0 are in it now" in plan_text(found)
    assert sorted(path.name for path in bank.data.glob("tmp*")) == []


def test_a_plan_of_broken_files_says_what_refuses_it(bank: Workspace) -> None:
    """Nothing is counted, for nothing could be applied."""
    rewrite(bank, "tag.bills_paid_30d >= 3", "tag.bills_payd_30d >= 3")
    found, errors = make_plan(bank, system_clock)
    assert [error.severity for error in errors] == ["error"]
    assert found.numbers == {}
