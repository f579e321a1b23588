"""The kinds that are known, and what follows from their facts.

Plain functions over kind modules: nothing registers itself, nothing happens at import. A registry
is built where it is needed, from our own members and from those of installed packages, and passed
on.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from dipper.spec import builtin, plugins
from dipper.spec.document import Owner, Risk, Spec
from dipper.spec.plugins import Plugin, PluginError


@dataclass(frozen=True)
class Kind:
    """A kind as the rest of the house sees it; all facts are read from its module."""

    name: str
    plural: str
    model: type[Spec]
    summary: str
    text: str
    example: str
    risk: Risk
    approver: Owner
    version: int


@dataclass(frozen=True)
class Registry:
    """The kinds by name, and the names of the members that specs may mention."""

    kinds: Mapping[str, Kind]
    families: Mapping[str, tuple[str, ...]]

    def members(self, family: str) -> tuple[str, ...]:
        """The names of a family: 'rankers', 'explorations', 'dialects'."""
        return self.families[family]


def build(added: Sequence[Plugin] = ()) -> Registry:
    """The registry of our own members and of the plug-ins'. Raises PluginError on a conflict."""
    everyone = (plugins.plugin_of(builtin.NAME, builtin), *added)
    kinds = {name: kind_of(module) for name, module in plugins.members("KINDS", everyone).items()}
    plurals: dict[str, str] = {}
    for kind in kinds.values():
        if kind.plural in plurals:
            raise PluginError(
                f"kinds '{plurals[kind.plural]}' and '{kind.name}' have one plural: "
                f"'{kind.plural}'."
            )
        plurals[kind.plural] = kind.name
    families = {
        family.lower(): tuple(plugins.members(family, everyone))
        for family in plugins.FAMILIES
        if family != "KINDS"
    }
    return Registry(kinds, families)


def kind_of(module: Any) -> Kind:
    """The kind that a module declares. Raises PluginError for a fact that is missing."""
    model = getattr(module, "MODEL", None)
    if not (isinstance(model, type) and issubclass(model, Spec)):
        raise PluginError(f"kind module {module!r} has no MODEL below Spec.")
    missing = [fact for fact in ("kind", "plural", "risk", "approver") if not hasattr(model, fact)]
    text = inspect.getdoc(module)
    example = getattr(module, "EXAMPLE", "")
    if missing or not text or not example:
        lacks = [*missing, *([] if text else ["docstring"]), *([] if example else ["EXAMPLE"])]
        raise PluginError(f"kind {model.__name__} does not declare {', '.join(lacks)}.")
    if model.risk not in get_args(Risk) or model.approver not in get_args(Owner):
        raise PluginError(
            f"kind '{model.kind}' has risk {model.risk!r} and approver {model.approver!r}.",
            hint=f"Risk is one of {get_args(Risk)}, approver one of {get_args(Owner)}.",
        )
    return Kind(
        name=model.kind,
        plural=model.plural,
        model=model,
        summary=first_sentence(text),
        text=text,
        example=example,
        risk=model.risk,
        approver=model.approver,
        version=model.version,
    )


def first_sentence(text: str) -> str:
    """The sentence that opens a docstring, on one line."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".") + "."
