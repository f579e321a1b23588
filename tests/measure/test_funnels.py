"""Several funnels in one pass count what each would count alone."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from dipper.engine.conformance.lake import NOW_US, Happening, table
from dipper.engine.embedded.lake import EmbeddedLake
from dipper.engine.embedded.runner import EmbeddedRunner
from dipper.expr.parse import parse
from dipper.expr.types import Scope
from dipper.kit.clock import HOUR_US
from dipper.measure.funnel import Step, funnel
from dipper.measure.funnels import funnels

SCOPE = Scope({"scenario": "text"})
IN_BILLS = parse("scenario = 'bills'", SCOPE, expected="bool")
WANTED = {
    "bills": [Step("seen", IN_BILLS), Step("paid", IN_BILLS)],
    "all": [Step("seen"), Step("paid"), Step("opened")],
    "back": [Step("opened"), Step("seen")],
}


@pytest.mark.parametrize("seed", [1, 2])
def test_each_counts_as_if_it_were_alone(tmp_path: Path, seed: int) -> None:
    """With conditions of their own, over one window, whatever the rows."""
    random = Random(seed)
    happenings = [
        Happening(
            offset,
            f"login:{random.randrange(30)}",
            NOW_US + random.randrange(7) * HOUR_US,
            random.choice(["seen", "paid", "opened", "other"]),
            values={"scenario": random.choice([None, "bills", "rides"])},
        )
        for offset in range(200)
    ]
    lake = EmbeddedLake(tmp_path, {}, {"person": 2}, clock=lambda: NOW_US)
    lake.append_sorted(table(lake.schema, happenings), {0: 200})
    runner = EmbeddedRunner(lake)
    start_us, end_us = NOW_US + HOUR_US, NOW_US + 6 * HOUR_US
    found = funnels(runner, WANTED, start_us=start_us, end_us=end_us)
    for name, steps in WANTED.items():
        alone = funnel(runner, steps, start_us=start_us, end_us=end_us)
        assert found[name] == alone.counts
        assert alone.counts[-1] > 0


def test_no_funnel_reads_nothing(tmp_path: Path) -> None:
    """And gives nothing."""
    assert funnels(EmbeddedRunner(EmbeddedLake(tmp_path)), {}) == {}
