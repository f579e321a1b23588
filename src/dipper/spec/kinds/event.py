"""An event is one thing that happens in a scenario and enters the timelines of its subjects.

The events of a bank are its tracking plan (埋点方案): which properties each carries, who may send
it, and what becomes of what the plan does not know. Events that the engine itself reads
(`offer_clicked`, `product_opened`, `consent_given` ...) are built in and cannot be redefined.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dipper.spec.document import Name, Project, Ref, Spec, ref_to, refs_to
from dipper.spec.envelope import Role, Trust
from dipper.spec.finding import Finding, Path

Undeclared = Literal["accept", "omit", "fail"]
OnError = Literal["fail", "omit"]


class Event(Spec):
    """One entry of the tracking plan."""

    kind = "event"
    plural = "events"
    risk = "medium"
    approver = "technical"

    subjects: tuple[Role, ...] = Field(
        default=("person",), min_length=1, description="the roles that keep a row in their timeline"
    )
    properties: tuple[Name, ...] = Field(default=(), description="the properties it carries")
    required: tuple[Name, ...] = Field(default=(), description="those without which it fails")
    undeclared: Undeclared = Field(default="accept", description="what becomes of other properties")
    on_error: OnError = Field(
        default="fail", description="a property of the wrong type fails the event or is dropped"
    )
    senders: tuple[Trust, ...] = Field(
        default=("public", "server", "partner", "core"),
        alias="from",
        min_length=1,
        description="the trust classes of sources that may send it",
    )
    stage: Literal["application"] | None = Field(
        default=None, description="`application`: it makes a person an applicant"
    )
    scenario: Name | None = Field(
        default=None, description="where it happens, when the event says nothing"
    )
    purposes: tuple[Name, ...] | None = Field(
        default=None, description="what it may be used for; not given: not restricted"
    )
    sensitive: bool = Field(
        default=False, description="sensitive in itself, like a visit to a hospital"
    )

    def refs(self) -> tuple[Ref, ...]:
        return (
            *refs_to("property", self.properties, ("properties",)),
            *ref_to("scenario", self.scenario, ("scenario",)),
            *refs_to("purpose", self.purposes, ("purposes",)),
        )

    def findings(self, project: Project) -> list[Finding]:
        found = [
            Finding(
                "required_undeclared",
                f"event '{self.name}' requires '{name}' but does not list it.",
                ("required", place),
                "Add it to `properties`.",
            )
            for place, name in enumerate(self.required)
            if name not in self.properties
        ]
        found += [
            Finding(
                "requires_never_stored",
                f"event '{self.name}' requires '{name}', which is C3 and never stored.",
                ("required", place),
                "Do not require it.",
            )
            for place, name in enumerate(self.required)
            if (known := project.get("property", name)) is not None and known.pi_class == "C3"
        ]
        for field in ("properties", "required", "subjects"):
            found += _repeated(self.name, field, getattr(self, field))
        return found


def _repeated(event: str, field: str, names: tuple[str, ...]) -> list[Finding]:
    return [
        Finding("named_twice", f"event '{event}' names '{name}' twice.", _path(field, place))
        for place, name in enumerate(names)
        if name in names[:place]
    ]


def _path(field: str, place: int) -> Path:
    return (field, place)


MODEL = Event

EXAMPLE = """\
kind: event
name: bill_paid
title: {zh: 缴费成功, en: bill paid}
owners: {business: retail, technical: data-platform, managing: retail-head}
subjects: [person]
properties: [amount_fen, biller]
required: [amount_fen]
undeclared: omit
from: [server, partner]
scenario: bill_payment
purposes: [personalised_service]
"""
