"""Every value that a decision reads, read once, in an order that program and tables fix.

The gates, the conditions and the ranker see these values and nothing else, and the trace stores
them, so that a decision can be computed again without its subject. What is not known is None.

Values have the form in which the trace keeps them from the first moment on: a digit for each bool,
the others as they are. Most bools are false (what somebody could hold and does not), so that a
decision marks the few others in a row of zeros and looks at no place of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from dipper.expr.types import Scope, Type
from dipper.kit.errors import BadInput

NOW = "now()"


class Values(NamedTuple):
    """All that a decision reads. `flags` has a digit for each bool in the order of the inputs ('-'
    is not known), `others` the rest but the time."""

    flags: str
    others: list[Any]
    now_us: int


Pick = Callable[[Values], Sequence[Any]]


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
    def holdings(self) -> Collection[Holding]: ...
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
FALSE, TRUE, UNKNOWN = "0", "1", "-"
_FALSE, _TRUE, _UNKNOWN = b"01-"
_BOOLS: Mapping[str, bool | None] = {FALSE: False, TRUE: True, UNKNOWN: None}
# Sources of which everything is known or nothing, and most of it is false.
_SPARSE = ("segment", "holds", "holds_line")
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
    def flags(self) -> tuple[Input, ...]:
        """Those behind `Values.flags`."""
        return tuple(one for one in self.inputs if one.type == "bool")

    @cached_property
    def others(self) -> tuple[Input, ...]:
        """Those behind `Values.others`."""
        return tuple(one for one in self.inputs if one.type != "bool" and one.name != NOW)

    def collect(
        self,
        subject: Subject,
        context: Mapping[str, Any],
        now_us: int,
        *,
        is_personalised: bool,
    ) -> Values:
        """The values; None where something is not known.

        `context` is as `decide.context` reads it. An erased subject gives nothing. Without
        personalisation tags and segments are not read.
        """
        reads_tags = is_personalised and not subject.erased
        knows_holdings = subject.verified and not subject.erased
        flags = bytearray(self._blanks[reads_tags, knows_holdings])
        if reads_tags:
            _mark(flags, self._sparse["segment"], subject.segments)
        if knows_holdings and subject.holdings:
            products, lines = self._sparse["holds"], self._sparse["holds_line"]
            _mark(flags, products, [holding.product for holding in subject.holdings])
            if lines:
                _mark(flags, lines, [holding.line for holding in subject.holdings])
        readers = _readers(subject, context, reads_tags=reads_tags)
        for place, source, key in self._dense:
            value = readers.get(source, _unknown)(key)
            if value is not None:
                flags[place] = _TRUE if value else _FALSE
        others: list[Any] = []
        for source, keys in self._runs:
            others += map(readers.get(source, _unknown), keys)
        return Values(flags.decode("ascii"), others, now_us)

    @cached_property
    def _blanks(self) -> Mapping[tuple[bool, bool], bytes]:
        """The flags before any is marked, by whether segments and holdings are known."""

        def blank(reads_tags: bool, knows_holdings: bool) -> bytes:
            known = ("segment",) * reads_tags + ("holds", "holds_line") * knows_holdings
            return bytes(_FALSE if one.source in known else _UNKNOWN for one in self.flags)

        return {(a, b): blank(a, b) for a in (False, True) for b in (False, True)}

    @cached_property
    def _sparse(self) -> Mapping[str, Mapping[str, int]]:
        """source -> key -> its place in the flags."""
        return {
            source: {one.key: place for place, one in enumerate(self.flags) if one.source == source}
            for source in _SPARSE
        }

    @cached_property
    def _dense(self) -> tuple[tuple[int, str, str], ...]:
        """Place, source and key of the flags that are read one by one."""
        places = enumerate(self.flags)
        return tuple((at, one.source, one.key) for at, one in places if one.source not in _SPARSE)

    @cached_property
    def _runs(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Neighbours among the others that come from one source, with their keys."""
        runs = groupby(self.others, key=lambda one: one.source)
        return tuple((source, tuple(one.key for one in run)) for source, run in runs)

    def known(self, flags: str, others: Sequence[Any], now_us: int) -> Values:
        """The values of a trace. Raises ValueError when they are not of these inputs."""
        if (
            len(flags) != len(self.flags)
            or not _BOOLS.keys() >= set(flags)
            or len(others) != len(self.others)
        ):
            raise ValueError("a trace has other values than its placement has inputs")
        return Values(flags, list(others), now_us)

    def named(self, values: Values) -> dict[str, Any]:
        """Every value by its name."""
        return dict(zip(self.names, self.pick(self.names)(values), strict=True))

    def pick(self, names: Iterable[str]) -> Pick:
        """A function from all values to those of some inputs, in their order.

        Raises KeyError for a name that is not among the inputs.
        """
        wanted = list(names)
        places = [self._others.get(name) for name in wanted]
        if len(places) > 1 and None not in places:
            get = itemgetter(*places)
            return lambda values: get(values.others)
        reads = [self._read(name) for name in wanted]
        return lambda values: tuple([read(values) for read in reads])

    def _read(self, name: str) -> Callable[[Values], Any]:
        if name == NOW:
            return lambda values: values.now_us
        place = self._others.get(name)
        if place is not None:
            return lambda values: values.others[place]
        flag = self.flag_places[name]
        return lambda values: _BOOLS[values.flags[flag]]

    @cached_property
    def flag_places(self) -> Mapping[str, int]:
        """The place in the flags of each input that is a bool."""
        return {one.name: place for place, one in enumerate(self.flags)}

    @cached_property
    def _others(self) -> Mapping[str, int]:
        return {one.name: place for place, one in enumerate(self.others)}


def places_of(flags: str, digit: str) -> Iterator[int]:
    """The places at which a digit stands."""
    place = flags.find(digit)
    while place >= 0:
        yield place
        place = flags.find(digit, place + 1)


def _mark(flags: bytearray, places: Mapping[str, int], found: Iterable[str | None]) -> None:
    """Set the flags of what was found and is asked for."""
    for key in found:
        if key is not None and key in places:
            flags[places[key]] = _TRUE


def _readers(
    subject: Subject, context: Mapping[str, Any], *, reads_tags: bool
) -> dict[str, Callable[[str], Any]]:
    """source -> key -> value, for one decision; a source of which nothing is known is missing."""
    readers: dict[str, Callable[[str], Any]] = {"context": context.get}
    if subject.erased:
        return readers
    if reads_tags:
        readers["tag"] = subject.tags.get
    if subject.kind in _ATTRIBUTES:
        readers[subject.kind] = subject.traits.get
    readers["cap"] = subject.caps.get
    readers["consent"] = partial(_consent_part, subject.consents)
    if subject.assessment is not None:
        readers["assessment"] = partial(getattr, subject.assessment)
    return readers


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
