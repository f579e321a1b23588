"""What the pages show beyond the headline numbers, as plain data with titles in both languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from dipper.app.served import Served
from dipper.decide.explain import explain_on
from dipper.decide.trace import Trace
from dipper.decide.waterfall import waterfall
from dipper.experiment.arms import ARMS
from dipper.experiment.intervals import Interval, NotEnough
from dipper.experiment.uplift import Readout, Uplift
from dipper.measure.evaluation import Indicator
from dipper.measure.four_steps import FourSteps, four_steps
from dipper.measure.lifecycle import TITLES, life_cycle
from dipper.measure.org_units import ancestors_at
from dipper.measure.portfolio import Measured
from dipper.measure.value import Value, by_org_unit
from dipper.surface.demo.report_facts import ReportFacts, values_of
from dipper.surface.demo.truth import Choices

CURVE_POINTS = 16
OUTLETS_SHOWN = 10

Text = dict[str, str]


def detail(
    facts: ReportFacts,
    choices: Choices,
    headline: str | None,
    last_quarter: int,
    served_of: Callable[[Trace], Served],
) -> dict[str, Any]:
    """All sections. `served_of` gives the versions that a trace names."""
    return {
        "program": facts.served.program.hash,
        "headline": headline,
        "visitors": len(facts.visitors),
        "assessments": vars(facts.assessments),
        "steps": {
            "person": _steps(four_steps(facts.people["person"] + facts.visitors)),
            "organisation": _steps(four_steps(facts.people["organisation"])),
        },
        "life_cycle": _life_cycle(facts),
        "scenarios": [_scenario(one, facts) for one in facts.scenarios],
        "experiments": [
            {"policy": policy, "title": _title(facts, "policy", policy), **_readout(readout)}
            for policy, readout in facts.experiments.items()
        ],
        "openings": _openings(facts),
        "gates": _gates(facts),
        **_org_units(facts),
        "choices": _choices(choices, last_quarter),
        "trace": _trace(facts, served_of),
    }


def _title(facts: ReportFacts, kind: str, name: str) -> Text:
    spec = facts.served.program.of(kind).get(name)
    return {"zh": name, "en": name} if spec is None else spec.title.model_dump()


def _steps(steps: FourSteps) -> dict[str, int]:
    return dict(vars(steps))


def _life_cycle(facts: ReportFacts) -> list[dict[str, Any]]:
    counted = life_cycle(facts.people["person"] + facts.visitors, facts.period.end_us)
    return [
        {
            "stage": stage.value,
            "title": {"zh": TITLES[stage][0], "en": TITLES[stage][1]},
            "new": counted.new[stage],
            "existing": counted.existing[stage],
        }
        for stage in TITLES
    ]


# --- scenarios ------------------------------------------------------------------------------


def _scenario(measured: Measured, facts: ReportFacts) -> dict[str, Any]:
    name = measured.scenario.name
    spec = facts.served.program.of("scenario")[name]
    return {
        "scenario": name,
        "title": spec.title.model_dump(),
        "participant": spec.participant,
        "subject": spec.subject,
        "sensitive": spec.sensitive,
        "monthly_active": measured.facts.monthly_active,
        "steps": _steps(measured.steps),
        "value": _value(measured.value),
        "funnel": _funnel(facts, facts.funnels.get(name, ())),
        "readout": None if measured.readout is None else _uplift(measured.readout.new),
        "indicators": [_indicator(one) for one in measured.indicators],
    }


def _value(value: Value) -> dict[str, Any]:
    return vars(value) | {"value_per_customer_fen": value.value_per_customer_fen}


def _funnel(facts: ReportFacts, steps: tuple[tuple[str, int], ...]) -> list[dict[str, Any]]:
    return [
        {"event": event, "title": _title(facts, "event", event), "subjects": subjects}
        for event, subjects in steps
    ]


def _indicator(one: Indicator) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": {"zh": one.title.zh, "en": one.title.en},
        "unit": one.title.unit,
        "better": one.title.better,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "waits_for": {"zh": one.waits_zh, "en": one.waits_en},
    }


# --- what was proved ------------------------------------------------------------------------


def _readout(readout: Readout) -> dict[str, Any]:
    return {
        "new": _uplift(readout.new),
        "existing": _uplift(readout.existing),
        "subjects_in_two_arms": readout.subjects_in_two_arms,
    }


def _uplift(uplift: Uplift) -> dict[str, Any]:
    arms = {}
    for arm in ARMS:
        result = getattr(uplift, arm)
        arms[arm] = {
            "subjects": result.subjects,
            "conversions": result.conversions,
            "rate": _estimate(result.rate),
        }
    return {
        "arms": arms,
        "uplift": _estimate(uplift.uplift),
        "placebo": _estimate(uplift.placebo_effect),
        "incremental": _estimate(uplift.incremental_customers),
        "share_check": vars_of(uplift.shares),
    }


def _estimate(found: Interval | NotEnough) -> dict[str, Any]:
    return vars_of(found) | {"enough": isinstance(found, Interval)}


def vars_of(record: Any) -> dict[str, Any]:
    """A slotted record's fields by name."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def _openings(facts: ReportFacts) -> dict[str, Any]:
    """All openings of the period: by whom, by which way, how many a decision led to."""
    found = facts.openings
    days = {facts.windows_us[policy] // 86_400_000_000 for policy in facts.experiments}
    return {
        "openings": len(found),
        "matched": sum(row.decision is not None for row in facts.matching.rows),
        "window_days": sorted(days),
        "by_channel": dict(Counter(one.channel or "" for one in found).most_common()),
        "by_kind": dict(Counter(one.kind for one in found).most_common()),
        "with_staff": sum(one.staff is not None for one in found),
        "new_organisations": len(
            {one.subject for one in found if one.is_first and one.kind == "organisation"}
        ),
        "value_fen": sum(value.value_fen for value in _values(facts)),
    }


def _values(facts: ReportFacts) -> list[Value]:
    return by_org_unit(facts.matching.rows, values_of(facts.served.program))


def _gates(facts: ReportFacts) -> list[dict[str, Any]]:
    """Every gate with its rules, and how many offers it was the first to hold back."""
    denied: Counter[str] = Counter()
    considered = 0
    for one in facts.stored:
        denied.update(one.trace.gate_denials)
        considered += len(one.trace.denied)
    gates = {
        gate.NAME: gate for place in facts.served.decider.places.values() for gate in place.gates
    }
    return [
        {
            "gate": name,
            "title": dict(gate.TITLE),
            "denied": denied[name],
            "considered": considered,
            "rules": [{"id": rule.id, "title": dict(rule.source)} for rule in gate.RULES],
        }
        for name, gate in gates.items()
    ]


def _org_units(facts: ReportFacts) -> dict[str, Any]:
    """Branches and the best outlets by what was opened there."""
    table = facts.served.tables.get("org_unit")
    rows = {} if table is None else {str(key): row for key, row in table.rows.items()}
    branches = ancestors_at(
        "branch",
        {unit: str(row.get("parent") or "") for unit, row in rows.items()},
        {unit: str(row.get("level")) for unit, row in rows.items()},
    )
    worth = values_of(facts.served.program)

    def ranked(values: list[Value]) -> list[dict[str, Any]]:
        return [
            _value(value)
            | {"title": {lang: str(rows[value.key][f"title_{lang}"]) for lang in ("zh", "en")}}
            for value in values
            if value.key in rows
        ]

    return {
        "branches": ranked(by_org_unit(facts.matching.rows, worth, branches)),
        "outlets": ranked(by_org_unit(facts.matching.rows, worth))[:OUTLETS_SHOWN],
    }


# --- what was chosen ------------------------------------------------------------------------


def _choices(choices: Choices, last_quarter: int) -> dict[str, Any]:
    """Mean true expected value in the last quarter, and the curve over equal numbers of
    decisions."""
    order = np.argsort(choices.step, kind="stable")
    parts = [part for part in np.array_split(order, CURVE_POINTS) if len(part)]
    curve = [
        {"until_step": int(choices.step[part].max()), "decisions": len(part)}
        | choices.pick(part).means()
        for part in parts
    ]
    late = choices.pick(choices.step >= last_quarter)
    return {"last_quarter": late.means(), "decisions": len(late.step), "curve": curve}


def _trace(facts: ReportFacts, served_of: Callable[[Trace], Served]) -> dict[str, Any] | None:
    """One decision as a waterfall with its sentences: one in which much was to be weighed."""
    telling = max(
        (one for one in facts.stored if one.trace.arm == "treated" and one.trace.offers),
        key=lambda one: (
            bool(one.trace.model),
            len(one.trace.gate_denials),
            min(one.trace.passed, 4),
            one.trace.now_us,
            one.trace.decision_id,
        ),
        default=None,
    )
    if telling is None:
        return None
    trace, served = telling.trace, served_of(telling.trace)
    return {
        "waterfall": waterfall(served.decider, trace),
        "placement": _title(facts, "placement", trace.placement),
        "offers": {
            candidate.name: dict(candidate.title)
            for candidate in served.decider.place(trace.placement).candidates
        },
        "time_us": trace.now_us,
        "sentences": {
            language: explain_on(served.decider, trace, served.program, served.tables, language)
            for language in ("zh", "en")
        },
    }
