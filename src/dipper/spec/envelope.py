"""The columns that every event has by itself, so that no property may take their names.

`READABLE` may be read in an expression over events by plain name; ids of people and of devices
may not, for a condition about one person is no condition. The order and meaning of the
lake's columns stand in docs/internals/ARCHITECTURE.md.
"""

from __future__ import annotations

from typing import Literal

from dipper.expr.types import Type

Trust = Literal["public", "server", "partner", "core", "engine"]

SubjectKind = Literal["person", "organisation", "case", "device", "account", "terminal"]
SUBJECT_KINDS: tuple[SubjectKind, ...] = (
    "person",
    "organisation",
    "case",
    "device",
    "account",
    "terminal",
)

Role = Literal[
    "person", "operator", "on_behalf_of", "organisation", "case", "device", "account", "terminal"
]

ROLES_OF: dict[str, tuple[str, ...]] = {
    "person": ("person", "operator", "on_behalf_of"),
    "organisation": ("organisation", "on_behalf_of"),
    "case": ("case",),
    # A device keeps the row where no person is named.
    "device": ("device", "person"),
    "account": ("account",),
    "terminal": ("terminal",),
}
"""subject kind -> the roles whose rows may stand in such a timeline."""

COLUMN_TEXTS = (
    "scenario",
    "channel",
    "campaign",
    "link",
    "placement",
    "org_unit",
    "staff",
    "partner",
    "legal_entity",
    "business_date",
)
"""The text columns that a sender may fill, in the order of every record and row."""

READABLE: dict[str, Type] = {
    **dict.fromkeys(("event", "type", "source", "trust", *COLUMN_TEXTS), "text"),
    "time": "timestamp",
}

_OTHERS = """
    partition offset first_row role kind subject id claim original sent received seq order_hash
    message_id person operator on_behalf_of organisation case device program extra
    month bucket time_us received_us original_us sent_us subjects properties
"""

ENVELOPE_COLUMNS: frozenset[str] = frozenset(READABLE) | frozenset(_OTHERS.split())
