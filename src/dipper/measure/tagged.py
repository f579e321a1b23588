"""Who is tagged: has a tag that says something, read from the state that decisions read.

A tag says something when its value is another than that of somebody of whom nothing is known: so a
count of nothing is none, whatever the default of the tag.
"""

from __future__ import annotations

from dipper.engine.ports import StateReader
from dipper.kit.hashing import hash128
from dipper.profile.gather import Gathered, gather
from dipper.profile.id_state import NEVER_US, Facts
from dipper.profile.identity import Key
from dipper.profile.subject import subject_of
from dipper.profile.tags import TagTable, family_of
from dipper.profile.values import Value

NOBODY = "nobody:"


def tagged_subjects(
    reader: StateReader, table: TagTable, now_us: int, kinds: tuple[str, ...]
) -> frozenset[str]:
    """Keys (hex) of the subjects of these kinds with a tag that says something at `now_us`."""
    resting = {kind: _resting(table, kind, now_us) for kind in kinds}
    seen: set[Key] = set()
    found = set()
    for key, _ in reader.scan("ids"):
        if key in seen:
            continue
        gathered = gather(reader, table, key)
        if gathered is None or gathered.kind not in resting:
            continue
        seen.update(gathered.keys)
        subject = subject_of(gathered, table, now_us)
        nothing = resting[gathered.kind]
        if any(value != nothing[name] for name, value in subject.tags.items()):
            found.add(subject.key.hex())
    return frozenset(found)


def _resting(table: TagTable, kind: str, now_us: int) -> dict[str, Value]:
    """The tags of somebody of whom nothing is known."""
    rows = table.families[family_of(kind)].layout.empty()
    nobody = Gathered(kind, (hash128(NOBODY),), rows, NEVER_US, False, (Facts(NOBODY),))
    return dict(subject_of(nobody, table, now_us).tags)
