"""A tag (标签) is one typed value about a subject, computed from its timeline.

It is an aggregate over events (with a condition and a sliding window, or over the whole life), a
formula over other tags, or an attribute that a believed source has stated. The same definition
runs on each new event and over all history. Its value changes with an event, and by the clock when
an event slides out of the window.

An id keeps its last 4,096 records. Of a busier subject a tag over the whole life, or over a window
that reaches before them, counts only these: its value is a lower bound and is shown as *at least*.
Conditions read it as it stands; a contact cap that may lack contacts denies; history counts all.
"""

from __future__ import annotations

import builtins
from typing import Literal

from pydantic import Field

from dipper.kit.clock import parse_duration_us
from dipper.spec.document import (
    Name,
    Part,
    Project,
    Ref,
    Spec,
    Words,
    Written,
    ref_to,
    refs_to,
)
from dipper.spec.envelope import READABLE, ROLES_OF, SubjectKind
from dipper.spec.finding import Finding, window_findings

Aggregate = Literal["count", "sum", "min", "max", "first", "last", "distinct"]

Scalar = bool | int | float | str


class TagValue(Part):
    """How the value comes about: exactly one of `aggregate`, `formula` and `attribute`."""

    aggregate: Aggregate | None = Field(
        default=None, description="what is computed over the events"
    )
    event: Name | tuple[Name, ...] | None = Field(default=None, description="the event, or several")
    where: Words | None = Field(default=None, description="which of these events count")
    property: Name | None = Field(default=None, description="the property that is aggregated")
    window: Words | None = Field(
        default=None,
        description="how far back from now, like 30d or 12h; not given: the whole life",
    )
    formula: Words | None = Field(
        default=None, description="an expression over tags and attributes"
    )
    attribute: Name | None = Field(default=None, description="a property of the subject itself")

    @builtins.property
    def events(self) -> tuple[str, ...]:
        """The events, always as a tuple."""
        if self.event is None:
            return ()
        return (self.event,) if isinstance(self.event, str) else self.event

    @builtins.property
    def window_us(self) -> int | None:
        """The window in microseconds; None for the whole life. Raises ValueError if malformed."""
        return parse_duration_us(self.window) if self.window else None


class Tag(Spec):
    """A value about a subject."""

    kind = "tag"
    plural = "tags"
    risk = "medium"
    approver = "business"

    subject: SubjectKind = Field(default="person", description="about whom it is")
    purposes: tuple[Name, ...] = Field(
        min_length=1, description="what it may be used for; within what its inputs may be used for"
    )
    value: TagValue = Field(description="how it is computed")
    default: Scalar | None = Field(
        default=None,
        description="its value where nothing is known; not given: 0 for counts, or null",
    )

    def refs(self) -> tuple[Ref, ...]:
        value = self.value
        path = ("value", "event")
        events = (
            ref_to("event", value.event, path)
            if isinstance(value.event, str)
            else refs_to("event", value.event, path)
        )
        name = value.property if value.property not in READABLE else None
        return (
            *refs_to("purpose", self.purposes, ("purposes",)),
            *events,
            *ref_to("property", name, ("value", "property")),
            *ref_to("property", value.attribute, ("value", "attribute")),
            *(ref for text in self.written() for ref in text.refs()),
        )

    def written(self) -> tuple[Written, ...]:
        value = self.value
        texts = []
        if value.where is not None:
            path = ("value", "where")
            texts.append(Written(path, value.where, "event", events=value.events, expected="bool"))
        if value.formula is not None:
            path = ("value", "formula")
            texts.append(Written(path, value.formula, "subject", subject=self.subject))
        return tuple(texts)

    def findings(self, project: Project) -> list[Finding]:
        ways = [way for way in ("aggregate", "formula", "attribute") if getattr(self.value, way)]
        if len(ways) != 1:
            return [
                Finding(
                    "tag_value",
                    f"tag '{self.name}' must have one of aggregate, formula and attribute, "
                    f"got {' and '.join(ways) or 'none'}.",
                    ("value",),
                    "Each tag is computed in one way.",
                )
            ]
        if ways == ["aggregate"]:
            return _aggregate_findings(self, project)
        found = [
            Finding(
                "tag_value",
                f"'{field}' belongs to an aggregate; tag '{self.name}' is computed by {ways[0]}.",
                ("value", field),
                "Remove it.",
            )
            for field in ("event", "where", "property", "window")
            if getattr(self.value, field) is not None
        ]
        return found + _attribute_findings(self, project)


