"""Decisions in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.decide.explain import explain, explain_on
from dipper.kit.errors import NotFound


def sentences(bank: Any, decider: Any, person: Any, language: str, **fields: Any) -> str:
    """What is said about one offer, or all, of a decision."""
    offer = fields.pop("offer", None)
    trace = bank.ask(decider, person, **fields).trace
    lines = explain_on(decider, trace, bank.program(), bank.tables(), language, offer)
    return "\n".join(lines)


def treated(bank: Any, decider: Any, **changes: Any) -> Any:
    key = bank.key_in("treated", decider.place("result").policy)
    return bank.Person(key=key).but(**changes)


def test_risk_level(bank: Any, decider: Any) -> None:
    """A denial by suitability names both levels and the rule."""
    person = treated(bank, decider, assessment=bank.Assessment(2, bank.NOW_US + 1))
    text = sentences(bank, decider, person, "zh", offer="equity_r4")
    assert "未推荐「权益精选基金」：该产品风险等级为 R4，高于客户的 C2（适当性，SUIT-03）。" in text
    text = sentences(bank, decider, person, "en", offer="equity_r4")
    assert "the product's risk level R4 is above the person's C2 (suitability, SUIT-03)." in text


@pytest.mark.parametrize(
    ("changes", "offer", "said"),
    [
        (
            {"traits": {"age": 15}},
            "autopay",
            "客户不满足准入条件：年龄 ≥ 18（年龄为 15）（准入条件，ELIG-01）",
        ),
        (
            {"traits": {}},
            "autopay",
            "缺少判断所需的信息：年龄（准入条件，ELIG-01）",
        ),
        (
            {"verified": False},
            "autopay",
            "缺少判断所需的信息：是否持有「自动代扣」（适用条件，APPL-01）",
        ),
        (
            {"segments": frozenset()},
            "growth_r2",
            "当前不满足适用条件：属于客群「稳定缴费客群」（适用条件，APPL-01）",
        ),
        (
            {},
            "old_note",
            "该产品已停售（售至 2024-12-31）（适用条件，APPL-02）",
        ),
        (
            {"assessment": None},
            "accident",
            "缺少有效的风险承受能力评估（适当性，SUIT-02）",
        ),
        (
            {"tags": {"bill_amount_90d": 7}},
            "equity_r4",
            "不满足该方案附加的适当性条件：近90天缴费金额 ≥ ¥1,000.00"
            "（近90天缴费金额为 ¥0.07）（适当性，SUIT-05）",
        ),
        (
            {"consents": {}},
            "savings",
            "未取得客户对「营销推荐」的授权同意（授权同意，PI-01）",
        ),
        (
            {"caps": {"all_week": 5}},
            "savings",
            "已达触达频控上限：「一周总触达」5 次，上限 5 次（触达频控，ALG-04）",
        ),
        (
            {"caps": {}},
            "savings",
            "缺少触达次数：一周总触达（触达频控，ALG-04）",
        ),
    ],
)
def test_denials(bank: Any, decider: Any, changes: dict[str, Any], offer: str, said: str) -> None:
    """Each denial is a sentence with its numbers, its gate and its rule."""
    assert said in sentences(bank, decider, treated(bank, decider, **changes), "zh", offer=offer)


@pytest.mark.parametrize(
    ("consent", "said"),
    [
        ((False, "v2", 0, False), "客户已撤回对「营销推荐」的授权同意（授权同意，PI-03）"),
        (
            (True, "v1", 0, False),
            "客户同意的是「营销推荐」旧版告知书（v1），现行版本为 v2，"
            "需重新征得同意（授权同意，PI-02）",
        ),
    ],
)
def test_consents(bank: Any, decider: Any, consent: Any, said: str) -> None:
    """A withdrawn consent and a stale one are told apart."""
    person = treated(bank, decider, consents={"marketing": bank.ConsentState(*consent)})
    assert said in sentences(bank, decider, person, "zh", offer="savings")


def test_expired_assessment(bank: Any, decider: Any) -> None:
    """An expired assessment is told with its last moment's day."""
    person = treated(bank, decider, assessment=bank.Assessment(5, bank.NOW_US - bank.DAY_US))
    said = "客户的风险承受能力评估已于 2026-11-17 过期（适当性，SUIT-02）"
    assert said in sentences(bank, decider, person, "zh", offer="accident")


def test_all_reasons(bank: Any, decider: Any) -> None:
    """All gates that deny are named, not the first alone."""
    person = treated(bank, decider, traits={"age": 15}, assessment=None, consents={})
    text = sentences(bank, decider, person, "en", offer="equity_r4")
    assert all(rule in text for rule in ("ELIG-01", "SUIT-02", "PI-01"))


def test_chosen(bank: Any, decider: Any) -> None:
    """An offer that was given is told with propensity, value, expected value and chance."""
    model = bank.published(decider)
    person = treated(bank, decider)
    name = bank.ask(decider, person, model=model).trace.offers[0].offer
    text = sentences(bank, decider, person, "zh", model=model, offer=name)
    assert "通过全部 6 项校验" in text
    assert "响应倾向" in text
    assert "的概率被选中" in text


def test_control(bank: Any, decider: Any) -> None:
    """In the control group it is said what would have been shown."""
    person = bank.Person(key=bank.key_in("control", decider.place("result").policy))
    text = sentences(bank, decider, person, "zh")
    assert "对照组，按试验设计不展示任何方案。如在实验组，将展示「" in text


def test_other_offer(bank: Any, decider: Any) -> None:
    """An offer of another placement, and one that there is not, are told apart."""
    trace = bank.ask(decider, bank.Person()).trace
    program, tables = bank.program(), bank.tables()
    with pytest.raises(NotFound) as caught:
        explain(trace, program, tables, "zh", "reminder")
    assert "does not name placement" in caught.value.hint
    with pytest.raises(NotFound) as caught:
        explain(trace, program, tables, "zh", "saving")
    assert caught.value.hint == "Did you mean 'savings'?"
