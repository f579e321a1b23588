"""What every spec has in common: name, title, three owners, what it depends on, what it computes.

A kind is a class below `Spec`. Its facts are class variables, so that the loader, the schema, the
plan and the reference pages are derived from them and nothing is declared twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from dipper.expr.types import Type
from dipper.spec.envelope import READABLE
from dipper.spec.finding import Finding, Path
from dipper.spec.mentions import mentions

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""A snake_case name: it is written in expressions, columns and URLs."""

Words = Annotated[str, Field(min_length=1, max_length=4_000)]
"""Text that a person reads, or an expression."""

Owner = Literal["business", "technical", "managing"]
Risk = Literal["low", "medium", "high"]
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


class Part(BaseModel):
    """A frozen record inside a spec; unknown fields are errors, types are never converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Text(Part):
    """One text in both languages of the house."""

    zh: Words = Field(description="Chinese")
    en: Words = Field(description="English")

    def of(self, language: str) -> str:
        """The text in `zh` or `en`."""
        return self.zh if language == "zh" else self.en


class Owners(Part):
    """Who answers for the object: 谁管业务、谁管技术、谁管理."""

    business: Words = Field(description="who wants it and answers for its content")
    technical: Words = Field(description="who keeps it running")
    managing: Words = Field(description="who answers for it before the management")


@dataclass(frozen=True)
class Ref:
    """A dependency on another object. `mentioned` means that an expression names it.

    What an expression names is checked by typing the expression, which knows more than that the
    object does not exist; a `mentioned` reference serves lineage alone.
    """

    kind: str
    name: str
    path: Path = ()
    mentioned: bool = False


@dataclass(frozen=True)
class Written:
    """An expression of a spec: its place, its text, what it may read and what it must give.

    `reads` names the scope: `event` (the properties that all of `events` declare), `subject`
    (tags, segments and attributes of `subject`) or `offer` (those of the subject of the offer's
    placements, the product and the context). `expected` is a type word, or None for any type.
    """

    path: Path
    text: str
    reads: Literal["event", "subject", "offer"]
    subject: str = ""
    events: tuple[str, ...] = ()
    expected: Type | None = None

    def refs(self) -> tuple[Ref, ...]:
        """What the text mentions, as references."""
        found = mentions(self.text)
        pairs: list[tuple[str, str]] = []
        for prefix, kind in _NAMESPACES.items():
            pairs += [(kind, name) for name in found.within(prefix)]
        if found.within("product") or any(call.function in _HOLDINGS for call in found.calls):
            pairs.append(("table", "product"))
        if self.reads == "event":
            pairs += [("property", name) for name in found.plain() if name not in READABLE]
        return tuple(Ref(kind, name, self.path, mentioned=True) for kind, name in pairs)


_NAMESPACES = {
    "tag": "tag",
    "segment": "segment",
    "person": "property",
    "organisation": "property",
    "case": "property",
    "context": "property",
}
_HOLDINGS = ("holds", "holds_line")


class Rows(Protocol):
    """What a check may ask of the rows of a reference table."""

    def lookup(self, key: Any) -> Mapping[str, Any] | None: ...

    def values(self, column: str) -> frozenset[Any]: ...


class Project(Protocol):
    """All that stands beside an object while it is checked."""

    def get(self, kind: str, name: str) -> Any | None:
        """The object of that name, reserved ones included, or None."""

    def names(self, kind: str) -> tuple[str, ...]: ...

    def objects(self, kind: str) -> Mapping[str, Any]: ...

    def rows(self, table: str) -> Rows | None:
        """The current rows of a reference table, or None while it has none."""

    def members(self, family: str) -> tuple[str, ...]:
        """The names of a family of behaviour that specs may name: `rankers`, `dialects`."""


class Spec(Part):
    """The base of all kinds."""

    kind: ClassVar[str]
    plural: ClassVar[str]
    risk: ClassVar[Risk]
    approver: ClassVar[Owner]
    version: ClassVar[int] = 1
    upgrades: ClassVar[tuple[Upgrade, ...]] = ()

    name: Name = Field(description="unique in its kind; snake_case")
    title: Text = Field(description="what people see")
    owners: Owners = Field(description="who answers for it")
    description: Text | None = Field(default=None, description="more than the title says")

    def refs(self) -> tuple[Ref, ...]:
        """The objects that this one depends on, those inside expressions included."""
        return ()

    def written(self) -> tuple[Written, ...]:
        """The expressions of this object."""
        return ()

    def findings(self, project: Project) -> list[Finding]:
        """All that is wrong with this object beside its types, references and expressions."""
        return []

    @classmethod
    def upgrade(cls, document: dict[str, Any]) -> dict[str, Any]:
        """The document in this version's form. A document without `version` is of version 1.

        Raises ValueError for a version that this release does not know.
        """
        version = document.get("version", 1)
        if type(version) is not int or not 1 <= version <= cls.version:
            raise ValueError(f"version {version!r}, this release knows 1 to {cls.version}")
        for step in cls.upgrades[version - 1 :]:
            document = step(document)
        return {key: value for key, value in document.items() if key not in ("version", "kind")}

    def document(self, *, complete: bool = False) -> dict[str, Any]:
        """The object as plain data, kind and version first.

        `complete` states defaults too, so that a stored program means the same for ever.
        """
        fields = self.model_dump(mode="json", by_alias=True, exclude_defaults=not complete)
        head: dict[str, Any] = {"kind": self.kind}
        if complete or self.version > 1:
            head["version"] = self.version
        return head | fields


def refs_to(kind: str, names: tuple[str, ...] | None, path: Path) -> tuple[Ref, ...]:
    """References to each of the names in a list field; none for a list that is not given."""
    return tuple(Ref(kind, name, (*path, place)) for place, name in enumerate(names or ()))


def ref_to(kind: str, name: str | None, path: Path) -> tuple[Ref, ...]:
    """A reference in a field that may be empty."""
    return (Ref(kind, name, path),) if name else ()
