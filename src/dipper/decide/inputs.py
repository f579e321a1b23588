"""Every value that a decision reads, read once, in an order that program and tables fix.

The gates, the conditions and the ranker see these values and nothing else, and the trace stores
them, so that a decision can be computed again without its subject. What is not known is None.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

from dipper.expr.types import Scope, Type
from dipper.kit.errors import BadInput

NOW = "now()"

Values = list[Any]
Pick = Callable[[Sequence[Any]], tuple[Any, ...]]


class Consent(Protocol):
    """What is known of a subject's consent to one purpose, as the latest event left it."""

    @property
    def given(self) -> bool: ...
    @property
    def notice_version(self) -> str | None: ...
    @property
    def separate(self) -> bool: ...


class Assessment(Protocol):
    """A risk assessment by the core: level 1 to 5, valid until a moment (exclusive)."""

    @property
    def level(self) -> int: ...
    @property
    def valid_until_us(self) -> int | None: ...


class Holding(Protocol):
    """A product that a subject has, and its product line."""

    @property
    def product(self) -> str: ...
    @property
    def line(self) -> str | None: ...


class Subject(Protocol):
    """What a decision may know of a subject; `dipper.profile.subject.Subject` is one.

    `tags` and `caps` have an entry for each tag and cap of the program; `traits` are attributes
    from believed sources; `holdings` are open ones; `lots` has that of each policy (by
    `experiment.arms`) which has decided about it.
    """

    @property
    def key(self) -> bytes: ...
    @property
    def kind(self) -> str: ...
    @property
    def verified(self) -> bool: ...
    @property
    def erased(self) -> bool: ...
    @property
    def tags(self) -> Mapping[str, Any]: ...
    @property
    def segments(self) -> Collection[str]: ...
    @property
    def traits(self) -> Mapping[str, Any]: ...
    @property
    def holdings(self) -> Iterable[Holding]: ...
    @property
    def consents(self) -> Mapping[str, Consent]: ...
    @property
    def assessment(self) -> Assessment | None: ...
    @property
    def caps(self) -> Mapping[str, int]: ...
    @property
    def lots(self) -> Mapping[str, int]: ...


@dataclass(frozen=True)
class Input:
    """One value to read: `source` says from where, `key` what."""

    name: str
    type: Type
    source: str
    key: str


_GATE_TYPES: Mapping[str, Type] = {
    "assessment.level": "int",
    "assessment.valid_until_us": "int",
}
_CONSENT_TYPES: Mapping[str, Type] = {"given": "bool", "notice_version": "text", "separate": "bool"}
_DIGITS: Mapping[bool | None, str] = {True: "1", False: "0", None: "-"}
_TO_DIGIT = bytes.maketrans(b"\x00\x01", b"01")
_BOOLS = {digit: value for value, digit in _DIGITS.items()}
_ATTRIBUTES = ("person", "organisation", "case")


def input_of(name: str, scope: Scope) -> Input:
    """The input behind a name: of an expression's scope, or one that gates read.

    Raises BadInput for a name that nothing gives.
    """
    prefix, _, rest = name.partition(".")
    if name == NOW:
        return Input(name, "timestamp", "now", "")
    if name.endswith("')") and (call := name[:-2].partition("('"))[0] in ("holds", "holds_line"):
        return Input(name, "bool", call[0], call[2].replace("''", "'"))
    if name in scope.columns and prefix != "product":
        return Input(name, scope.columns[name], prefix, rest)
    if name in _GATE_TYPES:
        return Input(name, _GATE_TYPES[name], prefix, rest)
    if prefix == "consent" and (part := rest.rpartition("."))[2] in _CONSENT_TYPES:
        return Input(name, _CONSENT_TYPES[part[2]], prefix, rest)
    if prefix == "cap" and rest:
        return Input(name, "int", prefix, rest)
    raise BadInput(
        f"expected an input of the platform, got '{name}'",
        where="gate",
        hint="Inputs are tag, segment, person, organisation, case, context, holds, holds_line, "
        "assessment, consent, cap and now().",
    )


