"""Everything that the report is computed from, read once: one version of the lake, one identity.

The bank's own measuring does the work (`dipper.measure`); nothing here knows the hidden needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dipper.app.served import Programs, Served
from dipper.app.workspace import Workspace
from dipper.engine.embedded.history import History
from dipper.engine.embedded.runner import EmbeddedRunner
from dipper.experiment.arms import Shares
from dipper.experiment.uplift import Readout
from dipper.expr.parse import parse
from dipper.kit.clock import DAY_US
from dipper.measure.activity import KINDS, VISITOR, activity, in_scenarios
from dipper.measure.confirmation import Decided, Matching, Opened, match
from dipper.measure.decisions import Outcome, Stored, decided, read_decisions, read_outcomes
from dipper.measure.facts import Assessments, assessments, consents, people
from dipper.measure.funnel import Step
from dipper.measure.funnels import funnels
from dipper.measure.history import SUBJECT, Period
from dipper.measure.lifecycle import Facts
from dipper.measure.memberships import read_memberships
from dipper.measure.openings import CoreWord, accounts, core_words, customer_since, openings
from dipper.measure.portfolio import Evidence, Measured, Scenario, measure
from dipper.measure.readout import read_out
from dipper.measure.tagged import tagged_subjects
from dipper.profile.today import identity_today
from dipper.spec.kinds.placement import Placement
from dipper.spec.kinds.policy import Policy
from dipper.spec.program import Program
from dipper.spec.scope import event_scope
from dipper.surface.explaining import served_by

ELDER_YEARS = 65
"""From this age on a person belongs to a group that the bank owes special care (GBCF-G5)."""

Whose = tuple[str, str]


@dataclass(frozen=True)
class ReportFacts:
    """What was read and measured. `segments` are aligned to `stored`; `experiments` are read out
    by policy; `people` are the facts of each kind of subject, `visitors` those of the devices of
    nobody known."""

    served: Served
    period: Period
    stored: list[Stored]
    segments: list[frozenset[str]]
    outcomes: list[Outcome]
    decisions: list[Decided]
    openings: list[Opened]
    matching: Matching
    people: Mapping[str, list[Facts]]
    visitors: list[Facts]
    assessments: Assessments
    experiments: Mapping[str, Readout]
    windows_us: Mapping[str, int]
    scenarios: list[Measured]
    funnels: Mapping[str, tuple[tuple[str, int], ...]]


def read_facts(workspace: Workspace, period: Period) -> ReportFacts:
    """Read a workspace as it stands; `period` are the days whose decisions are measured."""
    zone = workspace.settings.workspace.time_zone
    with workspace.state.read() as view:
        served = served_by(view, Programs(workspace))
        identity = identity_today(view)
        remap, end_us = identity.remap, period.end_us
        tagged = tagged_subjects(view, served.tag_table, remap, end_us, KINDS)
    workspace.lake.declare(served.property_types, served.personal_properties)
    runner = EmbeddedRunner(workspace.lake, identity=identity)
    counted = declared_funnels(runner, served.program, period)
    history = History(workspace.lake, identity)
    try:
        return _Reading(history, served, tagged, period, zone).facts(counted)
    finally:
        history.close()


@dataclass(frozen=True)
class _Reading:
    """One reading of history."""

    history: History
    served: Served
    tagged: frozenset[str]
    period: Period
    zone: str

    def facts(self, counted: Mapping[str, tuple[tuple[str, int], ...]]) -> ReportFacts:
        """Everything; `counted` are the declared funnels."""
        history, program, period = self.history, self.served.program, self.period
        stored = read_decisions(history, period)
        words = core_words(history, period.end_us)
        members = read_memberships(history, period.end_us)
        windows_us = {name: spec.window_us for name, spec in program.of(Policy).items()}
        products = {name: spec.product for name, spec in program.of("offer").items()}
        done, opened = decided(stored, products), openings(words, period)
        matching = match(opened, done, windows_us)
        everybody, withdrawn = self._people(words)
        evidence = self._evidence(words, done, matching, everybody, withdrawn)
        persons = everybody["person"]
        return ReportFacts(
            served=self.served,
            period=period,
            stored=stored,
            segments=[members.at(one.subject, one.trace.now_us) for one in stored],
            outcomes=read_outcomes(history, period),
            decisions=done,
            openings=opened,
            matching=matching,
            people={kind: everybody[kind] for kind in KINDS},
            visitors=everybody[VISITOR],
            assessments=assessments(history, len(persons), period.end_us, self.zone),
            experiments=read_out(done, opened, customer_since(words), period, evidence.shares),
            windows_us=windows_us,
            scenarios=measure(scenarios(program), evidence),
            funnels=counted,
        )

    def _people(self, words: list[CoreWord]) -> tuple[dict[str, list[Facts]], frozenset[Whose]]:
        """The facts of each kind of subject and of visitors, and who withdrew a consent within 30
        days."""
        period, program = self.period, self.served.program
        month = Period(period.end_us - 30 * DAY_US, period.end_us)
        given = consents(self.history, month)
        seen = activity(self.history, period.end_us, self.zone, applications(program))
        had = accounts(words, self.served.product_lines)
        since = customer_since(words)
        found = {
            kind: people(kind, seen, given.given, self.tagged, had, since, period.start_us)
            for kind in (*KINDS, VISITOR)
        }
        return found, given.withdrawn

    def _evidence(
        self,
        words: list[CoreWord],
        done: list[Decided],
        matching: Matching,
        everybody: Mapping[str, list[Facts]],
        withdrawn: frozenset[Whose],
    ) -> Evidence:
        program, end_us = self.served.program, self.period.end_us
        return Evidence(
            period=self.period,
            facts={(kind, one.subject): one for kind, found in everybody.items() for one in found},
            activity=in_scenarios(self.history, end_us),
            decisions=done,
            openings=[row.opening for row in matching.rows],
            matched=matching.rows,
            customer_since=customer_since(words),
            value_of=values_of(program),
            shares=experiments(program),
            withdrawn=withdrawn,
            key_groups=elders(self.history, end_us),
            known_kinds=frozenset({"person"}),
        )


def applications(program: Program) -> list[str]:
    """The events that say that a product was applied for."""
    return [name for name, spec in program.of("event").items() if spec.stage == "application"]


def scenarios(program: Program) -> list[Scenario]:
    """The bank's scenarios in the order of their declaration."""
    return [Scenario(name, spec.subject) for name, spec in program.of("scenario").items()]


