"""A finding says what is wrong with a spec, where it stands in the file, and what to do.

Validators collect findings and never stop at the first. An error refuses `apply`; a warning is
for a person to read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from dipper.kit.clock import parse_duration_us
from dipper.kit.errors import did_you_mean

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]
"""The way to a field inside an object: ("value", "where") or ("placements", 0)."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `where` is `file:line` once the place is known."""

    code: str
    message: str
    path: Path = ()
    hint: str = ""
    severity: Severity = "error"
    where: str = ""
    kind: str = ""
    name: str = ""

    def as_text(self) -> str:
        """`specs/x.yml:12: what is wrong. What to do.`; a warning says that it is one."""
        text = f"{self.where}: " if self.where else ""
        text += "warning: " if self.severity == "warning" else ""
        return f"{text}{self.message} {self.hint}".rstrip()

    def as_dict(self) -> dict[str, Any]:
        """The same for machines, without empty members."""
        found: dict[str, Any] = {
            "code": self.code,
            "severity": self.severity,
            "where": self.where,
            "kind": self.kind,
            "name": self.name,
            "path": path_text(self.path),
            "message": self.message,
            "hint": self.hint,
        }
        return {key: value for key, value in found.items() if value}

    def at(self, where: str, kind: str = "", name: str = "") -> Finding:
        """The same finding with its place and its object."""
        return replace(self, where=where, kind=kind or self.kind, name=name or self.name)


def path_text(path: Path) -> str:
    """'placements[0].name' for ("placements", 0, "name")."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def warning(code: str, message: str, path: Path = (), hint: str = "") -> Finding:
    """A finding that does not refuse `apply`."""
    return Finding(code, message, path, hint, severity="warning")


def window_findings(text: str, path: Path) -> list[Finding]:
    """What is wrong with the text of a sliding window."""
    try:
        parse_duration_us(text)
    except ValueError:
        hint = "Write a number and one of s, m, h, d, w, like 30d."
        return [Finding("bad_window", f"'{text}' is no window.", path, hint)]
    return []


def unknown_word(what: str, word: str, known: Iterable[str], path: Path) -> Finding:
    """A word that is none of a fixed set, with the set and the closest of it."""
    words = tuple(known)
    message = f"{what} '{word}' is not known; expected one of {', '.join(words)}."
    return Finding(f"unknown_{what}", message, path, did_you_mean(word, words))


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any of the findings refuses `apply`."""
    return any(finding.severity == "error" for finding in findings)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """By file, line and field, each once: the order in which a person mends them."""
    return sorted(dict.fromkeys(findings), key=_place)


def _place(finding: Finding) -> tuple[str, int, str, str, str]:
    file, _, line = finding.where.rpartition(":")
    number = int(line) if line.isdigit() else 0
    return file or finding.where, number, path_text(finding.path), finding.code, finding.message
