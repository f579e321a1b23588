"""A purpose (处理目的) is what personal information is processed for, with its lawful basis.

Properties, events, tags, segments and offers carry purposes; what is derived may be used only for
what all its inputs may be used for. An offer reads only what carries one of its purposes, and is
made only to a person whose consent covers it, where the basis is consent.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dipper.spec.document import Project, Spec, Words
from dipper.spec.finding import Finding, warning

Basis = Literal["consent", "contract", "legal_duty", "legitimate_interest"]


class Purpose(Spec):
    """A purpose of processing."""

    kind = "purpose"
    plural = "purposes"
    risk = "high"
    approver = "managing"

    basis: Basis = Field(description="the lawful basis (PIPL Art. 13)")
    notice_version: Words = Field(
        description="version of the notice that people were given; consents to another are stale"
    )
    separate_consent: bool = Field(
        default=False, description="whether it rests on a separate consent (单独同意)"
    )
    receivers: tuple[Words, ...] = Field(default=(), description="who else receives the data")

    @property
    def covers_sensitive(self) -> bool:
        """Whether sensitive information may be processed for it, where the data allow it too."""
        return self.separate_consent or self.basis in ("contract", "legal_duty")

    def findings(self, project: Project) -> list[Finding]:
        found = []
        if self.separate_consent and self.basis != "consent":
            found.append(
                Finding(
                    "basis_without_consent",
                    f"purpose '{self.name}' wants a separate consent but rests on {self.basis}.",
                    ("separate_consent",),
                    "Make the basis consent, or remove `separate_consent`.",
                )
            )
        if self.receivers and self.basis == "consent" and not self.separate_consent:
            found.append(
                warning(
                    "receivers_need_separate_consent",
                    f"purpose '{self.name}' gives data to {', '.join(self.receivers)} "
                    "without a separate consent.",
                    ("receivers",),
                    "Providing data to another handler needs one (PIPL Art. 23).",
                )
            )
        return found


MODEL = Purpose

EXAMPLE = """\
kind: purpose
name: personalised_service
title: {zh: 个性化服务, en: personalised service}
owners: {business: retail, technical: data-platform, managing: compliance}
basis: consent
notice_version: 2026-01
"""
