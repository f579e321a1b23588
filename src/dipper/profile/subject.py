"""A subject as decisions and explanations read it: one frozen record of all that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress

import msgspec

from dipper.engine.ports import StateReader
from dipper.kit.hashing import hash128
from dipper.profile.assessments import Assessment, latest
from dipper.profile.consents import ConsentState, states_of
from dipper.profile.erasure import tombstone
from dipper.profile.gather import WHOLE, Bound, Gathered, gather, owner_now
from dipper.profile.holdings import Holding
from dipper.profile.id_state import NEVER_US, Facts
from dipper.profile.identity import Key, rank, surviving
from dipper.profile.tags import KindTable, TagTable, family_of
from dipper.profile.values import Value


class Subject(msgspec.Struct, frozen=True):
    """Who it is and what is known at one moment.

    `key` is the hash of the id that names it, `found_by` the id by which it was found: one of
    `ids`, or a device that the person has now. `verified`: a believed source has named one of its
    ids (a device alone never is). `caps` are contacts in each cap's window, `lots` what the arm
    follows from under each policy that has decided about it. `erased` is for the caller to set who
    knows the key of the tombstones. A stranger has no `last_time_us`.

    `bounded` are the tags of a busy subject of which older records may count than are kept: their
    values are lower bounds of a count, of a sum of what is not negative and the like (ADR 0017). A
    cap of which contacts may be missing has no entry in `caps`: an unknown count denies.
    """

    key: Key
    kind: str
    ids: tuple[str, ...]
    found_by: str
    verified: bool
    tags: Mapping[str, Value]
    segments: frozenset[str]
    traits: Mapping[str, Value]
    holdings: tuple[Holding, ...]
    consents: Mapping[str, ConsentState]
    assessment: Assessment | None
    caps: Mapping[str, int]
    lots: Mapping[str, int]
    erased: bool
    last_time_us: int | None
    bounded: frozenset[str] = frozenset()


def load_subject(
    reader: StateReader,
    table: TagTable,
    ids: Sequence[str],
    now_us: int,
    erasure_key: bytes | None = None,
) -> Subject:
    """The subject that these ids `idtype:value` name, at `now_us`. A stranger is no error.

    Ids of persons (organisations, cases ...) come before devices, the smallest (priority, hash)
    first; a device that somebody has now names that person. With the key of the tombstones an
    erased id names nobody; where all are, the subject is erased. Raises ValueError without ids,
    Unavailable while the state is being rebuilt for another program.
    """
    if not ids:
        raise ValueError("a subject needs at least one id")
    named = ids
    if len(ids) > 1:
        named = sorted(ids, key=lambda text: (table.kind_of(text) == "device", rank(text)))
    if erasure_key is not None:
        marks = ((text, tombstone(text, erasure_key)) for text in named)
        living = [text for text, mark in marks if reader.get("erased", mark) is None]
        if not living:
            return subject_of(_stranger(table, named[0]), table, now_us, named[0], is_erased=True)
        named = living
    for text in named:
        key = hash128(text)
        if table.kind_of(text) == "device":
            key = owner_now(reader, table, key, now_us) or key
        found = gather(reader, table, key)
        if found is not None:
            return subject_of(found, table, now_us, text)
    return subject_of(_stranger(table, named[0]), table, now_us, named[0])


def subject_of(
    found: Gathered, table: TagTable, now_us: int, found_by: str = "", is_erased: bool = False
) -> Subject:
    """Everything about a gathered subject at one moment; by default found by what names it."""
    kind = table.kinds[found.kind]
    known = found.known(table.lines)
    whole = kind.whole
    values = whole.values(found.rows, now_us, known)
    caps = dict(zip(kind.cap_names, whole.take("cap.", kind.cap_names)(values), strict=True))
    ids = found.ids()
    place = 0 if len(ids) == 1 else ids.index(surviving(ids))
    bounded = _bounded(kind, found.bound, now_us)
    return Subject(
        key=found.keys[place],
        kind=found.kind,
        ids=tuple(ids),
        found_by=found_by or ids[place],
        verified=found.is_proven and found.kind != "device",
        tags=dict(zip(kind.tag_names, whole.take("tag.", kind.tag_names)(values), strict=True)),
        segments=frozenset(
            compress(kind.segment_names, whole.take("segment.", kind.segment_names)(values))
        ),
        traits=known.traits,
        holdings=known.holdings,
        consents=states_of(found.consents()),
        assessment=latest([facts.assessment for facts in found.facts]),
        caps={name: n for name, n in caps.items() if f"cap.{name}" not in bounded}
        if bounded
        else caps,
        lots=found.lots(),
        erased=is_erased,
        last_time_us=None if found.last_us == NEVER_US else found.last_us,
        bounded=frozenset([name[4:] for name in bounded if name.startswith("tag.")]),
    )


def _bounded(kind: KindTable, bound: Bound, now_us: int) -> frozenset[str]:
    """The tags and caps, by input name, that may lack records."""
    if bound == WHOLE:
        return frozenset()

    def is_short(window_us: int) -> bool:
        return now_us - window_us < bound.whole_from_us if window_us else bound.is_cut

    return frozenset(name for name, read in kind.windows.items() if any(map(is_short, read)))


def _stranger(table: TagTable, text: str) -> Gathered:
    """Somebody of whom nothing is known: what counts is 0, the rest is null."""
    kind = table.kind_of(text)
    rows = table.families[family_of(kind)].layout.empty()
    return Gathered(kind, (hash128(text),), rows, NEVER_US, False, (Facts(text),))