def _aggregate_findings(tag: Tag, project: Project) -> list[Finding]:
    value = tag.value
    found = []
    if not value.events:
        found.append(
            Finding(
                "tag_value",
                f"tag '{tag.name}' aggregates no event.",
                ("value",),
                "Say `event: NAME`, or a list of names.",
            )
        )
    if value.aggregate == "count" and value.property is not None:
        found.append(
            Finding(
                "count_of_property",
                f"tag '{tag.name}' counts events, not a property.",
                ("value", "property"),
                f"Write `where: {value.property} IS NOT NULL`, or use distinct.",
            )
        )
    if value.aggregate != "count" and value.property is None:
        found.append(
            Finding(
                "aggregate_without_property",
                f"tag '{tag.name}': {value.aggregate} needs a property.",
                ("value",),
                "Say `property: NAME`.",
            )
        )
    return [
        *found,
        *(window_findings(value.window, ("value", "window")) if value.window else []),
        *_event_findings(tag, project),
        *_type_findings(tag, project),
    ]


def _event_findings(tag: Tag, project: Project) -> list[Finding]:
    found = []
    wanted = tag.value.property
    for name in tag.value.events:
        event = project.get("event", name)
        if event is None:
            continue
        if wanted and wanted not in event.properties and wanted not in READABLE:
            found.append(
                Finding(
                    "property_not_of_event",
                    f"event '{name}' does not list property '{wanted}'.",
                    ("value", "property"),
                    f"Add it to the event, or choose one of {', '.join(event.properties) or '-'}.",
                )
            )
        if not set(event.subjects) & set(ROLES_OF[tag.subject]):
            found.append(
                Finding(
                    "event_without_subject",
                    f"event '{name}' keeps no row for {tag.subject}, so tag '{tag.name}' "
                    "would never see it.",
                    ("value", "event"),
                    f"Its rows are for {', '.join(event.subjects)}.",
                )
            )
    return found


def _type_findings(tag: Tag, project: Project) -> list[Finding]:
    known = project.get("property", tag.value.property) if tag.value.property else None
    if known is None:
        return []
    numeric = ("int", "double")
    ordered = (*numeric, "timestamp", "date")
    allowed = {"sum": numeric, "min": ordered, "max": ordered}.get(str(tag.value.aggregate))
    if allowed and known.type not in allowed:
        return [
            Finding(
                "aggregate_of_type",
                f"tag '{tag.name}' takes the {tag.value.aggregate} of '{known.name}', "
                f"which is {known.type}; expected {' or '.join(allowed)}.",
                ("value", "property"),
                "Use first, last or distinct, or another property.",
            )
        ]
    return []


def _attribute_findings(tag: Tag, project: Project) -> list[Finding]:
    known = project.get("property", tag.value.attribute) if tag.value.attribute else None
    if known is None or known.of == tag.subject:
        return []
    return [
        Finding(
            "attribute_of_other",
            f"property '{known.name}' is of {known.of}, but tag '{tag.name}' is about "
            f"{tag.subject}.",
            ("value", "attribute"),
            f"Only a property that is `of: {tag.subject}` can be its attribute.",
        )
    ]


MODEL = Tag

EXAMPLE = """\
kind: tag
name: bills_paid_30d
title: {zh: 近30天缴费次数, en: bills paid in 30 days}
owners: {business: retail, technical: data-platform, managing: retail-head}
purposes: [personalised_service]
value: {aggregate: count, event: bill_paid, where: amount_fen >= 100, window: 30d}
"""
