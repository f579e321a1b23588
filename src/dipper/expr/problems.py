"""What is wrong with an expression: all problems at once, each with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dipper.kit.errors import BadInput


@dataclass(frozen=True)
class Problem:
    """One sentence, a hint or an empty text, and the character (from 1) at which it begins."""

    message: str
    hint: str
    position: int


class ExpressionError(BadInput):
    """An expression that is not understood; `problems` has every reason, never none."""

    code = "bad_expression"

    def __init__(self, problems: Sequence[Problem], *, where: str = "") -> None:
        *others, last = problems
        sentences = [f"{p.message} {p.hint}".rstrip() for p in others]
        super().__init__("\n".join([*sentences, last.message]), where=where, hint=last.hint)
        self.problems = tuple(problems)
