"""JSON as SDKs really send it: BOMs, lone surrogates, NaN, numbers that no double holds.

The fast decoder refuses a whole body for one bad text in it. Where it does, this reader takes the
body apart with the forgiving one and says of each event what is wrong with it, so that one bad
event never fails a batch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from dipper.kit.limits import JSON_DEPTH_MAX

BOM = b"\xef\xbb\xbf"
_INT_DIGITS_MAX = 400
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class Unfit(NamedTuple):
    """Why a JSON value cannot be kept as an event: a stable code, words, and where."""

    code: str
    reason: str
    path: str


class NotJson(Exception):
    """The text is no JSON in any reading."""


def forgiving(body: bytes) -> Any:
    """The value of a body, with lone surrogates, NaN and infinities still in it.

    Bytes that are no UTF-8 become lone surrogates. Raises NotJson.
    """
    text = body.removeprefix(BOM).decode("utf-8", "surrogateescape")
    try:
        return json.loads(text, parse_int=_parse_int)
    except (ValueError, RecursionError) as error:
        raise NotJson(_words(error)) from None


def encode(value: Any) -> bytes:
    """A value without flaws as JSON bytes."""
    return msgspec.json.encode(value)


def escaped(value: Any) -> str:
    """Any value as JSON text, whatever is in it: lone surrogates escaped, NaN as a word."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()


def flaw(value: Any, path: str = "$", depth: int = 0) -> Unfit | None:
    """The first thing in a value that no event may have, or None."""
    if depth == 0 and isinstance(value, dict | list) and _is_fit(value, 1):
        return None
    if isinstance(value, str):
        return _flaw_of_text(value, path)
    if isinstance(value, dict | list):
        if depth >= JSON_DEPTH_MAX:
            return Unfit("too_deep", f"nested deeper than {JSON_DEPTH_MAX} levels", path[:200])
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            where = f"{path}.{key}" if isinstance(key, str) else f"{path}[{key}]"
            found = flaw(key, path) if isinstance(key, str) else None
            found = found or flaw(item, where, depth + 1)
            if found:
                return found
        return None
    return _flaw_of_number(value, path)


def _is_fit(value: dict[str, Any] | list[Any], depth: int) -> bool:
    """Whether there is no flaw, without saying where: nearly always there is none."""
    if depth > JSON_DEPTH_MAX:
        return False
    items: Iterable[Any] = value
    if isinstance(value, dict):
        if not all(map(str.isascii, value)) and any(_flaw_of_text(key, "") for key in value):
            return False
        items = value.values()
    for item in items:
        kind = item.__class__
        if kind is str:
            if not item.isascii() and _flaw_of_text(item, ""):
                return False
        elif kind is dict or kind is list:
            if not _is_fit(item, depth + 1):
                return False
        elif (kind is int or kind is float) and _flaw_of_number(item, ""):
            return False
    return True


def _flaw_of_text(text: str, path: str) -> Unfit | None:
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        safe = path.encode("utf-8", "replace").decode()
        return Unfit("bad_text", "a text is no valid Unicode (lone surrogate or bad UTF-8)", safe)
    return None


def _flaw_of_number(value: Any, path: str) -> Unfit | None:
    if isinstance(value, float) and not math.isfinite(value):
        return Unfit("bad_number", "NaN and infinities are no numbers", path)
    if isinstance(value, int) and not _INT_MIN <= value <= _INT_MAX:
        return Unfit("bad_number", "an integer needs more than 64 bits", path)
    return None


def _parse_int(text: str) -> int | float:
    """Python refuses to read very long integers; they are out of range anyway."""
    return int(text) if len(text) <= _INT_DIGITS_MAX else math.inf


def _words(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (character {error.pos})"
    return "nested too deeply" if isinstance(error, RecursionError) else "no valid JSON"
