"""What an expression may mention where it stands: names, types and functions of the host.

Over events the properties that the event declares and the envelope's columns have plain names.
About a subject there are `tag.<name>`, `segment.<name>` and the subject's attributes. For an offer
the product's columns and the context of the request come in addition. A name that a program does
not declare is in no scope, so that a misspelt one is found before anything is applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from dipper.expr.parse import parse
from dipper.expr.problems import ExpressionError
from dipper.expr.types import HostFunction, Scope, Type
from dipper.spec.document import Spec
from dipper.spec.envelope import ENVELOPE_COLUMNS, READABLE
from dipper.spec.kinds.event import Event
from dipper.spec.kinds.placement import Placement
from dipper.spec.kinds.policy import Policy
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.segment import Segment
from dipper.spec.kinds.table import PRODUCT, Table
from dipper.spec.kinds.tag import Tag
from dipper.spec.mentions import mentions
from dipper.spec.program import Program

__all__ = [
    "ENVELOPE_COLUMNS",
    "HOST_FUNCTIONS",
    "event_scope",
    "offer_scope",
    "subject_of",
    "subject_scope",
    "tag_types",
]

HOST_FUNCTIONS: dict[str, HostFunction] = {
    "holds": HostFunction(("text",), "bool"),
    "holds_line": HostFunction(("text",), "bool"),
}

TagTypes = Mapping[str, Type]


def event_scope(program: Program, *events: str) -> Scope:
    """What a condition over these events may read: what all of them declare, and the envelope."""
    dictionary = program.of(Property)
    specs = [program.of(Event).get(name) for name in events]
    declared = [set(spec.properties) for spec in specs if spec is not None]
    common = reduce(set.intersection, declared) if declared else set()
    columns: dict[str, Type] = dict(READABLE)
    columns |= {
        name: dictionary[name].type
        for name in sorted(common)
        if name in dictionary and dictionary[name].pi_class != "C3"
    }
    return Scope(columns)


def subject_scope(program: Program, subject: str, types: TagTypes | None = None) -> Scope:
    """What a condition about a subject may read.

    `types` are those of the tags (`tag_types`), computed when not given; a tag without a type is
    in no scope.
    """
    known = tag_types(program) if types is None else types
    columns: dict[str, Type] = {
        f"tag.{tag.name}": known[tag.name]
        for tag in program.of(Tag).values()
        if tag.subject == subject and tag.name in known
    }
    columns |= {
        f"segment.{segment.name}": "bool"
        for segment in program.of(Segment).values()
        if segment.subject == subject
    }
    columns |= {
        f"{subject}.{spec.name}": spec.type
        for spec in program.of(Property).values()
        if spec.of == subject and spec.pi_class != "C3"
    }
    return Scope(columns, HOST_FUNCTIONS)


def offer_scope(program: Program, subject: str, types: TagTypes | None = None) -> Scope:
    """What a condition of an offer to a subject may read, and a policy's features."""
    columns = dict(subject_scope(program, subject, types).columns)
    product = program.of(Table).get(PRODUCT)
    if product is not None:
        columns |= {f"product.{name}": type_ for name, type_ in product.columns.items()}
    columns |= {
        f"context.{name}": spec.type
        for name, spec in program.of(Property).items()
        if spec.pi_class != "C3"
    }
    return Scope(columns, HOST_FUNCTIONS)


def tag_types(program: Program) -> dict[str, Type]:
    """The type of each tag. Formulas are typed after the tags that they read.

    A tag whose formula does not type, or that reads itself in a circle, is left out.
    """
    tags = program.of(Tag)
    types: dict[str, Type] = {}
    formulas: dict[str, str] = {}
    for tag in tags.values():
        if tag.value.formula is not None:
            formulas[tag.name] = tag.value.formula
        elif (known := _plain_type(program, tag)) is not None:
            types[tag.name] = known
    while formulas:
        ready = {
            name: text
            for name, text in formulas.items()
            if not any(read in formulas for read in mentions(text).within("tag"))
        }
        if not ready:
            break
        for name, text in ready.items():
            del formulas[name]
            try:
                types[name] = parse(text, subject_scope(program, tags[name].subject, types)).type
            except ExpressionError:  # Reported by whoever parses the program's expressions.
                continue
    return types


def _plain_type(program: Program, tag: Tag) -> Type | None:
    """The type of a tag that is no formula; None where its property is not known."""
    value = tag.value
    if value.aggregate in ("count", "distinct"):
        return "int"
    name = value.attribute or value.property
    if name is None:
        return None
    spec = program.of(Property).get(name)
    return spec.type if spec is not None else READABLE.get(name)


def subject_of(program: Program, spec: Spec) -> str:
    """About whom an object's expressions are: its own `subject`, else that of its placements."""
    own = getattr(spec, "subject", None)
    if isinstance(own, str):
        return own
    placements = program.of(Placement)
    if isinstance(spec, Policy):
        places = [place for place in placements.values() if place.policy == spec.name]
    else:
        names = getattr(spec, "placements", ())
        places = [placements[name] for name in names if name in placements]
    return places[0].subject if places else "person"
