"""LIKE patterns as Python tests."""

from __future__ import annotations

import time
from itertools import product

import pytest

from dipper.expr.like import like_test


def plainly(text: str, pattern: str) -> bool:
    """LIKE by its definition."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(plainly(text[i:], pattern[1:]) for i in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and plainly(text[1:], pattern[1:])


def test_every_short_pattern_matches_by_definition() -> None:
    """All patterns of up to four characters over all texts of up to four."""
    texts = ["".join(t) for n in range(5) for t in product("ab", repeat=n)]
    for n in range(5):
        for pattern in map("".join, product("ab%_", repeat=n)):
            test = like_test(pattern)
            for text in texts:
                assert (test.matches(text) is not None) == plainly(text, pattern), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "kind", "part"),
    [
        ("abc", "equals", "abc"),
        ("", "equals", ""),
        ("abc%", "starts", "abc"),
        ("%abc", "ends", "abc"),
        ("%abc%%", "contains", "abc"),
        ("%", "contains", ""),
        ("a%c", "regex", ""),
        ("a_", "regex", ""),
    ],
)
def test_simple_patterns_need_no_regular_expression(pattern: str, kind: str, part: str) -> None:
    """Most patterns are one string method."""
    test = like_test(pattern)
    assert (test.kind, test.part) == (kind, part)


def test_characters_of_regular_expressions_are_themselves() -> None:
    """Dots, stars, brackets and backslashes match only themselves; _ matches a line break."""
    assert like_test("a.*[b]\\d_").matches("a.*[b]\\d\n")
    assert not like_test("a.c_").matches("abcd")


def test_no_pattern_makes_a_long_text_slow() -> None:
    """Many wildcards over 200,000 equal characters take linear time, not powers."""
    start = time.perf_counter()
    assert not like_test("%a%a%a%a%a%a_b%c").matches("a" * 200_000)
    assert time.perf_counter() - start < 2
