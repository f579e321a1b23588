"""A first evaluation sheet of a scenario: the indicators that can be computed today, and for each
of the others what it waits for. Ids are those of the G/B/C/F system; nothing is guessed.

Rates of small scenarios are shrunk towards the portfolio's mean (a beta prior of SHRINK_M
pseudo-observations), so that three of four persons do not outrank three thousand of five.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from dipper.experiment.intervals import Interval
from dipper.experiment.uplift import Uplift

SHRINK_M = 30


@dataclass(frozen=True)
class Title:
    """An indicator's id, its words, its unit, and whether more (+) or less (-) is better."""

    id: str
    zh: str
    en: str
    unit: str
    better: str


@dataclass(frozen=True)
class Indicator:
    """One line of a sheet. `value` is None where `waits_zh` and `waits_en` say what is missing."""

    title: Title
    value: float | None = None
    low: float | None = None
    high: float | None = None
    waits_zh: str = ""
    waits_en: str = ""

    @property
    def id(self) -> str:
        """Such as GBCF-C4."""
        return self.title.id


@dataclass(frozen=True)
class ScenarioFacts:
    """Counts of one scenario that its indicators are computed from.

    Served are those active within 30 days; `key_groups_served` are those of them in a group that
    the bank owes special care (None: not known for this kind of subject). `eligible_users` are new
    to the bank, identified, consenting, and had an offer that passed all gates.
    """

    scenario: str
    monthly_active: int
    key_groups_served: int | None
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


@dataclass(frozen=True)
class Means:
    """Mean rates over all scenarios (0 to 1); None where nobody has been counted."""

    retention: float | None
    conversion: float | None


def means_of(portfolio: Iterable[ScenarioFacts]) -> Means:
    """The means towards which the rates of one scenario are shrunk."""
    facts = list(portfolio)
    return Means(
        _mean((one.cohort_returned, one.cohort_size) for one in facts),
        _mean((one.new_customers, one.eligible_users) for one in facts),
    )


def _mean(rates: Iterable[tuple[int, int]]) -> float | None:
    parts, wholes = zip(*rates, strict=True)
    return sum(parts) / sum(wholes) if sum(wholes) else None


def shrunk(part: int, whole: int, mean: float, m: int = SHRINK_M) -> float:
    """A rate drawn to a mean by `m` pseudo-observations."""
    return (part + m * mean) / (whole + m)


def sheet(facts: ScenarioFacts, means: Means) -> list[Indicator]:
    """All indicators of one scenario in the order of their ids."""
    rows = [
        Indicator(Title("GBCF-C1", "场景活跃", "activity", "ln(1+MAU)", "+"), _activity(facts)),
        _retention(facts, means),
        _conversion(facts, means),
        _increment(facts.uplift),
        _value(facts),
        _feedback(facts),
        _completed_online(facts),
        _key_groups(facts),
        *_WAITING,
    ]
    return sorted(rows, key=lambda row: ("GBCF".index(row.id[5]), row.id))


def _activity(facts: ScenarioFacts) -> float:
    return math.log1p(facts.monthly_active)


def _retention(facts: ScenarioFacts, means: Means) -> Indicator:
    title = Title("GBCF-C2", "四周留存", "four-week retention", "%", "+")
    if not facts.cohort_size or means.retention is None:
        return Indicator(title, waits_zh="满五周的历史", waits_en="five weeks of history")
    rate = shrunk(facts.cohort_returned, facts.cohort_size, means.retention)
    return Indicator(title, 100 * rate)


def _conversion(facts: ScenarioFacts, means: Means) -> Indicator:
    title = Title("GBCF-C3", "用户→客户转化", "users who became customers", "%", "+")
    if not facts.eligible_users or means.conversion is None:
        return Indicator(title, waits_zh="可触达的新用户", waits_en="eligible new users")
    rate = shrunk(facts.new_customers, facts.eligible_users, means.conversion)
    return Indicator(title, 100 * rate)


