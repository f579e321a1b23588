"""All scenarios of the bank side by side: steps, value, experiment and evaluation sheet of each.

Everything here is counted from facts that were read before; nothing is asked of history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dipper.experiment.arms import Shares
from dipper.experiment.uplift import Readout, estimate
from dipper.measure.activity import VISITOR, InScenario
from dipper.measure.confirmation import Decided, Matched, Opened
from dipper.measure.evaluation import Indicator, ScenarioFacts, means_of, sheet
from dipper.measure.four_steps import FourSteps, four_steps
from dipper.measure.history import Period
from dipper.measure.lifecycle import Facts
from dipper.measure.readout import rows
from dipper.measure.value import Value, by_scenario

Whose = tuple[str, str]
"""Subject kind and key."""

NO_VALUE = Value("", 0, 0, 0, 0)


@dataclass(frozen=True)
class Scenario:
    """One scenario as it is measured: its name and its kind of subject."""

    name: str
    subject: str


@dataclass(frozen=True)
class Evidence:
    """What all scenarios are counted from. `facts` has everybody, visitors too; `key_groups` the
    subjects that the bank owes special care (of the kinds in `known_kinds`), `withdrawn` those who
    withdrew a consent within 30 days; `shares` are those of the policies with a control group."""

    period: Period
    facts: Mapping[Whose, Facts]
    activity: Sequence[InScenario]
    decisions: Sequence[Decided]
    openings: Sequence[Opened]
    matched: Sequence[Matched]
    customer_since: Mapping[Whose, int]
    value_of: Mapping[str, int]
    shares: Mapping[str, Shares]
    withdrawn: frozenset[Whose]
    key_groups: frozenset[Whose]
    known_kinds: frozenset[str]


@dataclass(frozen=True)
class Measured:
    """One scenario with its numbers; `readout` is None where nobody is held back."""

    scenario: Scenario
    steps: FourSteps
    facts: ScenarioFacts
    value: Value
    readout: Readout | None
    indicators: tuple[Indicator, ...]


def measure(scenarios: Iterable[Scenario], evidence: Evidence) -> list[Measured]:
    """Every scenario, in the order given; rates are shrunk towards the mean of all of them."""
    values = {value.key: value for value in by_scenario(evidence.matched, evidence.value_of)}
    first = _first_decisions(evidence)
    drafts = []
    for scenario in scenarios:
        readout = _readout(scenario, evidence, first)
        value = values.get(scenario.name, NO_VALUE)
        drafts.append((scenario, _facts(scenario, evidence, value, readout), value, readout))
    means = means_of(facts for _, facts, _, _ in drafts)
    return [
        Measured(
            scenario,
            four_steps(_members(scenario, evidence)),
            facts,
            value,
            readout,
            tuple(sheet(facts, means)),
        )
        for scenario, facts, value, readout in drafts
    ]


def _mine(scenario: Scenario, evidence: Evidence) -> list[InScenario]:
    return [
        one
        for one in evidence.activity
        if one.scenario == scenario.name and one.kind == scenario.subject
    ]


def _members(scenario: Scenario, evidence: Evidence) -> list[Facts]:
    """Everybody who was ever active in the scenario; in one for persons also the devices of those
    who were never named, who are reached and no more."""
    kinds = ("person", VISITOR) if scenario.subject == "person" else (scenario.subject,)
    found = (
        evidence.facts.get((one.kind, one.subject))
        for one in evidence.activity
        if one.scenario == scenario.name and one.kind in kinds
    )
    return [facts for facts in found if facts is not None]


def _facts(
    scenario: Scenario, evidence: Evidence, value: Value, readout: Readout | None
) -> ScenarioFacts:
    mine = _mine(scenario, evidence)
    active = {(one.kind, one.subject) for one in mine if one.is_active_30}
    cohort = [one for one in mine if one.in_cohort]
    eligible = _eligible(scenario, evidence)
    opened = {(one.kind, one.subject) for one in evidence.openings if one.is_first}
    return ScenarioFacts(
        scenario=scenario.name,
        monthly_active=len(active),
        key_groups_served=(
            len(active & evidence.key_groups) if scenario.subject in evidence.known_kinds else None
        ),
        cohort_size=len(cohort),
        cohort_returned=sum(one.has_returned for one in cohort),
        eligible_users=len(eligible),
        new_customers=len(eligible & opened),
        value_fen=value.value_fen,
        converted_customers=value.subjects,
        complaints=len(active & evidence.withdrawn),
        uplift=None if readout is None else readout.new,
    )


def _eligible(scenario: Scenario, evidence: Evidence) -> set[Whose]:
    """Users new to the bank for whom an offer passed all gates in this scenario."""
    passed = {
        (one.kind, one.subject)
        for one in evidence.decisions
        if one.passed and one.scenario == scenario.name
    }
    return {
        whose
        for whose in passed
        if (facts := evidence.facts.get(whose)) is not None
        and facts.is_identified
        and facts.has_consented
        and not facts.is_existing
    }


def _first_decisions(evidence: Evidence) -> dict[tuple[str, Whose], str]:
    """(policy, subject) -> the scenario of the first decision with a passed offer."""
    first: dict[tuple[str, Whose], Decided] = {}
    for one in evidence.decisions:
        if one.passed and one.policy in evidence.shares:
            key = (one.policy, (one.kind, one.subject))
            known = first.get(key)
            if known is None or (one.time_us, one.decision_id) < (known.time_us, known.decision_id):
                first[key] = one
    return {key: one.scenario for key, one in first.items()}


def _readout(
    scenario: Scenario, evidence: Evidence, first: Mapping[tuple[str, Whose], str]
) -> Readout | None:
    """The readout of those who met their policy first in this scenario.

    A scenario whose placements follow several policies is read out for the one that decided most
    here: arms of two policies cannot be added up.
    """
    counts: dict[str, int] = {}
    for one in evidence.decisions:
        if one.scenario == scenario.name and one.policy in evidence.shares:
            counts[one.policy] = counts.get(one.policy, 0) + 1
    if not counts:
        return None
    policy = max(sorted(counts), key=counts.__getitem__)
    mine = [
        one
        for one in evidence.decisions
        if one.policy == policy and first.get((policy, (one.kind, one.subject))) == scenario.name
    ]
    found = rows(mine, evidence.openings, evidence.customer_since, evidence.period)
    return estimate(found, evidence.shares[policy])
