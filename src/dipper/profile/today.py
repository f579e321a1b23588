"""Who is one subject today, for questions over history.

Rows of the lake keep the subject key of their writing. A question takes the identity of its moment:
whose key is another one now, and whose a device's rows are. It follows from the same bindings that
the state applies on reading, so that history and state agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from dipper.engine.ports import Identity, StateReader
from dipper.profile.id_state import ALONE, Facts, read_facts, read_header
from dipper.profile.identity import Binding, Key, Link, Ownership, component, surviving

_FIRST_US, _NEVER_US = -(2**63), 2**63 - 1

_OWNERS = pa.schema(
    [
        ("device", pa.binary()),
        ("claim", pa.binary()),
        ("person", pa.binary()),
        ("from_us", pa.int64()),
        ("to_us", pa.int64()),
    ]
)


def identity_today(reader: StateReader) -> Identity:
    """The identity that the state holds now. Reads every id once; only joined ones are decoded."""
    joined: dict[Key, Facts] = {}
    owners: list[dict[str, Any]] = []
    for key, data in reader.scan("ids"):
        header = read_header(data)
        if header.is_plain:
            continue
        facts = read_facts(data, header)
        if header.kind == "device":
            owners += _owners(key, facts.bindings)
        elif facts.links:
            joined[key] = facts
    return Identity(_remap(joined), pa.Table.from_pylist(owners, schema=_OWNERS))


def key_today(reader: StateReader, start: Key) -> Key:
    """The key of the id that names the subject of an id that is no device; its own if unknown."""
    joined: dict[Key, Facts] = {}

    def links_of(key: Key) -> Mapping[Key, Link]:
        data = reader.view("ids", key)
        if data is None:
            return {}
        header = read_header(data)
        if header.flags & ALONE:
            return {}
        joined[key] = read_facts(data, header)
        return joined[key].links

    return _naming(component(start, links_of), joined, start)


def _naming(keys: Sequence[Key], joined: Mapping[Key, Facts], otherwise: Key) -> Key:
    """The key that names ids which are one subject."""
    known = {joined[key].id: key for key in keys if key in joined}
    return known[surviving(known)] if known else otherwise


def _remap(joined: dict[Key, Facts]) -> dict[Key, Key]:
    """Today's key for each id whose own is another one."""
    remap: dict[Key, Key] = {}
    seen: set[Key] = set()
    for start in joined:
        if start in seen:
            continue
        keys = component(start, lambda key: joined[key].links if key in joined else {})
        seen.update(keys)
        name = _naming(keys, joined, start)
        remap |= {key: name for key in keys if key != name}
    return remap


def _owners(device: Key, bindings: Sequence[Binding]) -> list[dict[str, Any]]:
    """Whose the rows of a device are: those of bound persons whom they claim, the rest by time."""
    ownership = Ownership(bindings)
    rows: list[tuple[Key | None, Key, int, int]] = [
        (person, person, _FIRST_US, _NEVER_US) for person in sorted(ownership.bound)
    ]
    times = [binding.time_us for binding in bindings]
    begins, ends = [_FIRST_US, *times], [*times, _NEVER_US]
    for begin_us, end_us in zip(begins, ends, strict=True):
        owner = ownership.at(begin_us)
        if owner is not None and begin_us < end_us:
            rows.append((None, owner, begin_us, end_us))
    return [
        {"device": device, "claim": claim, "person": person, "from_us": begin, "to_us": end}
        for claim, person, begin, end in rows
    ]
