"""A segment (客群) is the set of subjects for whom a condition over tags and attributes holds now.

Persons enter it with an event and leave it with one or by the clock, when an event slides out of a
tag's window. Entering and leaving are announced as `segment_entered` and `segment_left`.
"""

from __future__ import annotations

from pydantic import Field

from dipper.spec.document import Name, Ref, Spec, Words, Written, refs_to
from dipper.spec.envelope import SubjectKind


class Segment(Spec):
    """A condition that subjects meet or do not meet."""

    kind = "segment"
    plural = "segments"
    risk = "medium"
    approver = "business"

    subject: SubjectKind = Field(default="person", description="of what it is a set")
    purposes: tuple[Name, ...] = Field(
        min_length=1, description="what it may be used for; within what its inputs may be used for"
    )
    where: Words = Field(description="who belongs to it: a condition over tags and attributes")

    def refs(self) -> tuple[Ref, ...]:
        return (
            *refs_to("purpose", self.purposes, ("purposes",)),
            *(ref for text in self.written() for ref in text.refs()),
        )

    def written(self) -> tuple[Written, ...]:
        return (Written(("where",), self.where, "subject", subject=self.subject, expected="bool"),)


MODEL = Segment

EXAMPLE = """\
kind: segment
name: regular_payers
title: {zh: 稳定缴费客群, en: regular payers}
owners: {business: retail, technical: data-platform, managing: retail-head}
purposes: [personalised_service]
where: tag.bills_paid_30d >= 3 AND person.city = '120100'
"""
