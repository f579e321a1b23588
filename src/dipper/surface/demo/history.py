"""Ninety days of history as files that a bank would have: behaviour, people, core.

Written as Parquet with one row an event and imported by `dipper import` like any other history.
Times are µs since 1970, given the moment at which the live days begin.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from dipper.kit.clock import DAY_US, HOUR_US, SECOND_US
from dipper.surface.demo.hidden import (
    ORGANISATION_RATES_PER_DAY,
    PERSON_RATES_PER_DAY,
    VISITOR_RATES_PER_DAY,
    rates,
)
from dipper.surface.demo.population import Organisations, Persons, Visitors

Subjects = Persons | Organisations | Visitors

HISTORY_DAYS = 90
HISTORY_FACTOR = 0.74
"""Of the hidden rates: a little more than a million events at the full size of the bank."""
BILL_KINDS = ("electricity", "water", "gas", "phone")
DEPARTMENTS = ("内科", "外科", "儿科", "眼科", "口腔科", "骨科")
PAGES = {
    "wealth_page": ("wealth.stable_growth", "wealth.balanced_plus", "fund.equity_select"),
    "deposit_page": ("deposit.savings", "deposit.term_1y", "deposit.pension"),
    "loan_page": ("loan.consumer", "card.credit"),
    "insurance_page": ("insurance.accident", "insurance.education"),
}
SCENARIO_OF = {
    "bill_viewed": "bill_payment",
    "bill_paid": "bill_payment",
    "tuition_paid": "bill_payment",
    "ride_paid": "transport",
    "pass_topped_up": "transport",
    "gate_opened": "community",
    "community_fee_paid": "community",
    "repair_requested": "community",
    "appointment_made": "hospital",
    "hospital_fee_paid": "hospital",
    "sale_taken": "shop_till",
    "till_closed": "shop_till",
    "invoice_uploaded": "supplier_portal",
    "order_confirmed": "supplier_portal",
}
PUBLIC_EVENTS = frozenset(
    {"app_opened", "bill_viewed", "wealth_page", "deposit_page", "loan_page", "insurance_page"}
)


FEE_SHARE = 0.85
FEE_MEAN_HOURS = 5.0
"""Who has made an appointment mostly pays a fee at the hospital some hours later."""


def draw_times(count: int, start_us: int, end_us: int, random: np.random.Generator) -> np.ndarray:
    """Moments in [start, end), more by day than by night (China time)."""
    day = random.integers(0, max(1, (end_us - start_us) // DAY_US), count)
    hour = np.clip(random.normal(13.5, 4.0, count), 0.0, 23.99)
    moment = start_us + day * DAY_US + (hour * HOUR_US).astype(np.int64)
    moment += random.integers(0, SECOND_US, count)
    return np.clip(moment, start_us, end_us - 1)


def acts(
    subjects: Subjects,
    start_us: int,
    end_us: int,
    factor: float,
    random: np.random.Generator,
) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """event -> (subject indices, times) for all behaviour in [start, end)."""
    days = (end_us - start_us) / DAY_US
    found = {}
    for event, rate in rates(subjects.hidden, _rates_of(subjects)).items():
        counts = random.poisson(rate * days * factor * _takes_part(subjects, event))
        who = np.repeat(np.arange(len(subjects)), counts)
        found[event] = (who, draw_times(len(who), start_us, end_us, random))
    if "appointment_made" in found:
        found["hospital_fee_paid"] = _fees(*found["appointment_made"], end_us, random)
    return found


def _rates_of(subjects: Subjects) -> dict[str, tuple[float, dict[str, float]]]:
    if isinstance(subjects, Persons):
        return PERSON_RATES_PER_DAY
    return VISITOR_RATES_PER_DAY if isinstance(subjects, Visitors) else ORGANISATION_RATES_PER_DAY


def _takes_part(subjects: Subjects, event: str) -> np.ndarray | int:
    """Who is in an event's scenario at all: 1 or 0."""
    if not isinstance(subjects, Organisations):
        return 1
    is_till = SCENARIO_OF[event] == "shop_till"
    return (subjects.has_till if is_till else subjects.has_portal).astype(np.int64)


