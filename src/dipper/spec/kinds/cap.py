"""A cap (触达频控) bounds how often the bank approaches one subject, so that nobody is pestered.

It counts what was shown or sent by event time in a sliding window: over everything, over one
product line, or for one offer. Where a cap is reached the gate says no.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dipper.kit.clock import parse_duration_us
from dipper.spec.document import Name, Project, Ref, Spec, Words, ref_to
from dipper.spec.envelope import SubjectKind
from dipper.spec.finding import Finding, window_findings

CappedEvent = Literal["offer_shown", "contact_sent"]


class Cap(Spec):
    """A bound on contacts."""

    kind = "cap"
    plural = "caps"
    risk = "medium"
    approver = "managing"

    scope: Literal["all", "line", "offer"] = Field(
        default="all", description="what is counted together"
    )
    line: Words | None = Field(default=None, description="the product line, for `scope: line`")
    offer: Name | None = Field(default=None, description="the offer, for `scope: offer`")
    events: tuple[CappedEvent, ...] = Field(
        default=("offer_shown", "contact_sent"),
        min_length=1,
        description="what counts as a contact",
    )
    limit: int = Field(ge=1, description="how many contacts the window may hold")
    window: Words = Field(description="the sliding window, like 7d")
    subject: SubjectKind = Field(default="person", description="whom it protects")

    @property
    def window_us(self) -> int:
        """The window in microseconds. Raises ValueError if malformed."""
        return parse_duration_us(self.window)

    def refs(self) -> tuple[Ref, ...]:
        return ref_to("offer", self.offer, ("offer",))

    def findings(self, project: Project) -> list[Finding]:
        found = []
        for field in ("line", "offer"):
            given = getattr(self, field)
            if self.scope == field and given is None:
                found.append(
                    Finding(
                        "cap_scope",
                        f"cap '{self.name}' is for one {field} but does not say which.",
                        ("scope",),
                        f"Say `{field}: NAME`.",
                    )
                )
            if self.scope != field and given is not None:
                found.append(
                    Finding(
                        "cap_scope",
                        f"cap '{self.name}' has `scope: {self.scope}`, so `{field}` is not read.",
                        (field,),
                        f"Remove it, or say `scope: {field}`.",
                    )
                )
        return found + window_findings(self.window, ("window",))


MODEL = Cap

EXAMPLE = """\
kind: cap
name: three_a_week
title: {zh: 每周三次, en: three a week}
owners: {business: retail, technical: data-platform, managing: consumer-protection}
scope: all
limit: 3
window: 7d
"""
