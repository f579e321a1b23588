"""Names that SDKs send become snake_case: 'Order Completed' and 'orderCompleted' are one event."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

NAME_MAX = 128

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN = re.compile(r"[\W_]+")
_PLAIN = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


@lru_cache(maxsize=8192)
def snake_case(name: str) -> str:
    """The name in our writing; empty when it holds no letter or digit."""
    if _PLAIN.fullmatch(name):
        return name
    plain = unicodedata.normalize("NFKC", name)
    return _BETWEEN.sub("_", _HUMP.sub("_", plain).lower()).strip("_")
