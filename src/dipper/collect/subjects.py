"""The ids that an event names, by role, in the writing in which they are stored.

`userId` is a person of the source's id type, `anonymousId` a device, `groupId` an organisation;
further roles come in `context.dipper.subjects`. The first of them says in which partition of the
log the record belongs.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dipper.collect.incoming import GivenId
from dipper.collect.names import NAME_MAX
from dipper.collect.sources import Source
from dipper.kit.hashing import hash64
from dipper.kit.ids import ID_MAX, subject_id

ROLES = (
    "person",
    "device",
    "organisation",
    "operator",
    "on_behalf_of",
    "case",
    "account",
    "terminal",
)
"""The order in which roles say where a record belongs."""

_TYPE_OF_ROLE = {
    "device": "device",
    "case": "case_no",
    "account": "account",
    "terminal": "terminal",
}


class BadId(ValueError):
    """An id that cannot be stored; `role` says whose."""

    def __init__(self, role: str, reason: str) -> None:
        super().__init__(reason)
        self.role = role


def id_of(id_type: str, given: GivenId, role: str) -> str | None:
    """The stored form of an id that an SDK gives, None when it gives none. Raises BadId."""
    if given is None or given == "":
        return None
    text = str(given)
    if text.isascii() and text.isalnum() and len(text) <= ID_MAX and id_type not in REWRITTEN:
        return f"{id_type}:{text}"
    try:
        return subject_id(id_type, text)
    except ValueError as error:
        raise BadId(role, str(error)) from None


REWRITTEN = frozenset({"phone", "mobile", "email"})
"""Id types whose values have more than one writing even in plain letters and digits."""


def subjects_of(
    source: Source,
    user: GivenId,
    anonymous: GivenId,
    group: GivenId,
    more: Mapping[str, str | int] | None,
) -> dict[str, str]:
    """Role -> id, in the order of ROLES for the three plain ids. Raises BadId."""
    found: dict[str, str] = {}
    plain = (
        ("person", source.person_id_type, user),
        ("device", "device", anonymous),
        ("organisation", source.organisation_id_type, group),
    )
    for role, id_type, given in plain:
        subject = id_of(id_type, given, role)
        if subject is not None:
            found[role] = subject
    for role, given in (more or {}).items():
        subject = _typed_id(source, role, given)
        if subject is not None:
            found[role] = subject
    return found


def _typed_id(source: Source, role: str, given: str | int) -> str | None:
    """An id of `context.dipper.subjects`: `idtype:value`, or a value of the role's own type."""
    if role not in ROLES:
        raise BadId(role[:NAME_MAX], f"no role '{role[:NAME_MAX]}'; expected {', '.join(ROLES)}")
    id_type, mark, value = str(given).partition(":")
    if mark and id_type.isidentifier():
        return id_of(id_type, value, role)
    default = _TYPE_OF_ROLE.get(role, source.person_id_type)
    if role == "organisation":
        default = source.organisation_id_type
    return id_of(default, given, role)


class _Named(msgspec.Struct):
    """What of a record tells whose it is."""

    subjects: dict[str, str] = {}


_NAMED = msgspec.json.Decoder(_Named)


def named_in(payload: bytes) -> dict[str, str]:
    """Role -> id of a stored event or failed event."""
    return _NAMED.decode(payload).subjects


def partition_of(subjects: Mapping[str, str], partitions: int) -> int:
    """The partition of a record: by the hash of its first id in the order of ROLES."""
    if partitions == 1 or not subjects:
        return 0
    first = next((subjects[role] for role in ROLES if role in subjects), None)
    return hash64(first or next(iter(subjects.values()))) % partitions
