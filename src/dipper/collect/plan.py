"""The tracking plan decides for each event: accept it, omit a property, or fail it with reasons.

Types come from the property dictionary, where a property has one type in the whole bank. Each
event of the plan is checked in two ways that agree: a typed decoder takes what is as declared in
one pass, and whatever it refuses is judged property by property, so that all findings are named
at once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from dipper.collect.names import snake_case
from dipper.collect.sources import Programmed
from dipper.guard.never_store import NeverStore
from dipper.kit.errors import did_you_mean
from dipper.spec.reserved import NUMBERS, personal_properties

_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: dict[str, Any] = {
    "bool": bool,
    "int": _Int,
    "double": float,
    "text": str,
    "timestamp": datetime,
    "date": date,
}
_WORDS = {"timestamp": "an RFC 3339 time", "date": "a date like 2026-01-31", "int": "an integer"}
_JSON_WORDS = {bool: "a bool", int: "an integer", float: "a number", str: "a text", list: "a list"}

_HINTS_MAX = 256


class Failed(NamedTuple):
    """An event that the plan does not accept: code of the first finding, all reasons, where."""

    code: str
    reason: str
    path: str = ""


class Accepted(NamedTuple):
    """Properties to store, ready to encode. `whole` is what the canonical event has: more than
    `properties` only where the plan omits something."""

    properties: dict[str, Any]
    whole: dict[str, Any]
    removed: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing was omitted."""
        return self.properties is self.whole

    def without(self, names: frozenset[str]) -> Accepted:
        """The same without properties of these names."""
        whole = {name: value for name, value in self.whole.items() if name not in names}
        kept = {name: value for name, value in self.properties.items() if name not in names}
        return Accepted(whole if self.is_whole else kept, whole, self.removed)


@dataclass(frozen=True)
class Declared:
    """One property of the dictionary, ready to check: its JSON type and how to say it."""

    name: str
    type: Any
    words: str
    is_text: bool

    @staticmethod
    def of(spec: Any) -> Declared:
        """From a property of the dictionary."""
        kind = _TYPES[spec.type]
        words = _WORDS.get(spec.type, f"a {spec.type}")
        if spec.values and spec.type == "text":
            kind = Literal[tuple(spec.values)]
            words = f"one of {', '.join(spec.values)}"
        elif spec.name in NUMBERS:
            kind = Literal[NUMBERS[spec.name]]
            words = f"one of {', '.join(map(str, NUMBERS[spec.name]))}"
        return Declared(spec.name, kind, words, spec.type == "text" and not spec.values)


@dataclass(frozen=True)
class EventPlan:
    """What the plan says of one event. `subjects` are the roles that keep a row of it.

    `decode` takes a raw JSON object into its declared types, and refuses what is missing, wrong or
    undeclared. `texts` gives the texts of a decoded object that may hold anything.
    """

    name: str
    subjects: tuple[str, ...]
    declared: Mapping[str, Declared]
    dictionary: Mapping[str, Declared]
    required: tuple[str, ...]
    undeclared: str
    on_error: str
    senders: frozenset[str]
    scenario: str | None
    never_store: NeverStore
    decode: Callable[[msgspec.Raw], Any]
    texts: Callable[[Any], tuple[Any, ...]] | None

    def judge(self, given: Mapping[str, Any]) -> Accepted | Failed:
        """Judge properties one by one. Names become snake_case, secrets are removed."""
        clean, removed = self.never_store.clean(_named(given))
        whole: dict[str, Any] = {}
        kept: dict[str, Any] = {}
        findings: list[Failed] = []
        for name, value in clean.items():
            known = self.declared.get(name) or self.dictionary.get(name)
            fit, value = _convert(known, value)
            whole[name] = value
            if name not in self.declared and self.undeclared != "accept":
                if self.undeclared == "fail":
                    findings.append(self._undeclared(name))
            elif fit:
                kept[name] = value
            elif self.on_error == "fail" and known is not None:
                findings.append(_wrong_type(known, value))
        findings += [
            Failed("missing_property", f"'{name}' is required", f"properties.{name}")
            for name in self.required
            if kept.get(name) is None and not any(f.path == f"properties.{name}" for f in findings)
        ]
        if findings:
            return Failed(
                findings[0].code, "; ".join(found.reason for found in findings), findings[0].path
            )
        return Accepted(whole if len(kept) == len(whole) else kept, whole, removed)

    def _undeclared(self, name: str) -> Failed:
        reason = f"event '{self.name}' does not declare '{name[:64]}'"
        return Failed("undeclared_property", reason, f"properties.{name[:64]}")


