"""The expressions of a program, each parsed and typed once in the scope of its place.

A program keeps texts; whoever evaluates them takes the parsed form from here. The cache is the
caller's and goes by the program's hash, so that no process holds a hidden state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field

from dipper.expr.parse import Expression, parse
from dipper.expr.problems import ExpressionError
from dipper.expr.types import Scope, Type
from dipper.spec.document import Spec, Written
from dipper.spec.finding import Path
from dipper.spec.kinds.tag import Tag
from dipper.spec.mentions import mentions
from dipper.spec.program import Program
from dipper.spec.scope import event_scope, offer_scope, subject_of, subject_scope, tag_types

Place = tuple[str, str, Path]
"""kind, name and the path of the field."""


@dataclass(frozen=True)
class Expressions:
    """All expressions of one program. What did not parse is in `errors` and nowhere else.

    `skipped` are those that read a tag which itself has no type: mending that tag comes first.
    """

    program: str
    parsed: Mapping[Place, Expression] = field(repr=False)
    errors: Mapping[Place, ExpressionError]
    skipped: frozenset[Place]
    tag_types: Mapping[str, Type] = field(repr=False)

    def get(self, kind: str, name: str, *path: str | int) -> Expression | None:
        """The expression of a field, as get('tag', 'bills_paid_30d', 'value', 'where')."""
        return self.parsed.get((kind, name, path))


def compiled(program: Program, cache: MutableMapping[str, Expressions]) -> Expressions:
    """The program's expressions, from the caller's cache or parsed into it."""
    known = cache.get(program.hash)
    if known is None:
        known = cache[program.hash] = parse_all(program)
    return known


def parse_all(program: Program) -> Expressions:
    """Parse and type every expression of a program; errors are collected, none is raised."""
    types = tag_types(program)
    scopes = _Scopes(program, types)
    parsed: dict[Place, Expression] = {}
    errors: dict[Place, ExpressionError] = {}
    skipped: set[Place] = set()
    untyped = program.of(Tag).keys() - types.keys()
    for spec in program:
        for written in spec.written():
            place = (spec.kind, spec.name, written.path)
            if not untyped.isdisjoint(mentions(written.text).within("tag")):
                skipped.add(place)
                continue
            scope = scopes.of(spec, written)
            try:
                parsed[place] = parse(written.text, scope, expected=written.expected)
            except ExpressionError as error:
                errors[place] = error
    return Expressions(program.hash, parsed, errors, frozenset(skipped), types)


class _Scopes:
    """The scopes of one program, each built once."""

    def __init__(self, program: Program, types: Mapping[str, Type]) -> None:
        self._program = program
        self._types = types
        self._known: dict[tuple[str, ...], Scope] = {}

    def of(self, spec: Spec, written: Written) -> Scope:
        """The scope of an expression of an object."""
        program, types = self._program, self._types
        if written.reads == "event":
            return self._once(
                ("event", *written.events), lambda: event_scope(program, *written.events)
            )
        subject = written.subject or subject_of(program, spec)
        build = subject_scope if written.reads == "subject" else offer_scope
        return self._once((written.reads, subject), lambda: build(program, subject, types))

    def _once(self, key: tuple[str, ...], build: Callable[[], Scope]) -> Scope:
        if key not in self._known:
            self._known[key] = build()
        return self._known[key]
