"""What of a condition can be looked up input by input."""

from __future__ import annotations

from dipper.decide.clauses import CLAUSES_MAX, LITERALS_MAX, split
from dipper.decide.inputs import NOW
from dipper.expr.parse import parse
from dipper.expr.types import Scope
from dipper.spec.scope import HOST_FUNCTIONS

SCOPE = Scope(dict.fromkeys("abcdefgh", "int") | {"rate": "double", "s": "bool"}, HOST_FUNCTIONS)


def clauses(text: str) -> tuple[list[list[str]], int]:
    """The inputs of the literals of each clause, and how many parts are left."""
    found = split(parse(text, SCOPE, expected="bool").tree, NOW)
    return [[literal.input for literal in clause] for clause in found.clauses], len(found.rest)


def test_each_input_of_a_chain_is_a_clause() -> None:
    """AND makes clauses, OR literals of one; the longest clause comes first."""
    assert clauses("a > 1 AND (b > 2 OR s)") == ([["b", "s"], ["a"]], 0)


def test_what_reads_one_input_stays_together() -> None:
    """However it is written, a condition over one input is one literal."""
    assert clauses("(a > 1 OR a IS NULL) AND NOT (a = 5 AND a < 9)") == ([["a"]], 0)


def test_not_moves_inward() -> None:
    """NOT of a chain is the other chain of NOTs."""
    assert clauses("NOT (a > 1 OR NOT (b > 2 AND s))") == ([["a"], ["b"], ["s"]], 0)
    assert clauses("NOT (a > 1 AND b > 2)") == ([["a", "b"]], 0)


def test_what_reads_several_inputs_at_once_is_left() -> None:
    """A comparison of two inputs, and AND below OR, are computed."""
    assert clauses("a > b AND s") == ([["s"]], 1)
    assert clauses("(a > 1 AND b > 2) OR s") == ([], 1)


def test_the_time_is_not_looked_up() -> None:
    """A moment never comes again."""
    assert clauses("now() > TIMESTAMP '2026-01-01 00:00:00' AND s") == ([["s"]], 1)


def test_what_tells_zeros_apart_is_not_looked_up() -> None:
    """0.0 and -0.0 are one key of a dictionary and two texts."""
    assert clauses("rate > 0.5") == ([["rate"]], 0)
    assert clauses("CAST(rate AS text) = '0.0'") == ([], 1)


def test_constants_settle() -> None:
    """A clause that is TRUE whatever the values is gone, one that never is stays as the rest."""
    assert clauses("(1 = 1 OR a > 2 OR b > 2) AND s") == ([["s"]], 0)
    assert clauses("(1 = 2 OR a > 2 OR b > 2) AND s") == ([["a", "b"], ["s"]], 0)
    assert clauses("1 = 2 AND s AND a > 1") == ([["s"], ["a"]], 1)


def test_bounded() -> None:
    """Long clauses and long chains of them are computed: a lookup has a row for each literal."""
    letters = "abcdefgh"
    assert len(letters) > max(LITERALS_MAX, CLAUSES_MAX)
    assert clauses(" OR ".join(f"{name} = 1" for name in letters)) == ([], 1)
    found, rest = clauses(" AND ".join(f"{name} = 1" for name in letters))
    assert (len(found), rest) == (CLAUSES_MAX, len(letters) - CLAUSES_MAX)
