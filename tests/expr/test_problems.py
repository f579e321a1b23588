"""The texts of errors, as `errors.golden` beside this file has them.

`DIPPER_GOLDEN=write` rewrites the file; read the diff.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dipper.expr.parse import parse
from dipper.expr.problems import ExpressionError
from dipper.expr.types import HostFunction, Scope

GOLDEN = Path(__file__).with_name("errors.golden")
SCOPE = Scope(
    {
        "amount_fen": "int",
        "rate": "double",
        "person.city": "text",
        "person.age": "int",
        "is_live": "bool",
        "born_on": "date",
        "time": "timestamp",
    },
    {"holds": HostFunction(("text",), "bool")},
)


def told(text: str) -> str:
    try:
        parse(text, SCOPE, where="payers.yml:7")
    except ExpressionError as error:
        return str(error)
    return "no error"


def test_errors_say_where_what_and_what_to_do(golden: Callable[[Path, str], None]) -> None:
    """Each text of the golden file is refused with exactly the words below it."""
    texts = [b.split("\n")[0] for b in GOLDEN.read_text("utf-8").strip().split("\n\n")]
    blocks = ["\n".join([text, told(text.replace("\\n", "\n"))]) for text in texts]
    current = "\n\n".join(blocks) + "\n"
    golden(GOLDEN, current)
    assert "no error" not in current


def test_endless_texts_are_refused_before_they_are_read() -> None:
    """By length, by nesting and by depth, never by a crash of the parser."""
    assert "longer than 10,000 characters" in told("amount_fen = 1 OR " * 600 + "is_live")
    assert "nested deeper than 16" in told("(" * 17 + "1" + ")" * 17)
    assert "nested deeper than 16" in told("NOT " * 18 + "is_live")
    assert "nested deeper than 16" in told("(" * 4000)
    assert "more than 64 operations deep" in told("amount_fen" + " + 1" * 64 + " > 0")
    assert told("amount_fen" + " + 1" * 60 + " > 0") == "no error"
    assert told("(" * 16 + "is_live" + ")" * 16) == "no error"


def test_what_is_no_text_is_refused() -> None:
    """NUL and lone surrogates have no place in SQL."""
    assert "character 16 (U+0000) is no text" in told("person.city = '\0'")
    assert "(U+D800) is no text" in told("person.city = '\ud800'")
