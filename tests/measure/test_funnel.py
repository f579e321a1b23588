"""Funnels over a lake: steps with conditions, breakdown, identity, and the real loan log."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dipper.engine.conformance.lake import NOW_US, Happening, table
from dipper.engine.embedded.lake import EmbeddedLake
from dipper.engine.embedded.lake_schema import timelines_schema
from dipper.engine.embedded.runner import EmbeddedRunner
from dipper.engine.ports import Column, Identity, Projection
from dipper.expr.parse import parse
from dipper.expr.types import Scope
from dipper.fold.variants import VariantFold
from dipper.kit.clock import DAY_US, HOUR_US
from dipper.kit.errors import BadInput
from dipper.kit.hashing import hash64, hash128
from dipper.measure.funnel import Step, funnel, mask_sql

PROPERTIES = {"amount_fen": "int", "due": "timestamp"}
SCOPE = Scope({"amount_fen": "int", "due": "timestamp", "channel": "text", "event": "text"})


def lake_of(folder: Path, *rows: tuple[str, str, int, dict[str, object]]) -> EmbeddedLake:
    """A lake with rows (customer, event, hours after the beginning, values)."""
    lake = EmbeddedLake(folder, PROPERTIES, {"person": 2}, clock=lambda: NOW_US)
    happenings = [
        Happening(n, f"customer_no:{who}", NOW_US + hours * HOUR_US, event, values=values)
        for n, (who, event, hours, values) in enumerate(rows)
    ]
    lake.append_sorted(table(lake.schema, happenings), {0: len(rows)})
    return lake


@pytest.fixture
def runner(tmp_path: Path) -> EmbeddedRunner:
    """Four persons: ann goes all the way, bob stops, cay is slow, dan never enters."""
    return EmbeddedRunner(
        lake_of(
            tmp_path,
            ("ann", "shown", 0, {"channel": "app"}),
            ("ann", "paid", 1, {"amount_fen": 500, "channel": "web", "due": NOW_US}),
            ("bob", "shown", 0, {"channel": "app"}),
            ("bob", "paid", 2, {"amount_fen": 20}),
            ("cay", "shown", 0, {}),
            ("cay", "paid", 300, {"amount_fen": 900, "due": NOW_US + DAY_US}),
            ("dan", "paid", 0, {"amount_fen": 900}),
        )
    )


def test_steps_are_events_in_order(runner: EmbeddedRunner) -> None:
    """Subjects count who showed the events in order; others do not enter."""
    found = funnel(runner, [Step("shown"), Step("paid")])
    assert found.counts == (3, 3)
    assert found.conversion == 1.0


def test_a_step_may_have_a_condition(runner: EmbeddedRunner) -> None:
    """A condition that is FALSE or NULL does not satisfy the step."""
    large = Step("paid", parse("amount_fen > 100", SCOPE, expected="bool"))
    found = funnel(runner, [Step("shown"), large])
    assert found.counts == (3, 2)
    assert [step.of_previous for step in found.steps] == [1.0, 2 / 3]
    in_web = Step("paid", parse("channel = 'web'", SCOPE, expected="bool"))
    assert funnel(runner, [Step("shown"), in_web]).counts == (3, 1)


def test_a_condition_may_read_a_moment(runner: EmbeddedRunner) -> None:
    """Timestamp properties are compared as the expression language has them: UTC+8 on the wall."""
    date = parse("CAST(due AS date) = DATE '2026-11-19'", SCOPE, expected="bool")
    assert funnel(runner, [Step("paid", date)]).counts == (1,)


def test_the_window_limits_the_whole_way(runner: EmbeddedRunner) -> None:
    """Who takes longer than the window has not converted."""
    found = funnel(runner, [Step("shown"), Step("paid")], window_us=7 * DAY_US)
    assert found.counts == (3, 2)


def test_groups_follow_the_first_entry(runner: EmbeddedRunner) -> None:
    """Each subject counts under the value of its entry; they add up to the whole."""
    found = funnel(runner, [Step("shown"), Step("paid")], breakdown="channel")
    groups = {group.value: tuple(s.subjects for s in group.steps) for group in found.groups}
    assert groups == {"app": (2, 2), None: (1, 1)}


def test_only_events_of_the_period_count(runner: EmbeddedRunner) -> None:
    """Events outside [start, end) do not exist for the question."""
    found = funnel(runner, [Step("shown"), Step("paid")], end_us=NOW_US + 2 * HOUR_US)
    assert found.counts == (3, 1)


def test_who_is_one_subject_is_the_runners_to_know(runner: EmbeddedRunner) -> None:
    """With two customers joined, one way is seen through both."""
    joined = Identity({hash128("customer_no:dan"): hash128("customer_no:bob")})
    large = Step("paid", parse("amount_fen = 900", SCOPE, expected="bool"))
    steps = [Step("paid", parse("amount_fen = 20", SCOPE, expected="bool")), large]
    assert funnel(runner, steps, ordered=False).counts == (1, 0)
    assert funnel(runner.with_identity(joined), steps, ordered=False).counts == (1, 1)


def test_the_result_is_plain_data(runner: EmbeddedRunner) -> None:
    """`as_dict` is JSON with counts, shares and the question itself."""
    found = funnel(runner, [Step("shown"), Step("left")], window_us=DAY_US, breakdown="channel")
    assert json.loads(json.dumps(found.as_dict())) == {
        "subject": "person",
        "ordered": True,
        "window_us": DAY_US,
        "start_us": None,
        "end_us": None,
        "breakdown": "channel",
        "conversion": 0.0,
        "steps": [
            {"step": "shown", "subjects": 3, "of_first": 1.0, "of_previous": 1.0},
            {"step": "left", "subjects": 0, "of_first": 0.0, "of_previous": 0.0},
        ],
        "groups": [
            {
                "value": "app",
                "steps": [
                    {"step": "shown", "subjects": 2, "of_first": 1.0, "of_previous": 1.0},
                    {"step": "left", "subjects": 0, "of_first": 0.0, "of_previous": 0.0},
                ],
            },
            {
                "value": None,
                "steps": [
                    {"step": "shown", "subjects": 1, "of_first": 1.0, "of_previous": 1.0},
                    {"step": "left", "subjects": 0, "of_first": 0.0, "of_previous": 0.0},
                ],
            },
        ],
    }


def test_nobody_entered_has_no_share(runner: EmbeddedRunner) -> None:
    """Shares of nobody are None and no division by zero."""
    found = funnel(runner, [Step("never"), Step("paid")])
    assert [(s.subjects, s.of_first, s.of_previous) for s in found.steps] == [(0, None, None)] * 2


def test_names_are_quoted() -> None:
    """An event's name is a literal, whatever is in it."""
    assert mask_sql([Step("it's")]) == "CASE WHEN event = 'it''s' THEN 1 ELSE 0 END"


