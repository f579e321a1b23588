"""The report as one plain document: the fields that `report.json` promises, and `detail`.

The numbers of the bank come from the platform's own measuring, those of the run from the driver,
and only what is called truth from the hidden needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dipper.app.served import Programs
from dipper.app.workspace import Workspace
from dipper.experiment.intervals import Interval, NotEnough
from dipper.experiment.uplift import ArmResult, Readout, Uplift
from dipper.measure.confirmation import last_click_claims
from dipper.measure.decisions import gate_denials
from dipper.measure.four_steps import four_steps
from dipper.measure.history import Period
from dipper.surface.demo.driver import DECISIONS_AT_ONCE, Bank, Driver, Tally
from dipper.surface.demo.live_plan import STEPS
from dipper.surface.demo.report_detail import detail
from dipper.surface.demo.report_facts import ReportFacts, read_facts
from dipper.surface.demo.truth import judge

LAST_QUARTER = STEPS - STEPS // 8
"""The first step of the last quarter of the second day."""


@dataclass(frozen=True)
class RunFacts:
    """What the run knows of itself. `events_stored` are the live HTTP events that stand in the log,
    good and failed. `floors` has the floor of a speed by its name in the report."""

    seed: int
    live_start_us: int
    live_end_us: int
    events_imported: int
    stored_before_kill: int
    acknowledged_before_kill: int
    events_stored: int
    killed_and_recovered: bool
    replay_equal: bool
    seconds: float
    floors: Mapping[str, float]


def measured(workspace: Workspace, bank: Bank, driver: Driver, period: Period) -> dict[str, Any]:
    """What the platform's own measuring and the hidden truth say of the live days: part of the
    headline numbers, and the `detail` of the pages."""
    facts = read_facts(workspace, period)
    programs = Programs(workspace)

    def served_of(trace: Any) -> Any:
        return programs.of_trace(trace.program, trace.tables)

    choices = judge(
        facts.stored,
        driver.asked,
        bank,
        lambda trace: served_of(trace).decider.place(trace.placement),
        facts.segments,
    )
    headline = _headline(facts)
    return {
        **_people(facts),
        "decisions": len(facts.stored),
        **_proved(facts, headline),
        "match_rate": facts.matching.rate,
        "gate_denials": gate_denials(facts.stored),
        "share_of_achievable": choices.pick(choices.step >= LAST_QUARTER).share_of_achievable,
        "detail": detail(facts, choices, headline, LAST_QUARTER, served_of),
    }


def report_data(
    workspace: Workspace, driver: Driver, found: Mapping[str, Any], run: RunFacts
) -> dict[str, Any]:
    """The whole report as JSON would hold it: what was `measured`, and the run itself."""
    return {
        "events_imported": run.events_imported,
        "events_sent": driver.tally.sent,
        "events_acknowledged": driver.tally.acknowledged,
        "events_stored": run.events_stored,
        "killed_and_recovered": run.killed_and_recovered,
        "replay_equal": run.replay_equal,
        **found,
        **speeds(driver.tally),
        "seconds": run.seconds,
        "detail": _run(workspace, driver, run) | found["detail"],
    }


def _headline(facts: ReportFacts) -> str | None:
    """The policy whose experiment the headline numbers tell of: about persons, the most decided."""
    places = facts.served.decider.places.values()
    of_persons = {place.policy.name for place in places if place.placement.subject == "person"}
    counts = {
        policy: sum(one.policy == policy for one in facts.decisions)
        for policy in sorted(of_persons & facts.experiments.keys())
    }
    return max(counts, key=counts.__getitem__, default=None)


def _people(facts: ReportFacts) -> dict[str, int]:
    persons = facts.people["person"]
    return {
        "persons": len(persons),
        "users": four_steps(persons).users,
        "customers_existing": sum(one.is_existing for one in persons),
        "customers_new": sum(bool(one.lines) and not one.is_existing for one in persons),
    }


NOBODY = ArmResult(0, 0, NotEnough(0, 1, 0, 0))


def _proved(facts: ReportFacts, headline: str | None) -> dict[str, Any]:
    """What the control group proves, beside what last click claims."""
    readout = None if headline is None else facts.experiments[headline]
    new = None if readout is None else readout.new
    gained = None if new is None else new.incremental_customers
    return {
        **_conversions(readout),
        "uplift_ci95": None if new is None else _bounds(new.uplift),
        "placebo_ci95": None if new is None else _bounds(new.placebo_effect),
        "last_click_claimed": claimed(facts, headline),
        "incremental_customers": round(gained.estimate) if isinstance(gained, Interval) else None,
    }


def claimed(facts: ReportFacts, policy: str | None) -> int:
    """New customers among persons whom a click-based report would claim for the offers."""
    window_us = 0 if policy is None else facts.windows_us[policy]
    opened = (one for one in facts.openings if one.kind == "person")
    clicks = (
        (one.subject, one.time_us)
        for one in facts.outcomes
        if one.event == "offer_clicked" and one.kind == "person"
    )
    return last_click_claims(opened, clicks, window_us)


def _conversions(readout: Readout | None) -> dict[str, float | None]:
    groups: dict[str, Uplift | None] = {
        "conversion": None if readout is None else readout.new,
        "existing": None if readout is None else readout.existing,
    }
    found = {}
    for name, uplift in groups.items():
        for arm in ("treated", "control"):
            result: ArmResult = NOBODY if uplift is None else getattr(uplift, arm)
            rate = result.conversions / result.subjects if result.subjects else None
            found[f"{name}_{arm}"] = rate
    return found


def _bounds(found: Interval | NotEnough) -> list[float] | None:
    return [found.low, found.high] if isinstance(found, Interval) else None


def speeds(tally: Tally) -> dict[str, float | None]:
    """Latency and throughput as the client saw them.

    The latency is that of the decisions that were asked for one at a time: what one caller waits
    for. The throughput is the wall clock of the phases in which batches went out.
    """
    p50, p99 = percentiles_ms(tally.alone_s)
    is_timed = tally.batching_s > 0
    return {
        "decide_p50_ms": p50,
        "decide_p99_ms": p99,
        "collect_events_per_s": tally.batched / tally.batching_s if is_timed else None,
    }


def percentiles_ms(seconds: Sequence[float]) -> tuple[float | None, float | None]:
    """The median and the 99th percentile in milliseconds; None without any."""
    if not seconds:
        return None, None
    p50, p99 = np.percentile(np.array(seconds) * 1e3, (50, 99)).tolist()
    return p50, p99


def _run(workspace: Workspace, driver: Driver, run: RunFacts) -> dict[str, Any]:
    """The run itself: who, when, what was counted around the kill, and the floors."""
    settings = workspace.settings.workspace
    p50, p99 = percentiles_ms(driver.tally.together_s)
    return {
        "bank": settings.name,
        "time_zone": settings.time_zone,
        "seed": run.seed,
        "live_start_us": run.live_start_us,
        "live_end_us": run.live_end_us,
        "organisations": len(driver.bank.organisations),
        "decided_alone": len(driver.tally.alone_s),
        "decided_together": {
            "decisions": len(driver.tally.together_s),
            "at_once": DECISIONS_AT_ONCE,
            "p50_ms": p50,
            "p99_ms": p99,
        },
        "collected": {"events": driver.tally.batched, "seconds": driver.tally.batching_s},
        "decisions_asked": driver.tally.decisions,
        "acknowledged_before_kill": run.acknowledged_before_kill,
        "stored_before_kill": run.stored_before_kill,
        "floors": dict(run.floors),
    }
