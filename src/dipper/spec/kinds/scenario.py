"""A scenario (场景) is a place in daily life where people and firms meet the bank.

It is classified by two keys, who leads it and which domain of life it belongs to, and by mode,
frequency, output and stage. Events, placements and links belong to scenarios, and each scenario is
evaluated by what it brings to government, business, consumers and the bank.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dipper.kit.errors import did_you_mean
from dipper.spec.document import Name, Project, Ref, Spec, Words, refs_to
from dipper.spec.envelope import SubjectKind
from dipper.spec.finding import Finding, warning

# The words are the regulator's; the English is for people who read the English surface.
DOMAINS = {
    "政务民生": "government and public services",
    "医疗健康": "health",
    "教育": "education",
    "出行交通": "transport",
    "消费零售": "shopping",
    "住房物业": "housing",
    "文旅体育": "culture, travel and sports",
    "跨境": "cross-border",
    "养老银发": "care for the elderly",
    "三农/乡村振兴": "agriculture and villages",
    "产业链供应链": "supply chains",
    "园区商会": "parks and chambers of commerce",
    "同业平台": "platforms of other banks",
}

ENGLISH = DOMAINS | {
    "自建": "built by the bank",
    "共建": "built together",
    "嵌入": "the bank in a partner's place",
    "引入": "a partner in the bank's place",
    "高": "high",
    "中": "medium",
    "低": "low",
    "产品": "product",
    "业务": "business",
    "数据": "data",
    "技术": "technology",
    "立项": "proposed",
    "试点": "pilot",
    "推广": "roll-out",
    "成熟": "mature",
    "退出": "exit",
}


class Scenario(Spec):
    """A scenario and its classification."""

    kind = "scenario"
    plural = "scenarios"
    risk = "medium"
    approver = "business"

    participant: Literal["G", "B", "C", "F"] = Field(
        description="who leads it: government, business, consumers, financial institutions"
    )
    domain: Words = Field(description="domain of life; a bank may add to the shipped ones")
    mode: Literal["自建", "共建", "嵌入", "引入"] | None = Field(
        default=None, description="who builds it: the bank, both, or it enters the other's place"
    )
    frequency: Literal["高", "中", "低"] | None = Field(
        default=None, description="how often people come"
    )
    output: Literal["产品", "业务", "数据", "技术"] | None = Field(
        default=None, description="what the bank gives out through it"
    )
    stage: Literal["立项", "试点", "推广", "成熟", "退出"] = Field(
        default="立项", description="how far it has come"
    )
    subject: SubjectKind = Field(
        default="person", description="whose timeline its funnel runs over"
    )
    funnel: tuple[Name, ...] = Field(default=(), description="its steps, as events in order")
    sensitive: bool = Field(
        default=False,
        description="being there is sensitive personal information: so are its events",
    )

    def refs(self) -> tuple[Ref, ...]:
        return refs_to("event", self.funnel, ("funnel",))

    def findings(self, project: Project) -> list[Finding]:
        found = []
        if self.domain not in DOMAINS:
            found.append(
                warning(
                    "own_domain",
                    f"domain '{self.domain}' is not one of the shipped ones.",
                    ("domain",),
                    did_you_mean(self.domain, DOMAINS) or "This is fine if it is meant.",
                )
            )
        if len(self.funnel) == 1:
            found.append(
                Finding(
                    "short_funnel",
                    f"the funnel of scenario '{self.name}' has one step.",
                    ("funnel",),
                    "Name two events or more, or none.",
                )
            )
        return found


MODEL = Scenario

EXAMPLE = """\
kind: scenario
name: bill_payment
title: {zh: 生活缴费, en: bill payment}
owners: {business: retail, technical: data-platform, managing: retail-head}
participant: C
domain: 政务民生
mode: 共建
frequency: 高
output: 业务
stage: 成熟
funnel: [page_viewed, bill_paid]
"""
