"""Reads a folder of specs: every object with its place, and everything that is wrong with its form.

The only effect of this layer: it reads files. Nothing is written, nothing is fetched, and what is
wrong with one document, file or name stops no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from dipper.kit.errors import NotFound, did_you_mean
from dipper.spec import registry as registries
from dipper.spec.document import Spec
from dipper.spec.finding import Finding, Path
from dipper.spec.kinds.property import Property
from dipper.spec.registry import Registry
from dipper.spec.validation import validate
from dipper.spec.yaml_text import Document, documents

SPEC_FILE_MAX = 1_000_000


@dataclass(frozen=True)
class SpecObject:
    """A spec and where each of its fields stands."""

    spec: Spec
    file: str
    lines: Mapping[Path, int] = field(repr=False, compare=False)

    def where(self, path: Path = ()) -> str:
        """`file:line` of a field; of what is around it, for one that is not written there."""
        return f"{self.file}:{line_of(self.lines, path)}"


@dataclass(frozen=True)
class Loaded:
    """All objects that have the form of their kind, and what is wrong with the others.

    `broken` are kind and name of what was read but is not among the objects.
    """

    objects: tuple[SpecObject, ...]
    findings: tuple[Finding, ...]
    broken: frozenset[tuple[str, str]] = frozenset()


def load_folder(path: FilePath, registry: Registry | None = None) -> Loaded:
    """All specs in the `.yml` and `.yaml` files of a folder and the folders in it.

    Places read `<folder>/<file>:<line>`. Raises NotFound where there is no such folder.
    """
    if not path.is_dir():
        raise NotFound(f"there is no folder {path}.", hint="`dipper init` makes one.")
    files = sorted(
        file for file in path.rglob("*") if file.suffix in (".yml", ".yaml") and file.is_file()
    )
    reader = _Reader(registry or registries.build())
    for file in files:
        reader.read_file(file, f"{path.name}/{file.relative_to(path).as_posix()}")
    return reader.loaded()


def load_text(text: str, file: str = "specs", registry: Registry | None = None) -> Loaded:
    """All specs of one text; `file` names it in findings."""
    reader = _Reader(registry or registries.build())
    reader.read_text(text, file)
    return reader.loaded()


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of a path or of the nearest thing around it that has one."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Reader:
    """Collects objects and findings over several files."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._objects: dict[tuple[str, str], SpecObject] = {}
        self._findings: list[Finding] = []
        self._broken: set[tuple[str, str]] = set()

    def loaded(self) -> Loaded:
        broken = self._broken - self._objects.keys()
        return Loaded(tuple(self._objects.values()), tuple(self._findings), frozenset(broken))

    def read_file(self, path: FilePath, file: str) -> None:
        if path.stat().st_size > SPEC_FILE_MAX:
            message = f"the file is larger than {SPEC_FILE_MAX:,} bytes."
            self._find(Finding("file_too_large", message, hint="Split it."), f"{file}:1")
            return
        data = path.read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            found = Finding("bad_encoding", "this is not UTF-8.", hint="Save the file as UTF-8.")
            self._find(found, f"{file}:{line}")
            return
        self.read_text(text, file)

    def read_text(self, text: str, file: str) -> None:
        for document in documents(text):
            self._read(document, file)

    def _read(self, document: Document, file: str) -> None:
        data = document.data
        kind_name, name = _named(data)
        for problem in document.problems:
            found = Finding(problem.code, problem.message, hint=problem.hint)
            self._find(found, f"{file}:{problem.line}", kind_name, name)
        if document.problems:
            # What could not be read may be missing now: only the place of the name is sure.
            self._broken.add((kind_name, name))
            return
        if not isinstance(data, Mapping):
            message = f"expected an object with `kind` and `name`, got {type(data).__name__}."
            self._find(Finding("not_a_spec", message), f"{file}:{document.line}")
            return
        model = self._model(data, document, file)
        if model is None:
            return
        spec, findings = validate(model, data)
        for finding in findings:
            where = f"{file}:{line_of(document.lines, finding.path)}"
            self._find(finding, where, kind_name, name)
        if spec is None:
            self._broken.add((kind_name, name))
        else:
            self._add(SpecObject(spec, file, document.lines))

    def _model(self, data: Mapping[str, Any], document: Document, file: str) -> type[Spec] | None:
        word = data.get("kind")
        kind = self._registry.kinds.get(word) if isinstance(word, str) else None
        if kind is not None:
            return kind.model
        known = list(self._registry.kinds)
        listed = f"The kinds are {', '.join(known)}."
        where = f"{file}:{line_of(document.lines, ('kind',))}"
        if word is None:
            self._find(Finding("missing_kind", "this object has no `kind`.", (), listed), where)
        else:
            message = f"kind '{word}' is not known."
            hint = did_you_mean(str(word), known) or listed
            self._find(Finding("unknown_kind", message, ("kind",), hint), where)
        return None

    def _add(self, one: SpecObject) -> None:
        key = (one.spec.kind, one.spec.name)
        first = self._objects.setdefault(key, one)
        if first is one:
            return
        place = first.where(("name",))
        message = f"{key[0]} '{key[1]}' is declared in {place} already."
        code, hint = "duplicate_name", "Rename one of them, or take one out."
        mine, other = one.spec, first.spec
        if isinstance(mine, Property) and isinstance(other, Property) and mine.type != other.type:
            code = "property_of_two_types"
            message = f"property '{key[1]}' is {mine.type} here and {other.type} in {place}."
            hint = "A property has one type in the whole bank."
        self._find(Finding(code, message, ("name",), hint), one.where(("name",)), *key)

    def _find(self, finding: Finding, where: str, kind: str = "", name: str = "") -> None:
        self._findings.append(finding.at(where, kind, name))


def _named(data: Any) -> tuple[str, str]:
    if not isinstance(data, Mapping):
        return "", ""
    kind, name = data.get("kind"), data.get("name")
    return (kind if isinstance(kind, str) else "", name if isinstance(name, str) else "")
