"""Secrets inside texts: track data, a card number with its security code, `password=...`.

Works on any text, valid JSON or not, because failed requests are kept too. A card number alone is
no secret of this kind (it is C2); with a security code or track data it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

REMOVED = "[removed]"

SUSPECT = re.compile(r"\d(?:[ \-]?\d){11}|[=:：{\[]")
"""A text without a match holds no secret that this module knows."""

_DIGITS = re.compile(r"(?<!\d)\d(?:[ \-]?\d){12,}")
_GROUP_END = re.compile(r"\d(?!\d)")
_TRACK = re.compile(
    r"%?[Bb]\d{12,19}\^[^^\r\n\"]{1,40}\^\d{4,}[^\s\"]*"  # track 1
    r"|;?(?<!\d)\d{12,21}=\d{7,}[^\s\"]*"  # tracks 2 and 3
)
_TRACK_HEX = re.compile(r"(?<![0-9A-Za-z])(\d{13,19})[Dd]\d{7,}[Ff]?(?![0-9A-Za-z])")
_CODE_WORD = r"(?:cvv2?|cvc2?|cvn2?|csc|cid|security\s*code|安全码|验证码|校验码|后三位|末三位)"
_CODE_NAMED = re.compile(_CODE_WORD + r"\D{0,8}\d{3,4}(?!\d)", re.IGNORECASE)
_CODE_AFTER = re.compile(
    r"[\s,;|/:：，；]+(?:\d{2}[/\-]?\d{2}(?:\d{2})?[\s,;|/:：，；]+)?\d{3,4}(?!\d)"
)
_NAMED = re.compile(r"(?<![\w.\-])([\w.\-]++)\\*[\"']?\s*(?:[:：=]|%3[DdAa])\s*")
_VALUE = re.compile(
    r"(?P<quote>\\*[\"']).*?(?:(?<!\\)(?P=quote)|\Z)|[^\s,;&，；\"'}\])\\]++", re.DOTALL
)
_HARMLESS_VALUES = frozenset({"true", "false", "null"})
_NAME_MAX = 128


def is_card_number(digits: str) -> bool:
    """13 to 19 digits whose last one is right by Luhn's rule."""
    if not 13 <= len(digits) <= 19 or not (digits.isascii() and digits.isdigit()):
        return False
    total = 0
    for place, character in enumerate(reversed(digits)):
        number = int(character)
        if place % 2:
            number = number * 2 - 9 if number > 4 else number * 2
        total += number
    return total % 10 == 0 and digits.strip(digits[0]) != ""


def holds_card_number(text: str) -> bool:
    """Whether a card number stands anywhere in the text, spaces and hyphens allowed."""
    return any(_card_end(found) for found in _DIGITS.finditer(text))


def scrub(text: str, forbids: Callable[[str], bool]) -> tuple[str, tuple[str, ...]]:
    """The text with each secret replaced by `[removed]`, and what was removed by name.

    `forbids` says of a field name that its value is never stored.
    """
    if not SUSPECT.search(text):
        return text, ()
    removed: list[str] = []
    clean = _without_named(text, forbids, removed)
    clean = _without_tracks(clean, removed)
    clean = _without_card_codes(clean, removed)
    return clean, tuple(removed)


def _without_named(text: str, forbids: Callable[[str], bool], removed: list[str]) -> str:
    """Values that follow a forbidden name and a mark, as in JSON or query strings."""
    pieces: list[str] = []
    position = 0
    while named := _NAMED.search(text, position):
        name, start = named[1][-_NAME_MAX:], named.end()
        pieces.append(text[position:start])
        position = start
        value = _VALUE.match(text, start) if forbids(name) else None
        if value and value[0] not in _HARMLESS_VALUES:
            quote = value["quote"] or ""
            if text.startswith(REMOVED, start + len(quote)):
                continue
            pieces.append(f"{quote}{REMOVED}{quote}")
            position = value.end()
            removed.append(name)
    pieces.append(text[position:])
    return "".join(pieces)


def _without_tracks(text: str, removed: list[str]) -> str:
    def replace_hex(found: re.Match[str]) -> str:
        if not is_card_number(found[1]):
            return found[0]
        removed.append("track data")
        return REMOVED

    clean, count = _TRACK.subn(REMOVED, text)
    removed += ["track data"] * count
    return _TRACK_HEX.sub(replace_hex, clean)


def _without_card_codes(text: str, removed: list[str]) -> str:
    """A card number's security code; the number itself may stay."""
    if not holds_card_number(text):
        return text
    clean, count = _CODE_NAMED.subn(REMOVED, text)
    pieces: list[str] = []
    position = 0
    for digits in _DIGITS.finditer(clean):
        end = _card_end(digits)
        after = _CODE_AFTER.match(clean, end) if end else None
        if after:
            pieces += [clean[position:end], " ", REMOVED]
            position = after.end()
            count += 1
    removed += ["security code"] * count
    return "".join([*pieces, clean[position:]])


def _card_end(digits: re.Match[str]) -> int:
    """Where a card number that begins this run of digit groups ends, or 0.

    The run may go on with an expiry or a code, so every end of a group is tried.
    """
    for group in _GROUP_END.finditer(digits[0]):
        number = digits[0][: group.end()].replace(" ", "").replace("-", "")
        if is_card_number(number):
            return digits.start() + group.end()
        if len(number) > 19:
            break
    return 0
