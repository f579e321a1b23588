"""From a plain document to a typed spec, or to findings that a person can act on.

pydantic finds all that is wrong at once; this puts it in our words: which field, what was
expected, what came, and the closest known word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec
from pydantic import BaseModel, ValidationError

from dipper.kit.errors import did_you_mean
from dipper.spec.document import NAME_PATTERN, Spec
from dipper.spec.finding import Finding, Path, path_text

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def validate(model: type[Spec], document: Mapping[str, Any]) -> tuple[Spec | None, list[Finding]]:
    """The spec of a document in this release's version, or all findings about its form."""
    name = str(document.get("name", ""))
    try:
        plain = model.upgrade(dict(document))
    except ValueError as error:
        return None, [
            Finding(
                "unknown_version",
                f"{model.kind} '{name}' has {error}.",
                ("version",),
                "Use the release that wrote it, or a newer one.",
            )
        ]
    try:
        return model.model_validate_json(msgspec.json.encode(plain)), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        return None, _findings(model, name, plain, details)


def _findings(
    model: type[Spec], name: str, document: Mapping[str, Any], errors: Sequence[Any]
) -> list[Finding]:
    found: dict[Path, Finding] = {}
    expected: dict[Path, list[str]] = {}
    for error in errors:
        loc = tuple(error["loc"])
        path = _path(document, loc)
        kind = str(error["type"])
        if kind == "missing":
            missing = (*_path(document, loc[:-1]), loc[-1])
            found.setdefault(missing, _missing(model, name, missing))
        elif kind == "extra_forbidden":
            found[path] = _unknown(model, path)
        elif kind in _EXPECTED:
            expected.setdefault(path, []).append(_EXPECTED[kind])
        else:
            found.setdefault(path, _bad(error, path, _value(document, path)))
    # A list whose items are wrong counts as too short to pydantic; the items have been named.
    inside = {path[:-1] for path in [*found, *expected] if path and isinstance(path[-1], int)}
    found = {path: one for path, one in found.items() if one.code != "empty" or path not in inside}
    for path, words in expected.items():
        # A text or a list: where one of the two fits, what is wrong inside it has been said.
        if not any(other[: len(path)] == path for other in found):
            found[path] = _wrong_type(words, path, _value(document, path))
    return list(found.values())


def _path(document: Any, loc: tuple[Any, ...]) -> Path:
    """The parts of pydantic's place that the document has: a union's branches are no fields."""
    path: list[str | int] = []
    here = document
    for part in loc:
        is_index = isinstance(part, int) and isinstance(here, list) and part < len(here)
        if is_index or (isinstance(here, Mapping) and part in here):
            here = here[part]
            path.append(part)
    return tuple(path)


def _value(document: Any, path: Path) -> Any:
    here = document
    for part in path:
        here = here[part]
    return here


def _missing(model: type[Spec], name: str, path: Path) -> Finding:
    what = f"{model.kind} '{name}'" if name else model.kind
    if path[0] == "owners":
        which = f"no {path[1]} owner" if len(path) > 1 else "no owners"
        return Finding(
            "missing_owner",
            f"{what} has {which}.",
            path,
            "Say `owners: {business: ..., technical: ..., managing: ...}`.",
        )
    fields = _fields(model, path[:-1])
    about = fields[path[-1]].description if path[-1] in fields else ""
    hint = f"It says {about}." if about else ""
    return Finding("missing_field", f"{what} lacks the field '{path_text(path)}'.", path, hint)


def _unknown(model: type[Spec], path: Path) -> Finding:
    fields = _fields(model, path[:-1])
    where = f"'{path_text(path[:-1])}' of a {model.kind}" if path[:-1] else f"a {model.kind}"
    return Finding(
        "unknown_field",
        f"{where} has no field '{path[-1]}'.",
        path,
        did_you_mean(str(path[-1]), fields) or f"The fields are {', '.join(fields)}.",
    )


def _fields(model: type[BaseModel], path: Path) -> dict[Any, Any]:
    """The fields, by the name that a document uses, of the record at a path."""
    here: type[BaseModel] | None = model
    for part in path:
        named = _named(here) if here is not None else {}
        here = _record(named[part].annotation) if part in named else None
    return _named(here) if here is not None else {}


def _named(model: type[BaseModel]) -> dict[Any, Any]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _record(annotation: Any) -> type[BaseModel] | None:
    options = (annotation, *get_args(annotation))
    for option in options:
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _bad(error: Any, path: Path, value: Any) -> Finding:
    field, context = path_text(path), error.get("ctx", {})
    kind = str(error["type"])
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return Finding(
            "bad_value",
            f"'{field}' expects one of {', '.join(words)}, got {_shown(value)}.",
            path,
            did_you_mean(str(value), words),
        )
    if kind == "string_pattern_mismatch":
        wanted = (
            "a snake_case name"
            if context.get("pattern") == NAME_PATTERN
            else "an input, like tag.NAME or person.NAME"
        )
        message = f"'{field}' expects {wanted}, got {_shown(value)}."
        return Finding("bad_name", message, path, "")
    if kind in ("too_short", "string_too_short"):
        return Finding("empty", f"'{field}' is empty.", path, "Say at least one.")
    said = str(error["msg"]).replace("Input should be", "must be")
    return Finding("bad_value", f"'{field}' {said}, got {_shown(value)}.", path)


def _wrong_type(words: Sequence[str], path: Path, value: Any) -> Finding:
    wanted = " or ".join(dict.fromkeys(words))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    hint = "Put it in quotes." if "text" in words and is_number else ""
    message = f"'{path_text(path)}' expects {wanted}, got {_shown(value)}."
    return Finding("wrong_type", message, path, hint)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text '{value[:60]}'"
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, Mapping) else str(value)
