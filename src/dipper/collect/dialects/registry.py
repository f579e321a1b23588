"""The dialects by name: our own, and those that installed packages add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from dipper.collect.dialects import rudderstack, segment
from dipper.collect.dialects.reply import Dialect
from dipper.kit.errors import Conflict

BUILT_IN = (segment, rudderstack)


def build(added: Iterable[Dialect] = ()) -> Mapping[str, Dialect]:
    """Name -> dialect. Raises Conflict for a name that is taken."""
    found = {module.NAME: cast(Dialect, module) for module in BUILT_IN}
    for dialect in added:
        if dialect.NAME in found:
            raise Conflict(f"dialect '{dialect.NAME}' exists already and cannot be replaced.")
        found[dialect.NAME] = dialect
    return found
