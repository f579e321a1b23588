"""A program: the frozen set of all specs of a bank, with the address of its content.

Control plane and data plane never share anything else: what is served is compiled from a program,
and every event and decision names the hash of the one that judged it. Loading one must be fast, so
this imports neither the YAML reader nor the expression parser.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar, overload

import msgspec
from pydantic import ValidationError

from dipper.kit.errors import BadInput
from dipper.kit.hashing import canonical_json, digest
from dipper.spec import registry as registries
from dipper.spec import reserved
from dipper.spec.document import Spec
from dipper.spec.registry import Registry

FORMAT = 1

S = TypeVar("S", bound=Spec)


@dataclass(frozen=True)
class Program:
    """All specs, by kind and name in order. Equal specs give equal bytes and an equal hash."""

    hash: str
    kinds: Mapping[str, Mapping[str, Spec]] = field(compare=False, repr=False)
    data: bytes = field(compare=False, repr=False)

    @classmethod
    def from_objects(cls, objects: Iterable[Spec]) -> Program:
        """The program of these specs and the reserved ones; a reserved name among them is ignored.

        Of two objects with one kind and name the later counts (the check reports them).
        """
        own = [spec for spec in objects if not reserved.is_reserved(spec.kind, spec.name)]
        everything = {(spec.kind, spec.name): spec for spec in (*own, *reserved.reserved(own))}
        ordered = [everything[key] for key in sorted(everything)]
        documents = [spec.document(complete=True) for spec in ordered]
        data = canonical_json({"format": FORMAT, "objects": documents})
        return cls(digest(data), _by_kind(ordered), data)

    @classmethod
    def from_bytes(cls, data: bytes, registry: Registry | None = None) -> Program:
        """The program of stored bytes; older versions of kinds are brought to this release's.

        `registry` is needed where installed packages add kinds. Raises BadInput.
        """
        known = registry or registries.build()
        stored = _decode(data)
        specs = [_load(document, known) for document in stored["objects"]]
        return cls(digest(data), _by_kind(specs), data)

    def to_bytes(self) -> bytes:
        """Canonical JSON with all defaults stated; `hash` is its SHA-256."""
        return self.data

    @overload
    def of(self, kind: type[S]) -> Mapping[str, S]: ...

    @overload
    def of(self, kind: str) -> Mapping[str, Any]: ...

    def of(self, kind: Any) -> Mapping[str, Any]:
        """name -> spec of one kind, named by its word or its class; reserved ones included."""
        word = kind if isinstance(kind, str) else kind.kind
        return self.kinds.get(word, _NOTHING)

    def get(self, kind: str, name: str) -> Any | None:
        """One spec, or None."""
        return self.of(kind).get(name)

    def __iter__(self) -> Iterator[Spec]:
        """All specs, by kind and name."""
        for specs in self.kinds.values():
            yield from specs.values()


_NOTHING: Mapping[str, Spec] = MappingProxyType({})


def _by_kind(specs: Iterable[Spec]) -> Mapping[str, Mapping[str, Spec]]:
    kinds: dict[str, dict[str, Spec]] = {}
    for spec in specs:
        kinds.setdefault(spec.kind, {})[spec.name] = spec
    return MappingProxyType({kind: MappingProxyType(named) for kind, named in kinds.items()})


def _decode(data: bytes) -> dict[str, Any]:
    try:
        stored = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise BadInput(f"not JSON: {error}.", where="program") from error
    if not isinstance(stored, dict) or not isinstance(stored.get("objects"), list):
        raise BadInput("not a program: expected an object with `format` and `objects`.")
    if stored.get("format") != FORMAT:
        raise BadInput(
            f"the program has format {stored.get('format')!r}; this release reads {FORMAT}.",
            where="program",
            hint="Use the release that wrote it, or a newer one.",
        )
    return stored


def _load(document: Any, registry: Registry) -> Spec:
    word = document.get("kind") if isinstance(document, dict) else None
    kind = registry.kinds.get(str(word))
    if kind is None:
        raise BadInput(
            f"the program has the kind {word!r}, which nothing here declares.",
            where="program",
            hint="Install the package that adds it.",
        )
    try:
        return kind.model.model_validate_json(msgspec.json.encode(kind.model.upgrade(document)))
    except (ValidationError, ValueError) as error:
        raise BadInput(
            f"{word} {document.get('name')!r} is not what this release reads: {error}",
            where="program",
        ) from error
