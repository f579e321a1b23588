"""Where in its text a part of an expression stands, and the list of what is wrong there.

Imported only inside `parse` (it reads sqlglot's places).
"""

from __future__ import annotations

from sqlglot import exp

from dipper.expr.operands import UNKNOWN
from dipper.expr.problems import Problem
from dipper.expr.tree import Node


class Places:
    """One text and the problems found in it so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []

    def span(self, e: exp.Expression) -> tuple[int, int]:
        """First and last character (from 0) of the words to which sqlglot gave a place."""
        places = [n.meta for n in e.walk() if "start" in n.meta]
        if not places:
            return 0, len(self.text) - 1
        return min(p["start"] for p in places), max(p["end"] for p in places)

    def source(self, e: exp.Expression) -> str:
        """About what was written, for an error."""
        if isinstance(e, exp.Null | exp.Boolean):
            return str(e.sql())
        start, end = self.span(e)
        return self.text[start : end + 1]

    def problem(self, e: exp.Expression, message: str, hint: str = "") -> Node:
        """Notes a problem; `{at}` in the message becomes its place. Gives UNKNOWN."""
        position = self.span(e)[0] + 1
        text = message.replace("{at}", f"at character {position}")
        self.problems.append(Problem(text, hint, position))
        return UNKNOWN
