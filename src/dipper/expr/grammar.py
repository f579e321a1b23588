"""Reading: text to sqlglot's tree, before anything is typed.

Imported only inside `parse`, because sqlglot takes 100 ms to import. The parser is DuckDB's with
all knowledge of functions taken out, so that a call arrives as it was written. Nothing but
`dipper.expr.convert` sees the result.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokens import TokenType

from dipper.expr.problems import Problem

TEXT_MAX = 10_000
NESTING_MAX = 16

_OPENING = (TokenType.L_PAREN, TokenType.CASE)
_CLOSING = (TokenType.R_PAREN, TokenType.END)
_PREFIX = (TokenType.NOT, TokenType.DASH, TokenType.PLUS)


class _Parser(DuckDBParser):  # type: ignore[misc]
    FUNCTIONS: dict[str, Any] = {}  # noqa: RUF012
    FUNCTION_PARSERS = {  # noqa: RUF012
        name: DuckDBParser.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST")
    }
    NO_PAREN_FUNCTIONS: dict[str, Any] = {}  # noqa: RUF012
    NO_PAREN_FUNCTION_PARSERS = {  # noqa: RUF012
        "CASE": DuckDBParser.NO_PAREN_FUNCTION_PARSERS["CASE"]
    }


def read(text: str) -> exp.Expression | Problem:
    """sqlglot's tree of one expression, or why there is none."""
    if problem := _unfit(text):
        return problem
    dialect = DuckDB()
    try:
        tokens = dialect.tokenize(text)
    except TokenError:
        return Problem("a quote is opened and never closed.", "", 1)
    if problem := _unfit_tokens(tokens):
        return problem
    try:
        trees = _Parser(dialect=dialect).parse(tokens, text)
    except ParseError as error:
        return _unreadable(text, error)
    if len(trees) != 1 or trees[0] is None:
        return Problem("expected one expression.", "Join conditions with AND.", 1)
    return trees[0]


def _unfit(text: str) -> Problem | None:
    if not text.strip():
        return Problem("expected an expression, got an empty text.", "", 1)
    if len(text) > TEXT_MAX:
        return Problem(f"longer than {TEXT_MAX:,} characters: {len(text):,}.", "", TEXT_MAX)
    for index, char in enumerate(text):
        if char == "\0" or "\ud800" <= char <= "\udfff":
            return Problem(f"character {index + 1} (U+{ord(char):04X}) is no text.", "", index + 1)
    return None


def _unfit_tokens(tokens: list[Any]) -> Problem | None:
    """Comments and deep nesting, found before the parser recurses into them."""
    depth = 0
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if token.comments:
            return Problem(
                "a comment is not part of the expression language.",
                "For a negative number after a minus write 'a - -1'.",
                token.start + 1,
            )
        if depth > NESTING_MAX:
            at = token.start + 1
            return Problem(f"nested deeper than {NESTING_MAX} at character {at}.", "", at)
    run = 0
    for before, token in pairwise(tokens):
        run = run + 1 if before.token_type in _PREFIX and token.token_type in _PREFIX else 0
        if run >= NESTING_MAX:
            at = token.start + 1
            return Problem(f"nested deeper than {NESTING_MAX} at character {at}.", "", at)
    return None


def _unreadable(text: str, error: ParseError) -> Problem:
    """sqlglot counts lines and the column at which a token ends; we show where it begins."""
    first = error.errors[0] if error.errors else {}
    word = first.get("highlight") or ""
    lines = text.splitlines(keepends=True)[: (first.get("line") or 1) - 1]
    end = sum(map(len, lines)) + (first.get("col") or 1)
    at = max(end - len(word) + 1, 1)
    if "Expecting )" in (first.get("description") or ""):
        return Problem(f"a ')' is missing after character {end}.", "", end)
    near = f", near '{word}'" if word else ""
    return Problem(f"cannot be read at character {at}{near}.", "", at)
