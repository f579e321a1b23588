"""The tags of a program, compiled: what each event leaves behind, and what it then amounts to.

Persons and devices share one layout, because a device's records become a person's. So one table
answers for both: a visitor whom nobody has named yet has the tags of a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dipper.expr.parse import Expression
from dipper.expr.types import Type
from dipper.fold.records import RecordLayout
from dipper.fold.tags import Aggregate, FoldTable, TagFold
from dipper.kit.clock import DAY_US
from dipper.kit.errors import BadInput
from dipper.profile.evaluation import AttributeTag, Evaluation, PlainTag, compile_evaluation
from dipper.profile.folded import FoldedTag, folded_tags
from dipper.profile.formulas import Environment, closure, taker
from dipper.profile.id_state import NEVER_US
from dipper.profile.identity import ID_TYPES, KINDS, id_type
from dipper.profile.quick import Quick, compile_quick
from dipper.profile.rows import Maker, Rows, fingerprint, rows_of
from dipper.profile.segments import rule_hash
from dipper.profile.values import Value
from dipper.spec.expressions import Expressions, parse_all
from dipper.spec.kinds.event import Event
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.segment import Segment
from dipper.spec.kinds.source import Source
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program


@dataclass(frozen=True)
class Family:
    """Subject kinds whose records have one layout, and how long these are of use."""

    rows: Rows
    lifetime_mask: int
    window_max_us: int

    @property
    def layout(self) -> RecordLayout:
        """The shape of the records."""
        return self.rows.layout

    def description(self) -> dict[str, Any]:
        """What decides over which records are kept and how."""
        return {
            **self.rows.description,
            "lifetime": str(self.lifetime_mask),
            "window_max_us": self.window_max_us,
        }

    def horizon(self, last_tick_us: int) -> int:
        """Records up to this moment are of no use unless a lifetime tag counts them.

        It moves by whole days, so that a state is cut at most once a day.
        """
        if last_tick_us == NEVER_US:
            return NEVER_US
        return (last_tick_us - self.window_max_us) // DAY_US * DAY_US


@dataclass(frozen=True)
class KindTable:
    """What is evaluated for one subject kind. `take_…` give the values in the order of the names.

    `announced` are name and input name of the segments whose turns are announced: those of the kind
    itself, while a device also has what a person would have. `quick` finds out for many subjects at
    once who has turned. `windows` are those that each tag and cap reads, by input name, directly or
    through formulas; 0 is the whole life.
    """

    kind: str
    family: Family
    attributes: Mapping[str, Type]
    whole: Evaluation
    segments: Evaluation
    segment_names: tuple[str, ...]
    take_segments: Callable[[Environment], tuple[Any, ...]]
    announced: tuple[tuple[str, str], ...]
    rules: Mapping[str, str]
    quick: Quick | None
    tag_names: tuple[str, ...]
    take_tags: Callable[[Environment], tuple[Any, ...]]
    cap_names: tuple[str, ...]
    windows: Mapping[str, frozenset[int]]


@dataclass(frozen=True)
class EventPlan:
    """Which roles keep a row of an event, and its row maker by family."""

    roles: tuple[str, ...]
    makers: Mapping[str, Maker]


@dataclass(frozen=True)
class TagTable:
    """Everything that projection and reading need of a program; make it with `compile_tags`.

    `watched` has for each family the condition bits that may turn a segment. `lines` maps product
    to product line.
    """

    program: str
    layout: str
    families: Mapping[str, Family]
    kinds: Mapping[str, KindTable]
    events: Mapping[str, EventPlan]
    id_kinds: Mapping[str, str]
    believed_claims: frozenset[str]
    watched: Mapping[str, int]
    lines: Mapping[str, str] = field(repr=False)

    @property
    def layout_code(self) -> int:
        """16 bits of the layout's hash, as they stand in every state."""
        return int(self.layout[:4], 16)

    def kind_of(self, text: str) -> str:
        """The subject kind of an id, by its type."""
        return self.id_kinds.get(id_type(text), "person")


def family_of(kind: str) -> str:
    """The family of a subject kind."""
    return "person" if kind == "device" else kind


def compile_tags(
    program: Program,
    lines: Mapping[str, str] | None = None,
    expressions: Expressions | None = None,
) -> TagTable:
    """The table of a program. `lines` maps product to product line (the product table's rows).

    Raises ExpressionError or BadInput for a program that the check would have refused.
    """
    parsed = parse_all(program) if expressions is None else expressions
    for error in parsed.errors.values():
        raise error
    lines = dict(lines or {})
    folded = {kind: folded_tags(program, kind, parsed.tag_types, lines) for kind in KINDS}
    families = {
        name: _family(program, [tag for kind in kinds for tag in folded[kind]])
        for name, kinds in _FAMILIES.items()
    }
    kinds = {
        kind: _kind_table(program, parsed, kind, folded, families[family_of(kind)])
        for kind in KINDS
    }
    return TagTable(
        program=program.hash,
        layout=fingerprint({name: family.description() for name, family in families.items()}),
        families=families,
        kinds=kinds,
        events=_events(program, families),
        id_kinds=_id_kinds(program),
        believed_claims=frozenset(
            source.name for source in program.of(Source).values() if source.claims == "tags"
        ),
        watched={
            name: _bits(table.segments.fold for kind, table in kinds.items() if kind in members)
            for name, members in _FAMILIES.items()
        },
        lines=lines,
    )


