"""A placement (资源位) is a spot in a scenario where the bank may offer something.

A page, a counter or a message asks for a placement and gets at most `limit` offers for its subject,
chosen by the placement's policy among the offers that name it. With nothing to offer it shows its
default.
"""

from __future__ import annotations

from pydantic import Field

from dipper.spec.document import Name, Project, Ref, Spec, Text, ref_to
from dipper.spec.envelope import SubjectKind
from dipper.spec.finding import Finding, warning


class Placement(Spec):
    """A spot for offers."""

    kind = "placement"
    plural = "placements"
    risk = "medium"
    approver = "business"

    scenario: Name = Field(description="where it is")
    channel: Name = Field(description="the channel in which it is shown")
    policy: Name = Field(description="how offers are chosen for it")
    limit: int = Field(default=1, ge=1, le=50, description="offers in one answer, at most")
    subject: SubjectKind = Field(default="person", description="to whom it offers")
    default: Text | None = Field(default=None, description="what is shown when nothing is offered")

    def refs(self) -> tuple[Ref, ...]:
        return (
            *ref_to("scenario", self.scenario, ("scenario",)),
            *ref_to("policy", self.policy, ("policy",)),
        )

    def findings(self, project: Project) -> list[Finding]:
        offers = [
            offer for offer in project.objects("offer").values() if self.name in offer.placements
        ]
        if not offers:
            return [
                warning(
                    "placement_without_offers",
                    f"no offer names placement '{self.name}': it will always show its default.",
                    ("name",),
                )
            ]
        policy = project.get("policy", self.policy)
        if policy is None:
            return []
        placebos = [offer for offer in offers if offer.placebo]
        if policy.shares.placebo > 0 and not placebos:
            return [
                warning(
                    "placebo_missing",
                    f"policy '{policy.name}' keeps a placebo arm, but placement '{self.name}' "
                    "has no placebo offer: that arm gets nothing.",
                    ("policy",),
                    "Let an offer with `placebo: true` name it.",
                )
            ]
        return []


MODEL = Placement

EXAMPLE = """\
kind: placement
name: bill_payment_result
title: {zh: 缴费结果页, en: result page of bill payment}
owners: {business: retail, technical: data-platform, managing: retail-head}
scenario: bill_payment
channel: mobile
policy: learned
limit: 2
default: {zh: 感谢使用, en: thank you}
"""
