"""How personal data is shown to people: enough to recognise, too little to use (PFI-07, PFI-08).

A phone is 138****1234, a document number shows its first six and last four at most, a card or
account its last four, a name its first character. Any other id shows two characters at each end,
a short one the first.
"""

from __future__ import annotations

import re
from typing import Any

from dipper.profile.identity import id_type
from dipper.spec.kinds.property import Property

HIDDEN = "****"
_PHONE = re.compile(r"\+?\d{11,15}")
_DOCUMENT = re.compile(r"\d{15}|\d{17}[\dXx]")

_ACCOUNTS = frozenset({"account", "card", "terminal"})
_DOCUMENTS = frozenset({"id_card", "id_no", "passport"})
_PHONES = frozenset({"phone", "mobile"})


def mask_id(text: str) -> str:
    """An id `idtype:value` with its value masked by its type."""
    kind = id_type(text)
    return f"{kind}:{mask_value(text.partition(':')[2], kind)}"


def mask_value(value: str, kind: str = "") -> str:
    """The value of an id; one that looks like a phone or a document number is masked as one."""
    if kind in _ACCOUNTS:
        return mask_account(value)
    if kind in _DOCUMENTS or _DOCUMENT.fullmatch(value):
        return value[:6] + HIDDEN + value[-4:] if len(value) >= 15 else HIDDEN + value[-2:]
    if kind in _PHONES or _PHONE.fullmatch(value):
        return value[:3] + HIDDEN + value[-4:] if len(value) >= 11 else HIDDEN + value[-2:]
    if "@" in value:
        name, _, domain = value.partition("@")
        return f"{name[:1]}{HIDDEN}@{domain}"
    if len(value) < 7:
        return value[:1] + HIDDEN
    return value[:2] + HIDDEN + value[-2:]


def mask_account(value: str) -> str:
    """A card or account: its last four characters, of a short one the last two."""
    return HIDDEN + (value[-4:] if len(value) >= 8 else value[-2:])


def mask_name(value: str) -> str:
    """A name: 张*."""
    return value[:1] + "*" if value else ""


def mask_trait(spec: Property | None, value: Any) -> Any:
    """An attribute as it may be shown: texts of class C2 by their first character, C3 never.

    An attribute that nobody declared is taken for C2.
    """
    label = "C2" if spec is None else spec.pi_class
    if label == "C3":
        return None
    if isinstance(value, str) and (label == "C2" or (spec is not None and spec.sensitive)):
        return value[:1] + HIDDEN
    return value
