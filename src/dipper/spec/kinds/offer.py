"""An offer (推荐方案) is a product or a service that the bank may put before a subject.

It names the placements where it can appear and the purposes under which it is made. Its three
conditions stand for different things: `eligible` is who may have it at all, `applicable` is for
whom it makes sense now, `suitable` is whether it fits the person's tolerance for risk. For wealth,
fund and insurance products suitability is built in: without a valid assessment, or above the
person's level, the answer is no, and `suitable` is ANDed to that. It can narrow and never widen.
"""

from __future__ import annotations

from pydantic import Field

from dipper.kit.errors import did_you_mean
from dipper.spec.document import (
    Name,
    Project,
    Ref,
    Spec,
    Text,
    Words,
    Written,
    refs_to,
)
from dipper.spec.finding import Finding, warning
from dipper.spec.kinds.table import PRODUCT

SUITABILITY_CLASSES = ("wealth", "fund", "insurance")
CONDITIONS = ("eligible", "applicable", "suitable")


class Offer(Spec):
    """What may be put before a subject, where, and under which conditions."""

    kind = "offer"
    plural = "offers"
    risk = "high"
    approver = "managing"

    product: Words | None = Field(
        default=None, description="a row of table `product`; none for a service that is no product"
    )
    placements: tuple[Name, ...] = Field(min_length=1, description="where it can appear")
    purposes: tuple[Name, ...] = Field(min_length=1, description="what it is made for")
    eligible: Words | None = Field(default=None, description="who may have it at all")
    applicable: Words | None = Field(default=None, description="for whom it makes sense now")
    suitable: Words | None = Field(
        default=None, description="ANDed to the built-in suitability check; can only narrow it"
    )
    value_fen: int = Field(
        default=0, ge=0, description="what an opening is worth to the bank, in fen"
    )
    content: Text | None = Field(
        default=None, description="what is shown; the title, when not given"
    )
    treatment: Name = Field(default="default", description="the version of the content (触达版本)")
    link: Words | None = Field(default=None, description="where a click leads")
    placebo: bool = Field(
        default=False, description="what the placebo arm gets: it must have no effect"
    )

    def refs(self) -> tuple[Ref, ...]:
        return (
            *((Ref("table", PRODUCT, ("product",)),) if self.product else ()),
            *refs_to("placement", self.placements, ("placements",)),
            *refs_to("purpose", self.purposes, ("purposes",)),
            *(ref for text in self.written() for ref in text.refs()),
        )

    def written(self) -> tuple[Written, ...]:
        return tuple(
            Written((field,), text, "offer", expected="bool")
            for field in CONDITIONS
            if (text := getattr(self, field)) is not None
        )

    def findings(self, project: Project) -> list[Finding]:
        return [
            *self._product_findings(project),
            *self._placement_findings(project),
            *self._placebo_findings(),
        ]

    def _product_findings(self, project: Project) -> list[Finding]:
        rows = project.rows(PRODUCT)
        if self.product is None or rows is None:
            return []
        row = rows.lookup(self.product)
        if row is None:
            known = sorted(rows.values(PRODUCT))
            return [
                Finding(
                    "unknown_product",
                    f"product '{self.product}' is not in table 'product'.",
                    ("product",),
                    did_you_mean(self.product, known),
                )
            ]
        if row.get("class") not in SUITABILITY_CLASSES:
            return []
        if row.get("risk_issuer") is None and row.get("risk_seller") is None:
            return [
                Finding(
                    "product_without_risk",
                    f"product '{self.product}' of class {row['class']} has no risk level: "
                    "its suitability cannot be judged.",
                    ("product",),
                    "Fill risk_issuer or risk_seller in its row.",
                )
            ]
        if self.suitable is not None and self.suitable.strip().lower() == "true":
            return [
                warning(
                    "suitable_only_narrows",
                    f"offer '{self.name}': `suitable: {self.suitable}` changes nothing; the "
                    f"built-in check of class {row['class']} stays.",
                    ("suitable",),
                    "Remove it.",
                )
            ]
        return []

    def _placement_findings(self, project: Project) -> list[Finding]:
        places = [project.get("placement", name) for name in self.placements]
        subjects = {place.subject for place in places if place is not None}
        if len(subjects) < 2:
            return []
        return [
            Finding(
                "placements_of_two_subjects",
                f"offer '{self.name}' names placements for {' and '.join(sorted(subjects))}.",
                ("placements",),
                "Make an offer for each: its conditions read one subject.",
            )
        ]

    def _placebo_findings(self) -> list[Finding]:
        if not self.placebo or (self.product is None and self.value_fen == 0):
            return []
        return [
            Finding(
                "placebo_with_effect",
                f"offer '{self.name}' is a placebo but sells something.",
                ("placebo",),
                "A placebo has neither `product` nor `value_fen`.",
            )
        ]


MODEL = Offer

EXAMPLE = """\
kind: offer
name: stable_growth_r2
title: {zh: 稳健增长理财, en: stable growth fund}
owners: {business: wealth, technical: data-platform, managing: wealth-head}
product: wealth.stable_growth       # a row of table product
placements: [bill_payment_result]
purposes: [personalised_service]
eligible: person.age >= 18
applicable: NOT holds('wealth.stable_growth') AND segment.regular_payers
value_fen: 12000
---
kind: offer
name: greeting
title: {zh: 感谢使用, en: thank you}
owners: {business: retail, technical: data-platform, managing: retail-head}
placements: [bill_payment_result]
purposes: [personalised_service]
placebo: true
"""
