"""The hidden model: what the simulated persons and firms need, and how that makes them act.

Everything that the platform must find out by itself stands in this one file, and nothing of it is
ever sent: the platform sees behaviour (rates that needs push up or down, with noise) and answers
(clicks, openings). The file was finished before the ranker was tuned.

Needs are numbers in [0, 1], one column each of NEEDS. An offer serves one need. A person to whom
an offer is shown opens the product because of it with probability click x open. Everybody may also
have made up their mind to open a product anyway, mostly at the counter (the organic rate): this is
what the control group shows. Who has such a plan is quick to click when an offer of it comes, and
clicks more readily on whatever else the bank shows; and then opens as planned. Last click claims
these openings, and no offer has caused them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PERSON_NEEDS = (
    "convenience",
    "mobility",
    "saving",
    "investing",
    "protection",
    "family",
    "retirement",
    "spending",
)
ORGANISATION_NEEDS = ("working_capital", "collection", "staff", "settlement")

CLICK_BASE = -4.0
CLICK_SLOPE = 5.5
CLICK_IF_PLANNED = 3.5
CLICK_IF_OTHER_PLANNED = 2.0
OPEN_BASE = 0.03
OPEN_SLOPE = 0.35
ORGANIC_PER_DAY = 0.018
COUNTER_SHARE = 0.6
SERVICE_CLICK = 0.05
IDLE_SHARE = 0.1
IDLE_ACTIVITY = 0.02

PERSON_RATES_PER_DAY: dict[str, tuple[float, dict[str, float]]] = {
    # event: (base, weight of each need); the expected number of events a day
    "bill_viewed": (0.02, {"convenience": 0.06}),
    "bill_paid": (0.025, {"convenience": 0.09}),
    "tuition_paid": (0.0, {"family": 0.02}),
    "ride_paid": (0.03, {"mobility": 0.45}),
    "pass_topped_up": (0.004, {"mobility": 0.03}),
    "gate_opened": (0.06, {"family": 0.12, "retirement": 0.10}),
    "community_fee_paid": (0.006, {"family": 0.012}),
    "repair_requested": (0.002, {"family": 0.004}),
    "appointment_made": (0.003, {"protection": 0.01, "retirement": 0.015}),
    "app_opened": (0.05, {"convenience": 0.05, "investing": 0.05}),
    "wealth_page": (0.003, {"investing": 0.12, "saving": 0.03}),
    "deposit_page": (0.003, {"saving": 0.10, "retirement": 0.03}),
    "loan_page": (0.002, {"spending": 0.09}),
    "insurance_page": (0.002, {"protection": 0.09, "family": 0.02}),
}
VISITOR_EVENTS = (
    "app_opened",
    "bill_viewed",
    "wealth_page",
    "deposit_page",
    "loan_page",
    "insurance_page",
    "ride_paid",
    "gate_opened",
)
VISITOR_RATES_PER_DAY = {
    # Who never signs in looks around, rides, comes and goes, a third as often as others.
    event: (base / 3, {need: weight / 3 for need, weight in weights.items()})
    for event, (base, weights) in PERSON_RATES_PER_DAY.items()
    if event in VISITOR_EVENTS
}
ORGANISATION_RATES_PER_DAY: dict[str, tuple[float, dict[str, float]]] = {
    "sale_taken": (0.4, {"collection": 1.6}),
    "till_closed": (0.15, {"collection": 0.3}),
    "invoice_uploaded": (0.04, {"working_capital": 0.35}),
    "order_confirmed": (0.03, {"working_capital": 0.25}),
}


@dataclass(frozen=True)
class Hidden:
    """Needs of all subjects of one kind: shape (subjects, needs); and how active each is, 1 being
    usual: some sign up and hardly come back."""

    names: tuple[str, ...]
    needs: np.ndarray
    activity: np.ndarray

    @property
    def is_idle(self) -> np.ndarray:
        """Who hardly ever comes."""
        idle: np.ndarray = self.activity < 1.0
        return idle

    def of(self, need: str) -> np.ndarray:
        """One need of every subject."""
        return self.needs[:, self.names.index(need)]


def person_needs(age: np.ndarray, employment: np.ndarray, random: np.random.Generator) -> Hidden:
    """Needs of persons: a tendency by age and employment under much individual noise."""
    count = len(age)
    young = np.clip((35 - age) / 15, 0, 1)
    middle = np.exp(-(((age - 42) / 10) ** 2))
    old = np.clip((age - 45) / 20, 0, 1)
    working = np.isin(employment, ("employed", "self_employed"))
    tendency = {
        "convenience": 0.35 + 0.2 * middle,
        "mobility": 0.15 + 0.35 * young + 0.15 * working,
        "saving": 0.25 + 0.25 * old,
        "investing": 0.15 + 0.3 * middle * working,
        "protection": 0.15 + 0.2 * middle + 0.1 * old,
        "family": 0.1 + 0.45 * middle,
        "retirement": 0.05 + 0.5 * old,
        "spending": 0.15 + 0.35 * young,
    }
    columns = []
    for name in PERSON_NEEDS:
        mean = np.clip(tendency[name], 0.03, 0.9)
        strength = 1.6  # a small number of pseudo-observations: individuals differ widely
        columns.append(random.beta(mean * strength, (1 - mean) * strength, count))
    idle = random.random(count) < IDLE_SHARE
    activity = np.where(idle, IDLE_ACTIVITY, 1.0)
    return Hidden(PERSON_NEEDS, np.column_stack(columns), activity)


def organisation_needs(is_supplier: np.ndarray, random: np.random.Generator) -> Hidden:
    """Needs of organisations: suppliers want working capital, shops want collection."""
    count = len(is_supplier)
    means = {
        "working_capital": np.where(is_supplier, 0.5, 0.25),
        "collection": np.where(is_supplier, 0.08, 0.5),
        "staff": np.full(count, 0.3),
        "settlement": np.full(count, 0.25),
    }
    columns = [
        random.beta(means[name] * 1.6, (1 - means[name]) * 1.6, count)
        for name in ORGANISATION_NEEDS
    ]
    return Hidden(ORGANISATION_NEEDS, np.column_stack(columns), np.ones(count))


def rates(
    hidden: Hidden, table: dict[str, tuple[float, dict[str, float]]]
) -> dict[str, np.ndarray]:
    """Expected events a day of every subject, per event."""
    found = {}
    for event, (base, weights) in table.items():
        rate = np.full(len(hidden.needs), base)
        for need, weight in weights.items():
            rate = rate + weight * hidden.of(need)
        found[event] = rate * hidden.activity
    return found


def click_probability(need: np.ndarray, lift: float = 0.0) -> np.ndarray:
    """Probability that a shown offer is clicked, from the need that it serves; `lift` comes from
    what the subject has planned anyway."""
    return 1.0 / (1.0 + np.exp(-(CLICK_BASE + CLICK_SLOPE * need + lift)))


def open_probability(need: np.ndarray) -> np.ndarray:
    """Probability that a clicked offer leads to a confirmed opening which nobody had planned."""
    return OPEN_BASE + OPEN_SLOPE * need**2


def opening_probability(need: np.ndarray) -> np.ndarray:
    """Probability that a shown offer causes a confirmed opening."""
    return click_probability(need) * open_probability(need)


def organic_rate(need: np.ndarray) -> np.ndarray:
    """Openings a day that were planned without any offer, from the need that the product serves."""
    return ORGANIC_PER_DAY * need**2