class Plan:
    """The tracking plan of one program."""

    def __init__(
        self,
        program: str,
        events: Mapping[str, EventPlan],
        never_store: NeverStore,
        dictionary: Mapping[str, Declared],
        personal: frozenset[str],
    ) -> None:
        self.program = program
        self.events = events
        self.never_store = never_store
        self.personal = personal
        self._dictionary = dictionary
        self._hints_left = _HINTS_MAX

    @staticmethod
    def compile(program: Programmed) -> Plan:
        """The plan of a program; kept as long as the program is served."""
        properties = program.of("property")
        never_store = NeverStore(name for name, spec in properties.items() if spec.pi_class == "C3")
        dictionary = {
            name: Declared.of(spec)
            for name, spec in properties.items()
            if not never_store.forbids(name)
        }
        events = {
            name: _event_plan(spec, dictionary, never_store)
            for name, spec in program.of("event").items()
        }
        personal = personal_properties(properties)
        return Plan(program.hash, events, never_store, dictionary, personal)

    def undeclared_event(self, name: str) -> EventPlan:
        """The plan for an event that nobody declared and the source accepts all the same."""
        return EventPlan(
            name=name,
            subjects=("person",),
            declared={},
            dictionary=self._dictionary,
            required=(),
            undeclared="accept",
            on_error="fail",
            senders=frozenset(("public", "server", "partner", "core")),
            scenario=None,
            never_store=self.never_store,
            decode=_decoder({}, ()),
            texts=None,
        )

    def judge(self, event: str, properties: Mapping[str, Any]) -> Accepted | Failed:
        """Judge one event by name, as the property-wise check does."""
        found = self.events.get(event)
        if found is None:
            return self.unknown(event)
        return found.judge(properties)

    def unknown(self, event: str) -> Failed:
        """The failure of an event that the plan does not know."""
        # A hint costs a comparison with all events: a stranger may ask for so many only.
        self._hints_left -= 1
        hint = did_you_mean(event[:64], self.events) if self._hints_left > 0 else ""
        reason = f"event '{event[:64]}' is not in the tracking plan"
        return Failed("unknown_event", f"{reason}. {hint}" if hint else reason, "event")


def _event_plan(
    spec: Any, dictionary: Mapping[str, Declared], never_store: NeverStore
) -> EventPlan:
    declared = {name: dictionary[name] for name in sorted(spec.properties) if name in dictionary}
    required = tuple(name for name in spec.required if name in declared)
    return EventPlan(
        name=spec.name,
        subjects=tuple(spec.subjects),
        declared=declared,
        dictionary=dictionary,
        required=required,
        undeclared=spec.undeclared,
        on_error=spec.on_error,
        senders=frozenset(spec.senders),
        scenario=spec.scenario,
        never_store=never_store,
        decode=_decoder(declared, required),
        texts=_text_getter(declared),
    )


def _decoder(
    declared: Mapping[str, Declared], required: tuple[str, ...]
) -> Callable[[msgspec.Raw], Any]:
    """A typed decoder whose struct encodes its fields in the order of their names.

    Fields are called f0, f1 ... so that a property may have any name.
    """
    fields: list[Any] = []
    for place, known in enumerate(declared.values()):
        if known.name in required:
            fields.append((f"f{place}", known.type))
        else:
            optional = known.type | None | msgspec.UnsetType
            fields.append((f"f{place}", optional, msgspec.UNSET))
    struct = msgspec.defstruct(
        "Properties",
        fields,
        kw_only=True,
        forbid_unknown_fields=True,
        gc=False,
        rename={f"f{place}": name for place, name in enumerate(declared)},
    )
    return msgspec.json.Decoder(struct).decode


def _text_getter(declared: Mapping[str, Declared]) -> Callable[[Any], tuple[Any, ...]] | None:
    places = [f"f{place}" for place, known in enumerate(declared.values()) if known.is_text]
    if not places:
        return None
    if len(places) == 1:
        places *= 2  # with a single name the getter would give no tuple
    return operator.attrgetter(*places)


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """Property names in our writing; where two become one, the one written so stays."""
    named: dict[str, Any] = {}
    for name, value in given.items():
        plain = snake_case(name)
        own = plain if plain and (plain == name or plain not in given) else name
        named[own if own not in named else name] = value
    return named


def _convert(known: Declared | None, value: Any) -> tuple[bool, Any]:
    """Whether a value is as declared, and the value in its declared type."""
    if known is None or value is None:
        return True, value
    try:
        return True, msgspec.convert(value, known.type)
    except msgspec.ValidationError:
        return False, value


def _wrong_type(known: Declared, value: Any) -> Failed:
    """Names the types, never the value."""
    got = _JSON_WORDS.get(type(value), "an object")
    if isinstance(value, str) and known.words != "a text":
        got = "another text"
    elif known.name in NUMBERS and type(value) is int:
        got = "another integer"
    return Failed(
        "wrong_type",
        f"'{known.name}' must be {known.words}, got {got}",
        f"properties.{known.name}",
    )