@dataclass(frozen=True)
class Inputs:
    """The inputs of one placement, sorted by name."""

    inputs: tuple[Input, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Their names in order."""
        return tuple(one.name for one in self.inputs)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each name."""
        return {name: place for place, name in enumerate(self.names)}

    def collect(
        self,
        subject: Subject,
        context: Mapping[str, Any],
        now_us: int,
        *,
        is_personalised: bool,
    ) -> Values:
        """The values in order; None where something is not known.

        `context` is as `decide.context` reads it. An erased subject gives nothing. Without
        personalisation tags and segments are not read.
        """
        readers = _readers(subject, now_us, is_personalised=is_personalised)
        readers["context"] = context.get
        values: Values = []
        for source, keys in self._runs:
            values += map(readers[source], keys)
        return values

    @cached_property
    def _runs(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Neighbours that come from one source, with their keys."""
        runs = groupby(self.inputs, key=lambda one: one.source)
        return tuple((source, tuple(one.key for one in run)) for source, run in runs)

    def pack(self, values: Values) -> tuple[str, Values]:
        """The values as a trace stores them: a digit for each bool, the others as they are.

        The time is not among them: the trace has it.
        """
        bools = self._bools(values)
        if None in bools:
            flags = "".join(map(_DIGITS.__getitem__, bools))
        else:
            flags = bytes(bools).translate(_TO_DIGIT).decode("ascii")
        return flags, list(self._others(values))

    @cached_property
    def _bools(self) -> Pick:
        return _pick([at for at, one in enumerate(self.inputs) if one.type == "bool"])

    @cached_property
    def _others(self) -> Pick:
        places = enumerate(self.inputs)
        return _pick([at for at, one in places if one.type != "bool" and one.name != NOW])

    def unpack(self, flags: str, others: Sequence[Any], now_us: int) -> Values:
        """The values of a trace. Raises ValueError when they are not of these inputs."""
        bools, rest = iter(flags), iter(others)
        values: Values = []
        for one in self.inputs:
            if one.name == NOW:
                values.append(now_us)
            elif one.type == "bool":
                values.append(_BOOLS[next(bools, "")])
            else:
                values.append(next(rest))
        if next(bools, None) is not None or next(rest, None) is not None:
            raise ValueError("a trace has more values than its placement has inputs")
        return values


def _pick(places: Sequence[int]) -> Pick:
    """A function from all values to those at some places, as a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple(values[place] for place in places)


def _readers(
    subject: Subject, now_us: int, *, is_personalised: bool
) -> dict[str, Callable[[str], Any]]:
    """source -> key -> value, for one decision."""
    readers: dict[str, Callable[[str], Any]] = dict.fromkeys(_SOURCES, _unknown)
    readers["now"] = lambda _: now_us
    if subject.erased:
        return readers
    if is_personalised:
        readers["tag"] = subject.tags.get
        readers["segment"] = subject.segments.__contains__
    if subject.kind in _ATTRIBUTES:
        readers[subject.kind] = subject.traits.get
    if subject.verified:
        readers["holds"] = {holding.product for holding in subject.holdings}.__contains__
        readers["holds_line"] = {holding.line for holding in subject.holdings}.__contains__
    readers["cap"] = subject.caps.get
    readers["consent"] = lambda key: _consent_part(subject.consents, key)
    assessment = subject.assessment
    if assessment is not None:
        readers["assessment"] = lambda key: getattr(assessment, key)
    return readers


_SOURCES = (
    "tag",
    "segment",
    *_ATTRIBUTES,
    "context",
    "holds",
    "holds_line",
    "assessment",
    "consent",
    "cap",
)


def _unknown(key: str) -> None:
    """Nothing is known."""


def _consent_part(consents: Mapping[str, Consent], key: str) -> Any:
    purpose, _, part = key.rpartition(".")
    consent = consents.get(purpose)
    if consent is None:
        return None
    if part == "notice_version":
        return consent.notice_version or ""
    return consent.given if part == "given" else consent.separate
