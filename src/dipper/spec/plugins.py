"""What an installed package can add, and how it is found: the entry point group `dipper.plugins`.

An entry point names a module with any of these attributes:

    KINDS         kind modules, each with MODEL (a `Spec` class), EXAMPLE and a docstring
    RANKERS, EXPLORATIONS, DIALECTS, GATES, FOLDS, FORMATS, CONNECTORS
                  members of a family: modules or objects with NAME, or plain names

`dipper.spec` reads KINDS and the names of the families that specs mention; each slice reads its
own family in the same way, through `members`. A package may add a member; a name that is taken is
an error when the registry is built, so that nothing built in is ever replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from dipper.kit.errors import Conflict

GROUP = "dipper.plugins"

FAMILIES = (
    "KINDS",
    "RANKERS",
    "EXPLORATIONS",
    "DIALECTS",
    "GATES",
    "FOLDS",
    "FORMATS",
    "CONNECTORS",
)


class PluginError(Conflict):
    """An installed package adds what cannot be added."""

    code = "plugin_error"


@dataclass(frozen=True)
class Plugin:
    """A package's members: family -> its entries, as the package's module lists them."""

    name: str
    families: dict[str, tuple[Any, ...]]

    def members(self, family: str) -> tuple[Any, ...]:
        """The entries of one family, in the order in which they are declared."""
        return self.families.get(family, ())


def plugin_of(name: str, module: object) -> Plugin:
    """The plug-in that a module declares. Raises PluginError for a family that is no sequence."""
    families = {}
    for family in FAMILIES:
        entries = getattr(module, family, ())
        if isinstance(entries, str) or not isinstance(entries, Sequence):
            raise PluginError(
                f"{family} must be a list, got {type(entries).__name__}.",
                where=f"plug-in '{name}'",
            )
        families[family] = tuple(entries)
    return Plugin(name, families)


def installed() -> tuple[Plugin, ...]:
    """The plug-ins of all installed packages, by name. Imports their modules."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return tuple(_load(point) for point in found)


def _load(point: EntryPoint) -> Plugin:
    try:
        module = point.load()
    except Exception as error:
        raise PluginError(
            f"cannot be imported: {type(error).__name__}: {error}.",
            where=f"plug-in '{point.name}'",
            hint=f"Mend or uninstall the package that declares {point.value}.",
        ) from error
    return plugin_of(point.name, module)


def members(family: str, plugins: Sequence[Plugin]) -> dict[str, Any]:
    """name -> entry of one family over all plug-ins, ours first.

    Raises PluginError where two plug-ins give the same name.
    """
    found: dict[str, Any] = {}
    owner: dict[str, str] = {}
    for plugin in plugins:
        for entry in plugin.members(family):
            name = name_of(entry)
            if name in found:
                raise PluginError(
                    f"{family.lower()[:-1]} '{name}' exists already; '{owner[name]}' gives it.",
                    where=f"plug-in '{plugin.name}'",
                    hint="A plug-in may add and never replace. Choose another name.",
                )
            found[name] = entry
            owner[name] = plugin.name
    return found


def name_of(entry: Any) -> str:
    """The name of a member: a plain text, the kind of its MODEL, or its NAME."""
    if isinstance(entry, str):
        return entry
    model = getattr(entry, "MODEL", None)
    name = getattr(model, "kind", None) or getattr(entry, "NAME", None)
    if not isinstance(name, str):
        raise PluginError(f"{entry!r} has no name.", hint="Give it MODEL (a kind) or NAME.")
    return name