def _fees(
    who: np.ndarray, moments: np.ndarray, end_us: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Who pays a hospital fee, and when, after these appointments."""
    later = moments + (random.exponential(FEE_MEAN_HOURS * HOUR_US, len(who))).astype(np.int64)
    pays = (random.random(len(who)) < FEE_SHARE) & (later < end_us)
    return who[pays], later[pays]


def event_properties(
    event: str, who: np.ndarray, subjects: Subjects, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Columns of properties of one event's rows."""
    count = len(who)

    def money(middle_yuan: float, spread: float = 0.6) -> np.ndarray:
        return np.round(random.lognormal(np.log(middle_yuan * 100), spread, count)).astype(np.int64)

    if event in ("bill_paid", "bill_viewed"):
        kind = random.integers(0, len(BILL_KINDS), count)
        columns = {
            "bill_kind": np.array(BILL_KINDS, dtype=object)[kind],
            "biller": np.array([f"{k}_company" for k in BILL_KINDS], dtype=object)[kind],
        }
        return columns | ({"amount_fen": money(120)} if event == "bill_paid" else {})
    if event == "tuition_paid":
        kind = np.full(count, "tuition", dtype=object)
        return {
            "bill_kind": kind,
            "biller": np.full(count, "school", dtype=object),
            "amount_fen": money(3000),
        }
    if event == "ride_paid":
        kind = random.choice(
            np.array(("metro", "bus", "taxi"), dtype=object), count, p=(0.5, 0.35, 0.15)
        )
        lines = np.array([f"L{n}" for n in range(1, 20)], dtype=object)
        fare = np.where(kind == "taxi", money(35), random.integers(2, 9, count) * 100)
        return {"ride_kind": kind, "line_no": random.choice(lines, count), "amount_fen": fare}
    if event in ("appointment_made", "hospital_fee_paid"):
        department = random.choice(np.array(DEPARTMENTS, dtype=object), count)
        extra = {"amount_fen": money(260, 0.9)} if event == "hospital_fee_paid" else {}
        return {"department": department} | extra
    if event in PAGES:
        return {"product_viewed": random.choice(np.array(PAGES[event], dtype=object), count)}
    if event in ("gate_opened", "community_fee_paid", "repair_requested"):
        columns = {"community": (subjects.outlet + "_garden")[who]}
        if event == "community_fee_paid":
            columns["amount_fen"] = money(450)
        if event == "repair_requested":
            columns["service_item"] = random.choice(
                np.array(("water", "power", "lift"), dtype=object), count
            )
        return columns
    if event == "app_opened":
        return {"page": np.full(count, "home", dtype=object)}
    if event == "pass_topped_up":
        return {"amount_fen": random.choice(np.array((5000, 10000, 20000)), count)}
    if event == "sale_taken":
        return {"amount_fen": money(45, 0.9), "goods_count": random.integers(1, 9, count)}
    if event == "till_closed":
        return {"amount_fen": money(1500)}
    columns = {
        "amount_fen": money(18_000, 0.8),
        "buyer": np.array([f"core_firm_{n}" for n in random.integers(1, 40, count)], dtype=object),
        "due_days": random.choice(np.array((30, 60, 90)), count),
    }
    if event == "invoice_uploaded":
        columns["invoice_no"] = np.array(
            [f"INV{n:010d}" for n in random.integers(0, 10**10, count)], dtype=object
        )
    return columns


def public_name(event: str) -> str:
    """The tracked name of an act: several kinds of pages are one event."""
    if event in PAGES:
        return "product_page_viewed"
    return "bill_paid" if event == "tuition_paid" else event


def behaviour_table(
    subjects: Subjects, start_us: int, end_us: int, random: np.random.Generator
) -> pa.Table:
    """All behaviour of one subject kind as one Arrow table in time order."""
    ids = {name: pa.array(getattr(subjects, name)) for name in _IDS[type(subjects)]}
    tables = []
    for event, (who, moments) in acts(subjects, start_us, end_us, HISTORY_FACTOR, random).items():
        columns = {
            "event": pa.repeat(public_name(event), len(who)),
            "time_us": pa.array(moments),
            "scenario": pa.repeat(pa.scalar(SCENARIO_OF.get(event), pa.string()), len(who)),
        }
        columns |= {name: values.take(pa.array(who)) for name, values in ids.items()}
        properties = event_properties(event, who, subjects, random)
        columns |= {name: pa.array(values) for name, values in properties.items()}
        tables.append(pa.table(columns))
    whole = pa.concat_tables(tables, promote_options="default")
    return whole.sort_by("time_us")


_IDS: Mapping[type, tuple[str, ...]] = {
    Persons: ("login", "device"),
    Visitors: ("device",),
    Organisations: ("org_no",),
}
