"""YAML 1.2 to plain data, with the line of every field. Safe: a document is data and nothing else.

A file is split at its `---` lines first, so that a mistake in one document hides no other. There
are no directives, no tags that construct things, no numbers that are codes (`0101`), and the whole
file is bounded, aliases counted as often as they are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from dipper.kit.limits import JSON_DEPTH_MAX
from dipper.spec.finding import Path, path_text

NODES_MAX = 100_000

_START = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_CODE = re.compile(r"^[-+]?0[0-9_]+$")
_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Problem:
    """What cannot be read in a document, and its line from 1."""

    line: int
    code: str
    message: str
    hint: str = ""


@dataclass
class Document:
    """One document: plain data, the line of every path, and what could not be read."""

    line: int
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def documents(text: str) -> Iterator[Document]:
    """The documents of a file in order; empty ones are left out."""
    starts = [0, *(match.start() for match in _START.finditer(text) if match.start() > 0)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        first = text.count("\n", 0, start) + 1
        document = _document(text[start:end], first)
        if document.problems or document.data is not None:
            yield document


def _document(text: str, first: int) -> Document:
    document = Document(first)
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = JSON_DEPTH_MAX
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        document.problems.append(_marked(error, first))
        return document
    except (YAMLError, ValueError) as error:
        what = " ".join(str(error).split())
        document.problems.append(Problem(first, "bad_yaml", f"this is not YAML: {what}."))
        return document
    if node is not None:
        reader = _Reader(document, first)
        document.line = reader.line_of(node)
        document.data = reader.read(node, ())
    return document


def _marked(error: MarkedYAMLError, first: int) -> Problem:
    """Where reading had to stop, and where what is not closed there began."""
    mark, began = error.problem_mark or error.context_mark, error.context_mark
    line = first + (mark.line if mark is not None else 0)
    what = " ".join(str(error.problem or error.context or "").split())
    if began is not None and first + began.line != line:
        what += f" in what begins in line {first + began.line}"
    return Problem(line, "bad_yaml", f"this is not YAML: {what}.", "The rest of it is not read.")


class _Reader:
    """Turns one composed document into plain data and notes lines and problems on the way."""

    def __init__(self, document: Document, first: int) -> None:
        self._document = document
        self._first = first
        self._nodes = 0

    def line_of(self, node: Node) -> int:
        """The line in the file, from 1."""
        return self._first + int(node.start_mark.line)

    def read(self, node: Node, path: Path) -> Any:
        """The plain value of a node; None where it cannot be read."""
        self._nodes += 1
        if self._nodes > NODES_MAX:
            if self._nodes == NODES_MAX + 1:
                self._problem(node, "too_large", f"this has more than {NODES_MAX:,} values.")
            return None
        self._document.lines.setdefault(path, self.line_of(node))
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.read(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._scalar(node, path) if isinstance(node, ScalarNode) else None

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._problem(key, "bad_key", "a field name must be a word.")
                continue
            name = str(key.value)
            if name in found:
                self._problem(
                    key,
                    "named_twice",
                    f"the field '{path_text((*path, name))}' stands there twice.",
                )
                continue
            self._document.lines[(*path, name)] = self.line_of(key)
            found[name] = self.read(value, (*path, name))
        return found

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        tag = str(node.tag).removeprefix(_PREFIX)
        text = str(node.value)
        if tag in ("str", "timestamp", "merge", "value"):
            return text
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag in ("int", "float"):
            return self._number(node, text, tag, path)
        self._problem(
            node, "yaml_tag", f"the tag '{node.tag}' is not allowed.", "Specs are plain data."
        )
        return None

    def _number(self, node: ScalarNode, text: str, tag: str, path: Path) -> int | float | None:
        if tag == "int" and _CODE.match(text):
            self._problem(
                node,
                "leading_zero",
                f"{text} in '{path_text(path)}' is a number with a leading zero.",
                "Put it in quotes if it is a code.",
            )
            return None
        plain = text.replace("_", "")
        try:
            number = int(plain, 0) if tag == "int" else float(plain)
        except ValueError:
            number = float("nan")
        if number != number or abs(number) >= 2**63:
            self._problem(node, "bad_number", f"{text} is not a number that can be kept.")
            return None
        return number

    def _problem(self, node: Node, code: str, message: str, hint: str = "") -> None:
        self._document.problems.append(Problem(self.line_of(node), code, message, hint))
