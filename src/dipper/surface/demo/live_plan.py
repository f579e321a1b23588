"""What happens in the two live days, drawn before they begin: acts, and the visits among them.

A visit is an act after which the scenario asks for a decision. Steps are half hours of virtual
time; everything of a step is sent before the clock moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dipper.kit.clock import DAY_US, MINUTE_US
from dipper.surface.demo.hidden import COUNTER_SHARE, organic_rate
from dipper.surface.demo.history import (
    PUBLIC_EVENTS,
    SCENARIO_OF,
    acts,
    event_properties,
    public_name,
)
from dipper.surface.demo.population import Organisations, Persons

LIVE_DAYS = 2
STEP_US = 30 * MINUTE_US
STEPS = LIVE_DAYS * DAY_US // STEP_US

PLACEMENT_AFTER = {
    "bill_paid": "bill_payment_result",
    "bill_viewed": "bill_home",
    "ride_paid": "ride_result",
    "gate_opened": "community_home",
    "appointment_made": "hospital_result",
    "till_closed": "till_report",
    "invoice_uploaded": "invoice_result",
}


@dataclass(frozen=True)
class LiveAct:
    """One thing that happens: `placement` is set when it asks for a decision."""

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
    """A product opened without any offer (at the counter by a staff code, or in the app)."""

    time_us: int
    kind: str
    subject: int
    product: str
    at_counter: bool


def plan_acts(
    persons: Persons,
    organisations: Organisations,
    start_us: int,
    decisions: int,
    factor: float,
    random: np.random.Generator,
) -> list[list[LiveAct]]:
    """The acts of every step, in time order; about `decisions` of them ask for a decision."""
    end_us = start_us + LIVE_DAYS * DAY_US
    found: list[LiveAct] = []
    for kind, subjects in (("person", persons), ("organisation", organisations)):
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
    found.sort(key=lambda act: act.time_us)
    asking = [index for index, act in enumerate(found) if act.placement]
    share = min(1.0, decisions / max(1, len(asking)))
    for index in asking:
        if random.random() >= share:
            act = found[index]
            found[index] = LiveAct(**{**act.__dict__, "placement": None})
    steps: list[list[LiveAct]] = [[] for _ in range(STEPS)]
    for act in found:
        steps[(act.time_us - start_us) // STEP_US].append(act)
    return steps


def plan_openings(
    subjects: Persons | Organisations,
    kind: str,
    products: dict[str, str],
    start_us: int,
    random: np.random.Generator,
) -> list[Opening]:
    """Organic openings over the live days; `products` maps product to the need that it serves."""
    found = []
    for product, need in products.items():
        if need not in subjects.hidden.names:
            continue
        chance = organic_rate(subjects.hidden.of(need)) * LIVE_DAYS
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
