"""What applying a program would change, field by field, and what that touches further on.

Pure: two programs in, a plan out. What only counting can say (3,412 persons enter, 87 leave) is
counted by the caller and passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dipper.spec import reserved
from dipper.spec.document import Owner, Risk, Spec, Text
from dipper.spec.program import Program

Action = Literal["added", "changed", "removed"]
Key = tuple[str, str]

_ABSENT = object()


@dataclass(frozen=True)
class SegmentNumbers:
    """How a change moves the members of a segment: subjects, counted by the caller."""

    enter: int
    leave: int
    now: int


@dataclass(frozen=True)
class FieldChange:
    """One field, as 'value.where', before and after; None where it was not or is not there."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """One object that is added, changed or removed, and who has to approve it."""

    action: Action
    kind: str
    name: str
    title: Text
    risk: Risk
    approver: Owner
    owner: str
    """The name that the object gives its approving owner."""
    fields: tuple[FieldChange, ...] = ()
    subject: str = ""


@dataclass(frozen=True)
class Touched:
    """An object that is the same but depends on a change; `chain` goes to it from the change.

    `loses` says that the change is a removal and that the object still names what is removed.
    """

    kind: str
    name: str
    title: Text
    chain: tuple[Key, ...]
    loses: bool = False
    subject: str = ""


@dataclass(frozen=True)
class Plan:
    """The difference between what is served and what would be."""

    before: str
    after: str
    changes: tuple[Change, ...]
    touched: tuple[Touched, ...]
    numbers: Mapping[str, SegmentNumbers] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether applying would change nothing."""
        return not self.changes

    def count(self, action: Action) -> int:
        """How many objects are added, changed or removed."""
        return sum(change.action == action for change in self.changes)

    def as_dict(self) -> dict[str, Any]:
        """The plan for machines."""
        return {
            "before": self.before,
            "after": self.after,
            "added": self.count("added"),
            "changed": self.count("changed"),
            "removed": self.count("removed"),
            "changes": [_change_dict(change, self.numbers) for change in self.changes],
            "touched": [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "loses": one.loses,
                    "chain": [f"{kind}/{name}" for kind, name in one.chain],
                }
                | _moved(one, self.numbers)
                for one in self.touched
            ],
        }


def plan(
    before: Program | None, after: Program, numbers: Mapping[str, SegmentNumbers] | None = None
) -> Plan:
    """What applying `after` over `before` (None: nothing is served yet) does.

    `numbers` are by segment, of segments whose members change. Reserved objects are left out.
    """
    old = _own(before) if before is not None else {}
    new = _own(after)
    changes = tuple(_changes(old, new))
    touched = tuple(_touched(changes, new))
    return Plan(before.hash if before else "", after.hash, changes, touched, dict(numbers or {}))


def _own(program: Program) -> dict[Key, Spec]:
    return {
        (spec.kind, spec.name): spec
        for spec in program
        if not reserved.is_reserved(spec.kind, spec.name)
    }


def _changes(old: Mapping[Key, Spec], new: Mapping[Key, Spec]) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            yield _change("added", new[key])
        elif key not in new:
            yield _change("removed", old[key])
        elif fields := tuple(_fields(old[key], new[key])):
            yield _change("changed", new[key], fields)


def _change(action: Action, spec: Spec, fields: tuple[FieldChange, ...] = ()) -> Change:
    return Change(
        action=action,
        kind=spec.kind,
        name=spec.name,
        title=spec.title,
        risk=spec.risk,
        approver=spec.approver,
        owner=getattr(spec.owners, spec.approver),
        fields=fields,
        subject=getattr(spec, "subject", ""),
    )


def _fields(old: Spec, new: Spec) -> Iterator[FieldChange]:
    before = _flat(old.document(complete=True))
    after = _flat(new.document(complete=True))
    for path in [*after, *(path for path in before if path not in after)]:
        was, becomes = before.get(path, _ABSENT), after.get(path, _ABSENT)
        if was != becomes:
            yield FieldChange(
                path, None if was is _ABSENT else was, None if becomes is _ABSENT else becomes
            )


def _flat(document: Any, path: str = "") -> dict[str, Any]:
    """Nested records as dotted paths; a list is one value."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        place = f"{path}.{name}" if path else name
        if isinstance(value, dict) and value:
            found |= _flat(value, place)
        else:
            found[place] = value
    return found


def _touched(changes: tuple[Change, ...], new: Mapping[Key, Spec]) -> Iterator[Touched]:
    """Breadth first against the direction of references, so that the shortest chain is told."""
    readers: dict[Key, list[Key]] = {}
    for key, spec in new.items():
        for ref in spec.refs():
            readers.setdefault((ref.kind, ref.name), []).append(key)
    removed = {(one.kind, one.name) for one in changes if one.action == "removed"}
    roots = [(one.kind, one.name) for one in changes if one.action != "added"]
    mine = {(one.kind, one.name) for one in changes}
    seen = set(roots)
    waiting: deque[tuple[Key, ...]] = deque((root,) for root in roots)
    while waiting:
        chain = waiting.popleft()
        for key in dict.fromkeys(readers.get(chain[-1], ())):
            if key in seen:
                continue
            seen.add(key)
            longer = (*chain, key)
            waiting.append(longer)
            loses = len(chain) == 1 and chain[0] in removed
            if key not in mine or loses:
                subject = getattr(new[key], "subject", "")
                yield Touched(*key, new[key].title, longer, loses, subject)


def _change_dict(change: Change, numbers: Mapping[str, SegmentNumbers]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "action": change.action,
        "kind": change.kind,
        "name": change.name,
        "title": {"zh": change.title.zh, "en": change.title.en},
        "risk": change.risk,
        "approver": change.approver,
        "owner": change.owner,
        "fields": [
            {"path": one.path, "before": one.before, "after": one.after} for one in change.fields
        ],
    }
    return found | _moved(change, numbers)


def _moved(one: Change | Touched, numbers: Mapping[str, SegmentNumbers]) -> dict[str, Any]:
    moved = numbers.get(one.name) if one.kind == "segment" else None
    if moved is None:
        return {}
    return {"numbers": {"enter": moved.enter, "leave": moved.leave, "now": moved.now}}
