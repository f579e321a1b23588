"""Who is believed for what: a public key reports behaviour, the core alone confirms.

An event's spec says which trust classes may send it. Two things are finer than a class: a page may
report what happened in a placement, or a binding, with a token signed for that very subject; and a
public source may withdraw a consent, but only for its own device.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum

from dipper.collect.plan import Failed
from dipper.collect.sources import Source
from dipper.collect.token import Token

BY_TOKEN = frozenset({"offer_shown", "offer_clicked", "offer_dismissed", "subject_bound"})
IN_PLACEMENT = frozenset({"offer_shown", "offer_clicked", "offer_dismissed"})
OWN_DEVICE = frozenset({"consent_withdrawn"})


class Belief(Enum):
    """What an event of a source needs to be believed."""

    PLAIN = "plain"
    TOKEN = "token"
    DEVICE = "device"
    NEVER = "never"


def belief(event: str, senders: Collection[str], source: Source) -> Belief:
    """What an event needs, given the trust classes that may send it."""
    if source.trust in senders:
        return Belief.DEVICE if event in OWN_DEVICE and source.trust == "public" else Belief.PLAIN
    return Belief.TOKEN if event in BY_TOKEN else Belief.NEVER


def not_believed(
    event: str,
    needed: Belief,
    source: Source,
    subjects: Mapping[str, str],
    placement: str | None,
    token: Token | None,
) -> Failed | None:
    """Why this event of this source is not believed, or None."""
    if needed is Belief.NEVER:
        return _failed(event, f"a {source.trust} source is not believed for it")
    if needed is Belief.DEVICE and "device" not in subjects:
        return _failed(event, "a public source may send it for its own device only, and names none")
    if needed is Belief.TOKEN:
        return _failed_token(event, source, subjects, placement, token)
    return None


def _failed_token(
    event: str,
    source: Source,
    subjects: Mapping[str, str],
    placement: str | None,
    token: Token | None,
) -> Failed | None:
    if token is None:
        return _failed(event, f"a {source.trust} source needs a signed token for it")
    if not token.is_valid:
        return _failed(event, f"its token is refused: {token.verdict.replace('_', ' ')}")
    if token.subject not in subjects.values():
        return _failed(event, "its token was signed for another subject")
    if token.device and subjects.get("device", token.device) != token.device:
        return _failed(event, "its token was signed for another device")
    if event in IN_PLACEMENT and placement != (token.placement or None):
        return _failed(event, "its token was signed for another placement")
    return None


def claims(source: Source, subjects: Mapping[str, str], token: Token | None) -> tuple[str, ...]:
    """The roles whose ids a public source merely states. Its device is its own."""
    if source.trust != "public":
        return ()
    proved = _proved(subjects, token)
    return tuple(
        role for role, subject in subjects.items() if role != "device" and subject != proved
    )


def _proved(subjects: Mapping[str, str], token: Token | None) -> str:
    """The id that a valid token proves for this device."""
    if token is None or not token.is_valid:
        return ""
    if token.device and subjects.get("device", token.device) != token.device:
        return ""
    return token.subject


def _failed(event: str, reason: str) -> Failed:
    return Failed("not_believed", f"event '{event}': {reason}", "event")
