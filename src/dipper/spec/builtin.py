"""Our own members, declared in the form in which an installed package declares its members.

The registry reads this module exactly as it reads a plug-in's; nothing here has a way of its own.
"""

from __future__ import annotations

from dipper.spec.kinds import (
    cap,
    event,
    offer,
    placement,
    policy,
    property,
    purpose,
    scenario,
    segment,
    source,
    table,
    tag,
)

NAME = "dipper"

KINDS = (
    purpose,
    property,
    scenario,
    event,
    source,
    table,
    tag,
    segment,
    policy,
    placement,
    offer,
    cap,
)

RANKERS = policy.RANKERS
EXPLORATIONS = policy.EXPLORATIONS
DIALECTS = source.DIALECTS