def _increment(uplift: Uplift | None) -> Indicator:
    title = Title("GBCF-C4", "增量转化", "incremental conversion", "pp", "+")
    if uplift is None or not isinstance(uplift.uplift, Interval):
        return Indicator(
            title, waits_zh="人数足够的对照组", waits_en="a control group of enough subjects"
        )
    found = uplift.uplift
    return Indicator(title, found.estimate, found.low, found.high)


def _value(facts: ScenarioFacts) -> Indicator:
    title = Title("GBCF-C5", "客户价值", "value per customer", "CNY", "+")
    if not facts.converted_customers:
        return Indicator(title, waits_zh="已转化客户", waits_en="converted customers")
    return Indicator(title, facts.value_fen / 100 / facts.converted_customers)


def _feedback(facts: ScenarioFacts) -> Indicator:
    title = Title("GBCF-C6", "消保负面反馈率", "negative feedback", "‱", "-")
    if not facts.monthly_active:
        return Indicator(title, waits_zh="活跃用户", waits_en="active users")
    return Indicator(title, 10_000 * facts.complaints / facts.monthly_active)


def _completed_online(facts: ScenarioFacts) -> Indicator:
    title = Title("GBCF-G2", "网上办结率", "cases completed online", "%", "+")
    if not facts.submitted_cases or facts.completed_cases is None:
        return Indicator(title, waits_zh="场景内的业务件", waits_en="cases in this scenario")
    return Indicator(title, 100 * facts.completed_cases / facts.submitted_cases)


def _key_groups(facts: ScenarioFacts) -> Indicator:
    title = Title("GBCF-G5", "重点客群覆盖率", "key groups among those served", "%", "+")
    if not facts.monthly_active or facts.key_groups_served is None:
        return Indicator(title, waits_zh="重点客群的口径", waits_en="who belongs to the key groups")
    return Indicator(title, 100 * facts.key_groups_served / facts.monthly_active)


def _waiting(
    id_: str, zh: str, en: str, unit: str, better: str, waits_zh: str, waits_en: str
) -> Indicator:
    return Indicator(Title(id_, zh, en, unit, better), waits_zh=waits_zh, waits_en=waits_en)


_WAITING = (
    _waiting(
        "GBCF-G1", "事项覆盖率", "coverage of service items", "%", "+", "事项目录", "a catalogue"
    ),
    _waiting(
        "GBCF-G3", "时限压缩率", "time saved against the limit", "%", "+",
        "法定时限", "statutory hours",
    ),
    _waiting("GBCF-G4", "好差评", "citizens' grades", "0-1", "+", "评价数据", "grades"),
    _waiting(
        "GBCF-B1", "活跃合作机构占比", "active partners", "%", "+",
        "合作机构接口调用", "partners' API calls",
    ),
    _waiting(
        "GBCF-B2", "接入周期", "days to integrate", "d", "-", "合作机构门户", "a partner portal"
    ),
    _waiting(
        "GBCF-B3", "链条深度覆盖", "depth of the chain", "%", "+",
        "应收账款凭证台账", "a ledger of receivables",
    ),
    _waiting(
        "GBCF-B4", "回款提前天数", "days paid early", "d", "+",
        "应收账款凭证台账", "a ledger of receivables",
    ),
    _waiting(
        "GBCF-B5", "综合融资成本差", "financing cost gap", "bp", "-",
        "核心利率数据", "a feed of rates",
    ),
    _waiting(
        "GBCF-F1", "获客成本", "cost per new customer", "CNY", "-", "成本数据", "a feed of costs"
    ),
    _waiting(
        "GBCF-F2", "风险调整净贡献", "risk-adjusted contribution", "CNY", "+",
        "核心收益数据", "a feed of margins",
    ),
    _waiting("GBCF-F3", "回收期", "payback", "m", "-", "成本数据", "a feed of costs"),
    _waiting("GBCF-F4", "风险损失率", "risk loss", "bp", "-", "损失数据", "a feed of losses"),
    _waiting(
        "GBCF-F5", "数据与服务质量", "data and service quality", "%", "+",
        "数据契约", "data contracts",
    ),
    _waiting(
        "GBCF-F6", "输出复用度", "reuse of outputs", "ratio", "+", "接口产品", "API products"
    ),
)  # fmt: skip
