"""What happens in the two live days, drawn before they begin: acts, and the visits among them.

A visit is an act after which the scenario asks for a decision. Steps are half hours of virtual
time; everything of a step is sent before the clock moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dipper.kit.clock import DAY_US, MINUTE_US
from dipper.surface.demo.files import NOTICE
from dipper.surface.demo.hidden import COUNTER_SHARE, organic_rate
from dipper.surface.demo.history import (
    PUBLIC_EVENTS,
    SCENARIO_OF,
    Subjects,
    acts,
    event_properties,
    public_name,
)
from dipper.surface.demo.population import Organisations, Persons

LIVE_DAYS = 2
STEP_US = 30 * MINUTE_US
STEPS = LIVE_DAYS * DAY_US // STEP_US
WITHDRAWN_A_DAY = 0.001
"""Of those who had agreed to marketing."""

PLACEMENT_AFTER = {
    "bill_paid": "bill_payment_result",
    "bill_viewed": "bill_home",
    "ride_paid": "ride_result",
    "gate_opened": "community_home",
    "hospital_fee_paid": "hospital_result",
    "till_closed": "till_report",
    "invoice_uploaded": "invoice_result",
}


@dataclass(frozen=True)
class LiveAct:
    """One thing that happens: `placement` is set when it asks for a decision.

    `kind` says whose index `subject` is: a person's, an organisation's, or a visitor's.
    """

    time_us: int
    event: str
    kind: str
    subject: int
    is_public: bool
    scenario: str | None
    properties: dict[str, object]
    placement: str | None


@dataclass(frozen=True)
class Opening:
    """A product that is opened: at the counter by a staff code, or in the app."""

    time_us: int
    kind: str
    subject: int
    product: str
    at_counter: bool


def plan_acts(
    everybody: Mapping[str, Subjects],
    start_us: int,
    decisions: int,
    factor: float,
    random: np.random.Generator,
) -> list[list[LiveAct]]:
    """The acts of every step, in time order; about `decisions` of them ask for a decision.

    `everybody` has the subjects of each kind.
    """
    end_us = start_us + LIVE_DAYS * DAY_US
    found: list[LiveAct] = []
    for kind, subjects in everybody.items():
        for event, (who, moments) in acts(subjects, start_us, end_us, factor, random).items():
            columns = event_properties(event, who, subjects, random)
            names = list(columns)
            rows = zip(*(columns[name].tolist() for name in names), strict=True)
            for subject, moment, row in zip(who.tolist(), moments.tolist(), rows, strict=True):
                found.append(
                    LiveAct(
                        time_us=moment,
                        event=public_name(event),
                        kind=kind,
                        subject=subject,
                        is_public=event in PUBLIC_EVENTS,
                        scenario=SCENARIO_OF.get(event),
                        properties=dict(zip(names, row, strict=True)),
                        placement=PLACEMENT_AFTER.get(event),
                    )
                )
        if isinstance(subjects, Persons):
            found += _withdrawals(subjects, start_us, random)
    found.sort(key=lambda act: act.time_us)
    asking = [index for index, act in enumerate(found) if act.placement]
    share = min(1.0, decisions / max(1, len(asking)))
    for index in asking:
        if random.random() >= share:
            found[index] = replace(found[index], placement=None)
    steps: list[list[LiveAct]] = [[] for _ in range(STEPS)]
    for act in found:
        steps[(act.time_us - start_us) // STEP_US].append(act)
    return steps


def _withdrawals(persons: Persons, start_us: int, random: np.random.Generator) -> list[LiveAct]:
    """Who takes the consent to marketing back in the live days."""
    leaves = persons.has_agreed & (random.random(len(persons)) < WITHDRAWN_A_DAY * LIVE_DAYS)
    said: dict[str, object] = {"purpose": "marketing", "notice_version": NOTICE, "channel": "app"}
    return [
        LiveAct(
            time_us=int(start_us + random.integers(0, LIVE_DAYS * DAY_US)),
            event="consent_withdrawn",
            kind="person",
            subject=subject,
            is_public=False,
            scenario=None,
            properties=said,
            placement=None,
        )
        for subject in np.flatnonzero(leaves).tolist()
    ]


def plan_openings(
    subjects: Persons | Organisations,
    kind: str,
    products: dict[str, str],
    start_us: int,
    random: np.random.Generator,
) -> list[Opening]:
    """What is opened over the live days without any offer; `products` maps product to the need
    that it serves. Nobody opens what they have."""
    found = []
    for product, need in products.items():
        if need not in subjects.hidden.names:
            continue
        chance = organic_rate(subjects.hidden.of(need)) * LIVE_DAYS
        if isinstance(subjects, Persons) and product in subjects.holds:
            chance = np.where(subjects.holds[product], 0.0, chance)
        for subject in np.flatnonzero(random.random(len(subjects)) < chance).tolist():
            found.append(
                Opening(
                    time_us=int(start_us + random.integers(0, LIVE_DAYS * DAY_US)),
                    kind=kind,
                    subject=subject,
                    product=product,
                    at_counter=bool(random.random() < COUNTER_SHARE),
                )
            )
    return sorted(found, key=lambda opening: opening.time_us)
