"""Which names an expression mentions, read from its text alone, without types.

Lineage has to work for a text that does not type (its tag was just renamed) and for a program
that is only loaded to be compared, so this reads tokens and does not parse. Typing and parsing
are `dipper.expr`'s; a test holds that both see the same names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<word>[^\W\d]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<space>\s+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)

# Words of the language that stand where a name could stand.
_KEYWORDS = """
    and or not in is null true false between like ilike escape case when then else end cast as
    date timestamp interval distinct from select where group order by limit having union all any
    exists on using asc desc with
"""
KEYWORDS = frozenset(_KEYWORDS.split())


@dataclass(frozen=True)
class Call:
    """A function called in the text; `literal` is its single text argument, if it has one."""

    function: str
    literal: str | None


@dataclass(frozen=True)
class Mentions:
    """What a text mentions, in order of appearance and each once."""

    names: tuple[tuple[str, ...], ...]
    calls: tuple[Call, ...]

    def within(self, namespace: str) -> tuple[str, ...]:
        """The names behind a prefix: within('tag') gives ('a',) for `tag.a > 1`."""
        return tuple(name[1] for name in self.names if len(name) == 2 and name[0] == namespace)

    def plain(self) -> tuple[str, ...]:
        """The names without a prefix."""
        return tuple(name[0] for name in self.names if len(name) == 1)

    def literals(self, function: str) -> tuple[str, ...]:
        """The text arguments with which a function is called."""
        return tuple(
            call.literal
            for call in self.calls
            if call.function == function and call.literal is not None
        )


def mentions(text: str) -> Mentions:
    """The names and calls of an expression. Total: any text gives an answer."""
    tokens = [
        (match.lastgroup or "", match.group())
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "space"
    ]
    names: dict[tuple[str, ...], None] = {}
    calls: dict[Call, None] = {}
    place = 0
    while place < len(tokens):
        kind, word = tokens[place]
        if kind not in ("word", "quoted"):
            place += 1
            continue
        name, place = _dotted(tokens, place)
        is_keyword = kind == "word" and len(name) == 1 and word.lower() in KEYWORDS
        if is_keyword:
            continue
        if _is(tokens, place, "("):
            calls[Call(".".join(name).lower(), _literal(tokens, place))] = None
        else:
            names[name] = None
    return Mentions(tuple(names), tuple(calls))


def _dotted(tokens: list[tuple[str, str]], place: int) -> tuple[tuple[str, ...], int]:
    parts = [_plain(tokens[place])]
    place += 1
    while (
        _is(tokens, place, ".")
        and place + 1 < len(tokens)
        and tokens[place + 1][0] in ("word", "quoted")
    ):
        parts.append(_plain(tokens[place + 1]))
        place += 2
    return tuple(parts), place


def _plain(token: tuple[str, str]) -> str:
    kind, text = token
    return text[1:-1].replace('""', '"') if kind == "quoted" else text


def _is(tokens: list[tuple[str, str]], place: int, sign: str) -> bool:
    return place < len(tokens) and tokens[place] == ("other", sign)


def _literal(tokens: list[tuple[str, str]], place: int) -> str | None:
    if place + 1 < len(tokens) and tokens[place + 1][0] == "text" and _is(tokens, place + 2, ")"):
        return tokens[place + 1][1][1:-1].replace("''", "'")
    return None