@pytest.mark.parametrize("steps", [[], [Step("seen")] * 40])
def test_too_few_and_too_many_steps_are_refused(runner: EmbeddedRunner, steps: list[Step]) -> None:
    """The error says how many a funnel has."""
    with pytest.raises(BadInput, match="1 to 32 steps"):
        funnel(runner, steps)


# --- the real loan log ----------------------------------------------------------------------

DATA = Path(os.environ.get("DIPPER_TEST_DATA", Path(__file__).parents[2] / ".." / "shared/data"))
LOG = DATA / "events_bpi2012"


@pytest.fixture(scope="module")
def loans(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedRunner:
    """The loan log as cases in a lake."""
    if not LOG.exists():
        pytest.skip(f"no loan log at {LOG}: set DIPPER_TEST_DATA to the folder with test data")
    log = pq.read_table(LOG / "events.parquet")
    count = log.num_rows
    cases = log["case_id"].to_pylist()
    keys = {case: hash128(f"case_no:{case}") for case in set(cases)}
    known = {
        "partition": pa.array(np.zeros(count, np.int32)),
        "offset": pa.array(np.arange(count)),
        "first_row": pa.array(np.ones(count, bool)),
        "kind": pa.array(["case"] * count),
        "role": pa.array(["case"] * count),
        "subject": pa.array([keys[case] for case in cases], pa.binary()),
        "event": log["activity"].combine_chunks(),
        "time": log["timestamp"].combine_chunks(),
        # The row in the file orders what shares a time.
        "seq": pa.array(np.arange(count)),
        "order_hash": pa.array([hash64(str(row)) for row in range(count)]),
    }
    schema = timelines_schema({})
    columns = [known.get(field.name, pa.nulls(count, field.type)) for field in schema]
    lake = EmbeddedLake(tmp_path_factory.mktemp("loans"), clock=lambda: NOW_US)
    lake.append_sorted(pa.Table.from_arrays(columns, schema=schema), {0: count})
    return EmbeddedRunner(lake)


WAY = ("A_SUBMITTED", "A_PREACCEPTED", "A_ACCEPTED", "A_FINALIZED", "A_APPROVED")


@pytest.mark.parametrize("ordered", [True, False])
def test_the_loan_log_gives_its_published_funnel(loans: EmbeddedRunner, ordered: bool) -> None:
    """Submitted, preaccepted, accepted, finalized, approved: in order and in any order alike."""
    found = funnel(loans, [Step(name) for name in WAY], subject="case", ordered=ordered)
    assert found.counts == (13_087, 7_367, 5_113, 5_015, 2_246)


def test_the_loan_log_gives_the_published_count_of_each_activity(loans: EmbeddedRunner) -> None:
    """A case counts for an activity when it has it at all, under any lifecycle."""
    oracle = json.loads((LOG / "oracle_counts.json").read_text())["cases_with_activity"]
    found = {name: funnel(loans, [Step(name)], subject="case").counts[0] for name in oracle}
    assert found == oracle


def test_the_loan_log_has_its_variants(loans: EmbeddedRunner) -> None:
    """4,366 different ways through the process, which only the right order of rows gives."""
    projection = Projection("case", (Column("event", "event", "text"),))
    found = loans.fold(projection, VariantFold())
    assert found.count == 4_366
    assert sum(found.subjects) == 13_087