def experiments(program: Program) -> dict[str, Shares]:
    """The policies that hold somebody back, with their shares; only they prove anything."""
    placed = {spec.policy for spec in program.of(Placement).values()}
    return {
        name: Shares(spec.shares.treated, spec.shares.control, spec.shares.placebo)
        for name, spec in program.of(Policy).items()
        if name in placed and spec.shares.control > 0
    }


def values_of(program: Program) -> dict[str, int]:
    """product -> what an opening is worth, by the dearest offer of it."""
    found: dict[str, int] = {}
    for spec in program.of("offer").values():
        if spec.product is not None:
            found[spec.product] = max(spec.value_fen, found.get(spec.product, 0))
    return found


def elders(history: History, now_us: int) -> frozenset[Whose]:
    """Persons of ELDER_YEARS or more, by the last age that a server told."""
    if "age" not in history.properties:
        return frozenset()
    rows = history.rows(
        f"SELECT {SUBJECT} FROM timelines WHERE kind = 'person' AND event = 'identify' "  # noqa: S608
        "AND trust <> 'public' AND age IS NOT NULL AND time_us <= $now_us GROUP BY subject "
        "HAVING arg_max(age, (time_us, seq, order_hash)) >= $years",
        {"now_us": now_us, "years": ELDER_YEARS},
    )
    return frozenset(("person", subject) for (subject,) in rows)


def declared_funnels(
    runner: EmbeddedRunner, program: Program, period: Period
) -> dict[str, tuple[tuple[str, int], ...]]:
    """Scenario -> its declared funnel over the period: events, and subjects who came so far.

    What happens in many scenarios counts only there; an opening names none and counts in each.
    """
    specs = {name: spec for name, spec in program.of("scenario").items() if spec.funnel}
    found = {}
    for kind in sorted({spec.subject for spec in specs.values()}):
        steps = {
            name: [_step(program, event, name) for event in spec.funnel]
            for name, spec in specs.items()
            if spec.subject == kind
        }
        counted = funnels(
            runner, steps, subject=kind, start_us=period.start_us, end_us=period.end_us + 1
        )
        for name, counts in counted.items():
            found[name] = tuple(zip(specs[name].funnel, counts, strict=True))
    return found


def _step(program: Program, event: str, scenario: str) -> Step:
    if event == "product_opened":
        return Step(event)
    text = f"scenario = '{scenario}'"
    where = f"scenario '{scenario}', funnel"
    return Step(event, parse(text, event_scope(program, event), expected="bool", where=where))
