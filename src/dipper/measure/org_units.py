"""The tree of the bank's org units (机构): head office, branches, outlets."""

from __future__ import annotations

from collections.abc import Mapping


def ancestors_at(
    level: str, parents: Mapping[str, str | None], levels: Mapping[str, str]
) -> dict[str, str]:
    """unit -> itself or the unit above it that has this level; units without one are left out.

    A unit that is its own ancestor ends the way up.
    """
    found = {}
    for unit in parents:
        at: str | None = unit
        seen: set[str] = set()
        while at is not None and at not in seen and levels.get(at) != level:
            seen.add(at)
            at = parents.get(at)
        if at is not None and levels.get(at) == level:
            found[unit] = at
    return found
