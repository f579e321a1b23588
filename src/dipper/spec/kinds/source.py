"""A source is one sender of events: an app, a page, a server, a partner or the core system.

Its trust class says what is believed: a public source reports behaviour, and who it says somebody
is remains a claim; only the core is believed for openings, holdings and assessments. Its keys stand
in keys.toml, never here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from dipper.spec.document import Name, Project, Ref, Spec, Words
from dipper.spec.finding import Finding, unknown_word, warning

SourceTrust = Literal["public", "server", "partner", "core"]

DIALECTS = ("segment", "rudderstack")

_ORIGIN = re.compile(r"^https?://[a-z0-9.-]+(:\d{1,5})?$")


class Source(Spec):
    """A sender of events."""

    kind = "source"
    plural = "sources"
    risk = "high"
    approver = "technical"

    trust: SourceTrust = Field(description="what is believed of it")
    dialect: Name = Field(
        default="segment", description="the language of its SDK: segment, rudderstack"
    )
    person_id_type: Name = Field(default="customer_no", description="what its `userId` is")
    organisation_id_type: Name = Field(default="org_no", description="what its `groupId` is")
    claims: Literal["measure", "tags"] = Field(
        default="measure",
        description="what a claimed person counts for: measuring only, or tags too at the bank's "
        "own risk",
    )
    rename: Mapping[Words, Name] = Field(
        default_factory=dict, description="the SDK's event names -> ours"
    )
    unknown_events: Literal["fail", "accept"] = Field(
        default="fail", description="what becomes of events that the tracking plan does not know"
    )
    origins: tuple[Words, ...] = Field(
        default=(), description="pages that may send with this source's key from a browser (CORS)"
    )

    def refs(self) -> tuple[Ref, ...]:
        return tuple(Ref("event", ours, ("rename", theirs)) for theirs, ours in self.rename.items())

    def findings(self, project: Project) -> list[Finding]:
        found = []
        known = project.members("dialects")
        if self.dialect not in known:
            found.append(unknown_word("dialect", self.dialect, known, ("dialect",)))
        if self.claims == "tags" and self.trust != "public":
            found.append(
                warning(
                    "claims_of_trusted",
                    f"source '{self.name}' is {self.trust}: its ids are no claims.",
                    ("claims",),
                    "Remove `claims`.",
                )
            )
        return found + self._origin_findings()

    def _origin_findings(self) -> list[Finding]:
        found = [
            Finding(
                "bad_origin",
                f"'{origin}' is no origin.",
                ("origins", place),
                "Write scheme and host, like https://www.bank.example, or '*'.",
            )
            for place, origin in enumerate(self.origins)
            if origin != "*" and not _ORIGIN.match(origin)
        ]
        if self.origins and self.trust != "public":
            found.append(
                Finding(
                    "origins_of_trusted",
                    f"source '{self.name}' is {self.trust}, but a browser would hold its key.",
                    ("origins",),
                    "Make a public source for pages.",
                )
            )
        return found


MODEL = Source

EXAMPLE = """\
kind: source
name: mobile_app
title: {zh: 手机银行, en: mobile app}
owners: {business: retail, technical: data-platform, managing: retail-head}
trust: public
dialect: segment
rename: {Bill Paid: bill_paid}
unknown_events: accept
origins: ['https://m.bank.example']
"""
