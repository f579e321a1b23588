"""What a gate says. A refusal is a value with a code and numbers, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

INPUT_MISSING = "input_missing"


# Shared by all verdicts without facts; a plain dict, so that every encoder knows it.
_NO_FACTS: Mapping[str, Any] = {}


class Verdict(NamedTuple):
    """One gate about one offer. `facts` are the numbers that the explanation shows."""

    passed: bool
    code: str = "passed"
    facts: Mapping[str, Any] = _NO_FACTS


PASSED = Verdict(True)


def denied(code: str, **facts: Any) -> Verdict:
    """A refusal with its reason."""
    return Verdict(False, code, facts)


def input_missing(*names: str) -> Verdict:
    """The refusal that every gate gives when a value it needs is not there."""
    return Verdict(False, INPUT_MISSING, {"missing": names})


@dataclass(frozen=True)
class Rule:
    """A rule that a gate holds: its id in our documents, and the regulation's short name."""

    id: str
    source: Mapping[str, str]


@dataclass(frozen=True)
class Reason:
    """What a code means: the rule behind it and a sentence with places for the facts."""

    rule: str
    zh: str
    en: str

    def text(self, language: str) -> str:
        """The sentence in 'zh' or 'en'."""
        return self.zh if language == "zh" else self.en
