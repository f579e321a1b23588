"""Who is tagged: has a tag that says something, read from the state that decisions read.

A tag says something when its value is another than that of somebody of whom nothing is known: so a
count of nothing is none, whatever the default of the tag.

Most subjects are tagged by a count over the records of one of their ids; more records can only
raise it, so all ids are counted at once. Only the others are put together and evaluated one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from dipper.engine.ports import StateReader
from dipper.fold.records import Matrix
from dipper.fold.tags import Aggregate, fold_many
from dipper.kit.hashing import hash128
from dipper.profile.gather import Gathered, gather
from dipper.profile.id_state import NEVER_US, Facts, read_header, records_at
from dipper.profile.identity import Key
from dipper.profile.subject import subject_of
from dipper.profile.tags import TagTable, family_of
from dipper.profile.values import Value

NOBODY = "nobody:"
IDS_AT_ONCE = 5_000
_COUNTS = (Aggregate.COUNT, Aggregate.DISTINCT)


def tagged_subjects(
    reader: StateReader,
    table: TagTable,
    today: Mapping[Key, Key],
    now_us: int,
    kinds: tuple[str, ...],
) -> frozenset[str]:
    """Keys (hex) of the subjects of these kinds with a tag that says something at `now_us`.

    `today` maps the keys of ids to those of their subjects, where these are others.
    """
    found: set[Key] = set()
    left: set[Key] = set()
    for kind, keys, parts in _batches(reader, table, kinds):
        counted = _counted(table, kind, parts, now_us)
        for key, is_counted in zip(keys, counted, strict=True):
            (found if is_counted else left).add(today.get(key, key))
    resting = {kind: _resting(table, kind, now_us) for kind in kinds}
    for key in left - found:
        gathered = gather(reader, table, key)
        if gathered is not None and gathered.kind in resting:
            subject = subject_of(gathered, table, now_us)
            nothing = resting[gathered.kind]
            if any(value != nothing[name] for name, value in subject.tags.items()):
                found.add(subject.key)
    return frozenset(key.hex() for key in found)


def _batches(
    reader: StateReader, table: TagTable, kinds: tuple[str, ...]
) -> Iterator[tuple[str, list[Key], list[Matrix]]]:
    """All ids of these kinds with their own records, many at a time and one kind each."""
    waiting: dict[str, tuple[list[Key], list[Matrix]]] = {kind: ([], []) for kind in kinds}
    for key, data in reader.scan("ids"):
        header = read_header(data)
        if header.kind not in waiting:
            continue
        keys, parts = waiting[header.kind]
        layout = table.families[family_of(header.kind)].layout
        keys.append(bytes(key))
        parts.append(layout.matrix(data, records_at(header)))
        if len(keys) == IDS_AT_ONCE:
            yield header.kind, keys, parts
            waiting[header.kind] = ([], [])
    yield from ((kind, keys, parts) for kind, (keys, parts) in waiting.items() if keys)


def _counted(table: TagTable, kind: str, parts: list[Matrix], now_us: int) -> list[bool]:
    """For each id's records whether some tag counts any of them."""
    whole = table.kinds[kind].whole
    is_count = [
        name.startswith("tag.") and aggregate in _COUNTS
        for name, aggregate in zip(whole.names, whole.fold.tags[:, 0].tolist(), strict=True)
    ]
    ends = np.cumsum([len(part) for part in parts])
    begins = ends - [len(part) for part in parts]
    now = np.full(len(parts), now_us, np.int64)
    values, _ = fold_many(np.concatenate(parts), begins, ends, now, whole.fold)
    return [bool(counts.any()) for counts in values[:, np.array(is_count, bool)] > 0]


def _resting(table: TagTable, kind: str, now_us: int) -> dict[str, Value]:
    """The tags of somebody of whom nothing is known."""
    rows = table.families[family_of(kind)].layout.empty()
    nobody = Gathered(kind, (hash128(NOBODY),), rows, NEVER_US, False, (Facts(NOBODY),))
    return dict(subject_of(nobody, table, now_us).tags)
