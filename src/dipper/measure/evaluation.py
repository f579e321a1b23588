"""A first evaluation sheet of a scenario: the indicators that can be computed today, and for each
of the others what it waits for. Ids are those of the G/B/C/F system; nothing is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dipper.experiment.uplift import Uplift

SHRINK_M = 30


@dataclass(frozen=True)
class Indicator:
    """One line of a sheet. `value` is None where `waits_for` says what is missing."""

    id: str
    title_zh: str
    title_en: str
    unit: str
    better: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    waits_for: str = ""


@dataclass(frozen=True)
class ScenarioFacts:
    """Counts of one scenario that its indicators are computed from."""

    scenario: str
    monthly_active: int
    cohort_size: int
    cohort_returned: int
    eligible_users: int
    new_customers: int
    value_fen: int
    converted_customers: int
    complaints: int
    submitted_cases: int | None = None
    completed_cases: int | None = None
    uplift: Uplift | None = None


_WAITING: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("GBCF-G1", "事项覆盖率", "coverage of service items", "%", "+", "catalogue of items"),
    ("GBCF-G3", "时限压缩率", "time saved against the legal limit", "%", "+", "statutory hours"),
    ("GBCF-G4", "好差评", "citizens' grade", "0-1", "+", "grades"),
    ("GBCF-B1", "活跃合作机构占比", "active partners", "%", "+", "partners' API calls"),
    ("GBCF-B2", "接入周期", "days to integrate", "d", "-", "partner portal"),
    ("GBCF-B3", "链条深度覆盖", "depth of the chain", "%", "+", "receivable ledger"),
    ("GBCF-B5", "综合融资成本差", "financing cost gap", "bp", "-", "core feed of rates"),
    ("GBCF-F1", "获客成本", "cost per new customer", "CNY", "-", "cost feed"),
    ("GBCF-F2", "风险调整净贡献", "risk-adjusted contribution", "CNY", "+", "core feed of margins"),
    ("GBCF-F3", "回收期", "payback", "m", "-", "cost feed"),
    ("GBCF-F4", "风险损失率", "risk loss", "bp", "-", "core feed of losses"),
    ("GBCF-F5", "数据与服务质量", "data and service quality", "%", "+", "data contracts"),
    ("GBCF-F6", "输出复用度", "reuse of outputs", "ratio", "+", "API products"),
)


def sheet(facts: ScenarioFacts) -> list[Indicator]:
    """All indicators of one scenario in the order of their ids."""
    rows = [*_customer_rows(facts), _online_rate(facts)]
    rows += [
        Indicator(id_, zh, en, unit, better, waits_for=waits)
        for id_, zh, en, unit, better, waits in _WAITING
    ]
    return sorted(rows, key=lambda row: ("GBCF".index(row.id[5]), row.id))


def _customer_rows(facts: ScenarioFacts) -> list[Indicator]:
    rate = _percent(facts.new_customers, facts.eligible_users)
    feedback = 10_000 * facts.complaints / facts.monthly_active if facts.monthly_active else None
    value = facts.value_fen / 100 / facts.converted_customers if facts.converted_customers else None
    return [
        Indicator(
            "GBCF-C1", "场景活跃", "activity", "ln(1+MAU)", "+", math.log1p(facts.monthly_active)
        ),
        _retention(facts),
        _or_waiting(
            "GBCF-C3",
            "用户→客户转化",
            "users who became customers",
            "%",
            "+",
            rate,
            "eligible users",
        ),
        _increment(facts.uplift),
        _or_waiting(
            "GBCF-C5", "客户价值", "value per customer", "CNY", "+", value, "converted customers"
        ),
        _or_waiting(
            "GBCF-C6", "消保负面反馈率", "negative feedback", "‱", "-", feedback, "active users"
        ),
    ]


def _retention(facts: ScenarioFacts) -> Indicator:
    value = _percent(facts.cohort_returned, facts.cohort_size)
    return _or_waiting(
        "GBCF-C2", "留存", "four-week retention", "%", "+", value, "four weeks of history"
    )


def _increment(uplift: Uplift | None) -> Indicator:
    title = ("GBCF-C4", "增量转化", "incremental conversion", "pp", "+")
    if uplift is None or not uplift.enough:
        return Indicator(*title, waits_for="a control group with enough persons")
    low, high = uplift.ci95
    return Indicator(*title, uplift.difference, low, high)


def _online_rate(facts: ScenarioFacts) -> Indicator:
    title = ("GBCF-G2", "网上办结率", "cases completed online", "%", "+")
    if not facts.submitted_cases or facts.completed_cases is None:
        return Indicator(*title, waits_for="cases in this scenario")
    return Indicator(*title, _percent(facts.completed_cases, facts.submitted_cases))


def _or_waiting(
    id_: str, zh: str, en: str, unit: str, better: str, value: float | None, waits: str
) -> Indicator:
    return Indicator(id_, zh, en, unit, better, value, waits_for="" if value is not None else waits)


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def portfolio_mean(rates: Mapping[str, tuple[int, int]]) -> float | None:
    """The mean rate over scenarios, towards which small scenarios are shrunk."""
    whole = sum(n for _, n in rates.values())
    return sum(k for k, _ in rates.values()) / whole if whole else None


def shrunk(part: int, whole: int, mean: float, m: int = SHRINK_M) -> float:
    """A rate shrunk to the portfolio's mean by `m` pseudo-observations."""
    return (part + m * mean) / (whole + m)
