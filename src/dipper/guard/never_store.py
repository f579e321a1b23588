"""Dipper keeps no C3 data: what authenticates a person is removed before any write (PFI-05).

Removed are declared C3 properties, fields named like a PIN, a password, a security code or track
data, and the same secrets inside texts, at any depth. The values are gone; the names are reported.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from dipper.guard.secret_names import is_card_companion, is_secret_name
from dipper.guard.secret_texts import SUSPECT, holds_card_number, is_card_number, scrub

_NAMES_KEPT_MAX = 16_384
CARD_DIGITS_MAX = 19
_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})")


class _Name(NamedTuple):
    """What is known of a field name."""

    clean: str
    removed: tuple[str, ...]
    is_secret: bool
    is_companion: bool


class NeverStore:
    """The filter for one program. `declared` are the names of C3 properties."""

    def __init__(self, declared: Iterable[str] = ()) -> None:
        self._declared = frozenset(declared)
        self._known: dict[str, _Name] = {}

    def forbids(self, name: str) -> bool:
        """Whether a field of this name is never stored, whatever its value."""
        return self._name(name).is_secret

    def is_clean_text(self, text: str) -> bool:
        """Quick and sure: true means that `clean` would leave this text alone.

        Digits alone, up to the length of a card number, are no secret.
        """
        plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
        return not SUSPECT.search(plain) or (plain.isdigit() and len(plain) <= CARD_DIGITS_MAX)

    def clean(self, value: Any) -> tuple[Any, tuple[str, ...]]:
        """A JSON value without its secrets, and the names of the fields that were removed."""
        removed: list[str] = []
        return self._clean(value, removed), tuple(removed)

    def clean_text(self, text: str) -> tuple[str, tuple[str, ...]]:
        """A text that need not be JSON, with its secrets replaced, and the names of those."""
        plain = _ESCAPE.sub(_unescape, text) if "\\u" in text else text
        if not plain.isascii():
            plain = unicodedata.normalize("NFKC", plain)
        if not SUSPECT.search(plain):
            return text, ()
        found = scrub(plain, self.forbids)
        return found if found[1] else (text, ())

    def _clean(self, value: Any, removed: list[str]) -> Any:
        if isinstance(value, dict):
            return self._clean_object(value, removed)
        if isinstance(value, list):
            return [self._clean(item, removed) for item in value]
        if isinstance(value, str):
            return self._clean_string(value, removed)
        return value

    def _clean_object(self, fields: dict[str, Any], removed: list[str]) -> dict[str, Any]:
        known = [self._name(name) for name in fields]
        beside_card = any(name.is_companion for name in known) and any(
            _may_be_card(item) for item in fields.values()
        )
        kept: dict[str, Any] = {}
        for name, (key, item) in zip(known, fields.items(), strict=True):
            # A switch like `has_password` tells no secret: true, false and null stay.
            is_switch = item is None or item is True or item is False
            if not is_switch and (name.is_secret or (beside_card and name.is_companion)):
                removed.append(key)
                continue
            removed += name.removed
            kept[name.clean] = item if is_switch else self._clean(item, removed)
        return kept

    def _name(self, name: str) -> _Name:
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _NAMES_KEPT_MAX:
                self._known.clear()
            is_secret = name in self._declared or is_secret_name(name)
            known = self._known[name] = _Name(name, (), is_secret, is_card_companion(name))
            # A name may hold a secret like any text; finding it asks about names again.
            known = self._known[name] = known._replace(
                **dict(zip(("clean", "removed"), self.clean_text(name), strict=True))
            )
        return known

    def _clean_string(self, text: str, removed: list[str]) -> str:
        if text.isascii() and self.is_clean_text(text):
            return text
        if text[:1] in ("{", "["):
            inner = _as_json(text)
            if inner is not None:
                count = len(removed)
                clean = self._clean(inner, removed)
                return text if len(removed) == count else msgspec.json.encode(clean).decode()
        clean_text, names = self.clean_text(text)
        removed += names
        return clean_text


def _unescape(found: re.Match[str]) -> str:
    """Names may be written with JSON's escapes; those of ASCII and surrogates stay as they are."""
    code = int(found[1], 16)
    return found[0] if code < 0x80 or 0xD800 <= code < 0xE000 else chr(code)


def _as_json(text: str) -> dict[str, Any] | list[Any] | None:
    """Objects travel as texts too; None when this text is no object or list."""
    try:
        value = msgspec.json.decode(text.encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _may_be_card(item: Any) -> bool:
    if isinstance(item, str):
        return holds_card_number(unicodedata.normalize("NFKC", item))
    return isinstance(item, int) and item >= 10**12 and is_card_number(str(item))
