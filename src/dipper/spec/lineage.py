"""What an object reads, through tags and segments down to events and properties, and for what.

Whatever is derived may be used only for what all its inputs may be used for. Sensitive information
may be used only for a purpose that it states itself and that has a separate consent (or needs
none: a contract, a legal duty). Pure functions over a program: the check uses them before
`apply`, and a gate uses them again on what it was given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dipper.spec.document import Spec
from dipper.spec.finding import Path
from dipper.spec.kinds.event import Event
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.purpose import Purpose
from dipper.spec.kinds.scenario import Scenario
from dipper.spec.program import Program

DATA = ("tag", "segment", "event", "property")
DERIVED = ("tag", "segment")

Key = tuple[str, str]
Purposes = frozenset[str] | None
"""What something may be used for; None where nothing restricts it."""


@dataclass(frozen=True)
class Conflict:
    """Something that is read for purposes for which it may not be.

    `chain` goes from the reader to what forbids it; `path` is the field of the reader with which
    the chain begins; `carried` is what the last link may be used for.
    """

    chain: tuple[Key, ...]
    path: Path
    sensitive: bool
    carried: Purposes

    def chain_text(self) -> str:
        """'offer a -> segment b -> tag c -> event d'."""
        return " -> ".join(f"{kind} {name}" for kind, name in self.chain)


def inputs(program: Program, spec: Spec) -> dict[Key, Path]:
    """What an object reads directly, with the field that reads it. Events read nothing further."""
    if spec.kind in ("event", "property"):
        return {}
    found: dict[Key, Path] = {}
    for ref in spec.refs():
        if ref.kind in DATA and program.get(ref.kind, ref.name) is not None:
            found.setdefault((ref.kind, ref.name), ref.path)
    return found


def stated(program: Program, key: Key) -> Purposes:
    """The purposes that an object itself states."""
    spec = program.get(*key)
    names = getattr(spec, "purposes", None)
    return None if names is None else frozenset(names)


def is_sensitive(program: Program, key: Key) -> bool:
    """Whether an event or property is sensitive, itself or by the scenario of the event."""
    spec = program.get(*key)
    if isinstance(spec, Event) and not spec.sensitive and spec.scenario is not None:
        scenario = program.of(Scenario).get(spec.scenario)
        return scenario is not None and scenario.sensitive
    return isinstance(spec, Event | Property) and spec.sensitive


def effective_purposes(program: Program) -> dict[Key, Purposes]:
    """For all data of a program: what it states, within what all its inputs may be used for."""
    known: dict[Key, Purposes] = {}
    graph = _graph(program, DATA)
    order, _ = _walk(graph)
    for key in order:
        found = stated(program, key)
        for read in graph[key]:
            # An input in a circle is not known yet and adds nothing: the circle is an error.
            found = _both(found, known.get(read))
        known[key] = found
    return known


def conflicts(
    program: Program,
    reader: Spec,
    purposes: Iterable[str],
    effective: Mapping[Key, Purposes] | None = None,
) -> list[Conflict]:
    """What `reader` reads, directly or not, although none of `purposes` allows it.

    Sensitive conflicts come first and name the chain down to the sensitive event or property; an
    input that leads to one is not reported a second time.
    """
    wanted = frozenset(purposes)
    known = effective_purposes(program) if effective is None else effective
    found = _sensitive_conflicts(program, reader, wanted)
    blamed = {conflict.chain[1] for conflict in found}
    for key, path in inputs(program, reader).items():
        carried = known.get(key)
        if key in blamed or carried is None or carried & wanted:
            continue
        chain = _to_the_restricting(program, key, wanted)
        found.append(Conflict(((reader.kind, reader.name), *chain), path, False, carried))
    return found


def _sensitive_conflicts(program: Program, reader: Spec, wanted: frozenset[str]) -> list[Conflict]:
    """Breadth first over (object, purposes left on the way), so that the shortest chain is told."""
    covering = {name for name, spec in program.of(Purpose).items() if spec.covers_sensitive}
    root = (reader.kind, reader.name)
    found: dict[Key, Conflict] = {}
    waiting: deque[tuple[tuple[Key, ...], Path, frozenset[str]]] = deque(
        ((root, key), path, wanted) for key, path in inputs(program, reader).items()
    )
    seen: set[tuple[Key, frozenset[str]]] = set()
    while waiting:
        chain, path, left = waiting.popleft()
        key = chain[-1]
        own = stated(program, key)
        left = left if own is None else left & own
        if (key, left) in seen:
            continue
        seen.add((key, left))
        if is_sensitive(program, key) and key not in found and not (own and left & covering):
            found[key] = Conflict(chain, path, True, own)
        spec = program.get(*key)
        if spec is not None:
            waiting.extend(((*chain, read), path, left) for read in inputs(program, spec))
    return list(found.values())


def _to_the_restricting(program: Program, key: Key, wanted: frozenset[str]) -> tuple[Key, ...]:
    """The shortest way from an input down to the object that states none of the purposes."""
    waiting: deque[tuple[Key, ...]] = deque([(key,)])
    seen = {key}
    while waiting:
        chain = waiting.popleft()
        own = stated(program, chain[-1])
        if own is not None and not own & wanted:
            return chain
        spec = program.get(*chain[-1])
        for read in inputs(program, spec) if spec is not None else ():
            if read not in seen:
                seen.add(read)
                waiting.append((*chain, read))
    # Each link allows one of the purposes, but not all the same: the input itself has none left.
    return (key,)


def _both(one: Purposes, other: Purposes) -> Purposes:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def cycles(program: Program) -> list[tuple[Key, ...]]:
    """The circles among tags and segments, each once, beginning with its smallest member."""
    _, circles = _walk(_graph(program, DERIVED))
    turned = (circle.index(min(circle)) for circle in circles)
    return sorted(
        {(*circle[at:], *circle[:at]) for circle, at in zip(circles, turned, strict=True)}
    )


Graph = Mapping[Key, tuple[Key, ...]]


def _graph(program: Program, kinds: tuple[str, ...]) -> Graph:
    return {
        (spec.kind, spec.name): tuple(key for key in inputs(program, spec) if key[0] in kinds)
        for kind in kinds
        for spec in program.of(kind).values()
    }


def _walk(graph: Graph) -> tuple[list[Key], list[tuple[Key, ...]]]:
    """Depth first without recursion: all keys after what they read, and the circles met."""
    order: list[Key] = []
    circles: list[tuple[Key, ...]] = []
    done: set[Key] = set()
    for start in sorted(graph):
        way: list[tuple[Key, Iterator[Key]]] = []
        standing: list[Key] = []
        _enter(start, graph, done, way, standing)
        while way:
            key, rest = way[-1]
            read = next(rest, None)
            if read is None:
                way.pop()
                standing.pop()
                done.add(key)
                order.append(key)
            elif read in standing:
                circles.append(tuple(standing[standing.index(read) :]))
            else:
                _enter(read, graph, done, way, standing)
    return order, circles


def _enter(
    key: Key,
    graph: Graph,
    done: set[Key],
    way: list[tuple[Key, Iterator[Key]]],
    standing: list[Key],
) -> None:
    if key not in done:
        way.append((key, iter(graph.get(key, ()))))
        standing.append(key)
