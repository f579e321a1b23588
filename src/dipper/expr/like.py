"""LIKE in Python: the plainest test that a pattern allows, without backtracking on the data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LikeTest:
    """How to test a text: against `part`, or with `matches` where `kind` is "regex"."""

    kind: Literal["equals", "starts", "ends", "contains", "regex"]
    part: str
    matches: Callable[[str], object]


def like_test(pattern: str) -> LikeTest:
    """The test of a pattern in which % is any run of code points and _ exactly one."""
    matches = re.compile(_regex(pattern), re.DOTALL).fullmatch
    part = pattern.strip("%")
    before, after = pattern.startswith("%"), pattern.endswith("%")
    if "%" in part or "_" in part:
        return LikeTest("regex", "", matches)
    if not before and not after:
        return LikeTest("equals", part, matches)
    if before and after:
        return LikeTest("contains", part, matches)
    return LikeTest("ends" if before else "starts", part, matches)


def _regex(pattern: str) -> str:
    """The first place of each middle part is always right, so atomic groups never give it back."""
    parts = ["".join("." if c == "_" else re.escape(c) for c in p) for p in pattern.split("%")]
    if len(parts) == 1:
        return parts[0]
    first, *middle, last = parts
    return first + "".join(f"(?>.*?{part})" for part in middle if part) + ".*" + last
