"""The real loan log through map, tracking plan, log, state and lake: the published counts."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from dipper.app.init import init_workspace
from dipper.app.programs import prepare
from dipper.app.workspace import Workspace
from dipper.engine.embedded.runner import EmbeddedRunner
from dipper.engine.ports import Column, Projection
from dipper.feed.mapping import load_map
from dipper.fold.variants import VariantFold
from dipper.kit.clock import system_clock
from dipper.measure.funnel import Step, funnel
from dipper.surface.applying import apply
from dipper.surface.bulk_import import BulkImport

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("DIPPER_TEST_DATA", ROOT.parent / "shared" / "data"))
LOG = DATA / "events_bpi2012"
EXAMPLE = ROOT / "examples" / "loan_applications"

pytestmark = pytest.mark.skipif(
    not LOG.is_dir(), reason=f"the loan log is not at {LOG} (set DIPPER_TEST_DATA)"
)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedRunner:
    """A workspace into which the whole log was imported."""
    folder = tmp_path_factory.mktemp("loans") / "bank"
    init_workspace(folder, random_bytes=os.urandom, sources=["loan_system"], starter=False)
    shutil.copytree(EXAMPLE / "specs", folder / "specs", dirs_exist_ok=True)
    workspace = Workspace(folder)
    apply(workspace, prepare(workspace, system_clock()), system_clock)
    bulk = BulkImport(workspace, system_clock)
    try:
        found = bulk.read(LOG / "events.parquet", load_map(EXAMPLE / "map.yml"))
        assert tuple(found.counts) == (262_200, 0, 0, 0)
        again = bulk.read(LOG / "events.parquet", load_map(EXAMPLE / "map.yml"))
        assert again.counts.duplicate == 262_200
        bulk.project()
    finally:
        bulk.close()
    return EmbeddedRunner(workspace.lake)


@pytest.fixture(scope="module")
def published() -> dict[str, int]:
    """Cases with each activity, as published with the log."""
    found: dict[str, int] = json.loads((LOG / "oracle_counts.json").read_text())[
        "cases_with_activity"
    ]
    return found


def test_the_funnel_by_case_gives_the_published_counts(runner: EmbeddedRunner) -> None:
    """Submitted 13,087 > preaccepted 7,367 > accepted 5,113 > finalized 5,015 > approved 2,246."""
    names = ("submitted", "preaccepted", "accepted", "finalized", "approved")
    found = funnel(runner, [Step(name) for name in names], subject="case")
    assert [step.subjects for step in found.steps] == [13_087, 7_367, 5_113, 5_015, 2_246]


def test_every_activity_has_its_published_number_of_cases(
    runner: EmbeddedRunner, published: dict[str, int]
) -> None:
    """All 24 of them, each as a funnel of one step."""
    names = load_map(EXAMPLE / "map.yml").event.values
    assert set(names) == set(published)
    counted = {
        activity: funnel(runner, [Step(name)], subject="case").steps[0].subjects
        for activity, name in names.items()
    }
    assert counted == published


def test_rows_that_share_a_time_keep_their_order(runner: EmbeddedRunner) -> None:
    """4,366 distinct sequences: with any other order of equal times the number is another."""
    projection = Projection("case", (Column("event", "event", "text"),))
    assert runner.fold(projection, VariantFold()).count == 4_366
