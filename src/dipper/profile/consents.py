"""Consents (授权同意): for each purpose the last word in timeline order, whoever arrived first.

A person's devices may carry a withdrawal that a page reported; it counts for the person whose the
device was at that moment. A device can never carry consent given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dipper.profile.identity import OrderKey


class Consent(NamedTuple):
    """What was said about one purpose, with its place in the timeline."""

    time_us: int
    seq: int
    order: int
    is_given: bool
    notice_version: str
    is_separate: bool


class ConsentState(NamedTuple):
    """What holds for a purpose now. `separate`: it was given separately (单独同意)."""

    given: bool
    notice_version: str
    time_us: int
    separate: bool


def consent_of(key: OrderKey, is_given: bool, properties: Mapping[str, Any]) -> Consent:
    """The record of a consent event."""
    return Consent(
        *key,
        is_given,
        str(properties.get("notice_version") or ""),
        properties.get("separate") is True,
    )


def later_of(parts: Iterable[Mapping[str, Consent]]) -> dict[str, Consent]:
    """For each purpose the last word among several ids."""
    merged: dict[str, Consent] = {}
    for part in parts:
        for purpose, consent in part.items():
            known = merged.get(purpose)
            if known is None or consent > known:
                merged[purpose] = consent
    return merged


def states_of(consents: Mapping[str, Consent]) -> dict[str, ConsentState]:
    """What decisions read."""
    return {
        purpose: ConsentState(
            consent.is_given, consent.notice_version, consent.time_us, consent.is_separate
        )
        for purpose, consent in consents.items()
    }