def _bits(folds: Iterable[FoldTable]) -> int:
    bits = {int(bit) for fold in folds for bit in fold.tags[:, 3]}
    return sum(1 << bit for bit in bits)


_FAMILIES = {
    name: [kind for kind in KINDS if family_of(kind) == name] for name in map(family_of, KINDS)
}


def _id_kinds(program: Program) -> dict[str, str]:
    named = {spec.organisation_id_type: "organisation" for spec in program.of(Source).values()}
    return named | {name: kind for name, (kind, _) in ID_TYPES.items()}


def _family(program: Program, tags: list[FoldedTag]) -> Family:
    kept = frozenset(
        tag.condition.property
        for tag in tags
        if tag.type == "text" and tag.aggregate in (Aggregate.FIRST, Aggregate.LAST)
    )
    rows = rows_of(program, [tag.condition for tag in tags], kept)
    lifelong = {rows.bits[tag.condition] for tag in tags if not tag.window_us}
    return Family(
        rows=rows,
        lifetime_mask=sum(1 << bit for bit in lifelong),
        window_max_us=max((tag.window_us for tag in tags), default=0),
    )


def _kind_table(
    program: Program,
    parsed: Expressions,
    kind: str,
    folded: Mapping[str, list[FoldedTag]],
    family: Family,
) -> KindTable:
    # A device that nobody was bound to stands for a person who is not known yet.
    subjects = ("person", "device") if kind == "device" else (kind,)
    plain = [_plain(tag, family.rows) for subject in subjects for tag in folded[subject]]
    tags = [tag for tag in program.of(Tag).values() if tag.subject in subjects]
    segments = [spec for spec in program.of(Segment).values() if spec.subject in subjects]
    formulas = {
        f"tag.{tag.name}": _parsed(parsed, "tag", tag.name, "value", "formula")
        for tag in tags
        if tag.value.formula is not None
    }
    conditions = {
        f"segment.{segment.name}": _parsed(parsed, "segment", segment.name, "where")
        for segment in segments
    }
    parts = _Parts(
        plain=plain,
        attribute_tags=[
            AttributeTag(f"tag.{tag.name}", f"{tag.subject}.{tag.value.attribute}", tag.default)
            for tag in tags
            if tag.value.attribute is not None
        ],
        expressions=formulas | conditions,
        defaults={f"tag.{tag.name}": tag.default for tag in tags},
        words=family.layout.words,
    )
    announced = tuple(
        (spec.name, f"segment.{spec.name}") for spec in segments if spec.subject == kind
    )
    of_segments = parts.evaluation(conditions)
    tag_inputs = tuple(f"tag.{tag.name}" for tag in tags)
    caps = tuple(tag.name for tag in plain if tag.name.startswith("cap."))
    return KindTable(
        kind=kind,
        family=family,
        attributes=_attributes(program, kind),
        whole=parts.evaluation([*tag_inputs, *conditions, *caps]),
        segments=of_segments,
        segment_names=tuple(segment.name for segment in segments),
        take_segments=taker(tuple(conditions)),
        announced=announced,
        rules={spec.name: rule_hash(program, spec, parts.expressions) for spec in segments},
        quick=compile_quick(
            [source for _, source in announced],
            of_segments,
            parts.expressions,
            parts.attribute_tags,
        ),
        tag_names=tuple(tag.name for tag in tags),
        take_tags=taker(tag_inputs),
        cap_names=tuple(name.removeprefix("cap.") for name in caps),
        windows=parts.windows([*tag_inputs, *caps]),
    )


@dataclass(frozen=True)
class _Parts:
    """What the evaluations of one kind are made of."""

    plain: list[PlainTag]
    attribute_tags: list[AttributeTag]
    expressions: Mapping[str, Expression]
    defaults: Mapping[str, Value]
    words: int

    def evaluation(self, wanted: Iterable[str]) -> Evaluation:
        return compile_evaluation(
            wanted,
            plain=self.plain,
            attribute_tags=self.attribute_tags,
            expressions=self.expressions,
            defaults=self.defaults,
            words=self.words,
        )

    def windows(self, names: Iterable[str]) -> dict[str, frozenset[int]]:
        own = {tag.name: tag.fold.window_us for tag in self.plain}
        read = {name: closure([name], self.expressions) & own.keys() for name in names}
        return {name: frozenset(own[each] for each in found) for name, found in read.items()}


def _plain(tag: FoldedTag, rows: Rows) -> PlainTag:
    slot = rows.slots.get(tag.condition.property, -1)
    fold = TagFold(tag.aggregate, rows.bits[tag.condition], slot, tag.window_us)
    return PlainTag(tag.name, tag.type, tag.default, fold)


def _attributes(program: Program, kind: str) -> dict[str, Type]:
    return {
        spec.name: spec.type
        for spec in program.of(Property).values()
        if spec.of == kind and spec.pi_class != "C3"
    }


def _parsed(parsed: Expressions, kind: str, name: str, *path: str) -> Expression:
    expression = parsed.get(kind, name, *path)
    if expression is None:
        raise BadInput(f"{kind} '{name}' reads a tag that has no type", where=".".join(path))
    return expression


def _events(program: Program, families: Mapping[str, Family]) -> dict[str, EventPlan]:
    return {
        spec.name: EventPlan(
            roles=spec.subjects,
            makers={
                name: family.rows.makers[spec.name].row
                for name, family in families.items()
                if spec.name in family.rows.makers
            },
        )
        for spec in program.of(Event).values()
    }
