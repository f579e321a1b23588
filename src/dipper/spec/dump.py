"""A spec back to YAML as a person would write it: no defaults, fields in order."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from dipper.spec.document import Spec


def dump(specs: Iterable[Spec]) -> str:
    """The documents of a file, `---` between them. Loading the text gives the specs again."""
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_unicode = True
    yaml.width = 4_096
    stream = io.StringIO()
    yaml.dump_all([_styled(spec.document()) for spec in specs], stream)
    return stream.getvalue()


def _styled(value: Any) -> Any:
    """Texts of several lines as blocks; texts with signs that YAML would change, in quotes."""
    if isinstance(value, dict):
        return {_styled(key): _styled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_styled(item) for item in value]
    if not isinstance(value, str) or value.isprintable():
        return value
    lines = value.removesuffix("\n").split("\n")
    is_block = all(line and line.isprintable() and line == line.strip() for line in lines)
    return (LiteralScalarString if is_block else DoubleQuotedScalarString)(value)
