"""One error form on every surface.

An error says where it arose, what was expected, what came, and what to do. A subclass fixes
`code` (stable, for machines) and `status` (HTTP). `as_problem` is the RFC 9457 object that HTTP,
CLI `--json` and logs share. A refusal that is part of normal work (a gate says no) is a value,
never one of these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar


class DipperError(Exception):
    """The base of all errors that a user can see."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} {self.hint}" if self.hint else text

    def as_problem(self) -> dict[str, Any]:
        """The RFC 9457 problem object, without empty members."""
        problem: dict[str, Any] = {
            "type": f"urn:dipper:error:{self.code}",
            "title": self.code.replace("_", " "),
            "status": self.status,
            "detail": self.message,
            "code": self.code,
        }
        if self.where:
            problem["where"] = self.where
        if self.hint:
            problem["hint"] = self.hint
        return problem

    @staticmethod
    def of_problem(problem: Mapping[str, Any]) -> DipperError:
        """The error that another process has told of; one that it cannot name is Unavailable."""
        kinds = {kind.code: kind for kind in DipperError.__subclasses__()}
        kind = kinds.get(problem["code"], Unavailable)
        return kind(problem["detail"], where=problem.get("where", ""), hint=problem.get("hint", ""))


class BadInput(DipperError):
    """What came cannot be read or means nothing."""

    code = "bad_input"
    status = 400


class Unauthenticated(DipperError):
    """No key, or one that we do not know."""

    code = "unauthenticated"
    status = 401


class Forbidden(DipperError):
    """The caller is known and may not do this."""

    code = "forbidden"
    status = 403


class NotFound(DipperError):
    """The named thing does not exist."""

    code = "not_found"
    status = 404


class Conflict(DipperError):
    """The thing is not in a state in which this can be done."""

    code = "conflict"
    status = 409


class TooLarge(DipperError):
    """Above a limit that we state."""

    code = "too_large"
    status = 413


class Unavailable(DipperError):
    """Our fault, for now: the caller should come again after `retry_after_s`."""

    code = "unavailable"
    status = 503
    retry_after_s: ClassVar[int] = 1


class Corrupt(DipperError):
    """Stored bytes are not what was written. Never skipped silently."""

    code = "corrupt"
    status = 500


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint naming the closest known word, or an empty text."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else ""
