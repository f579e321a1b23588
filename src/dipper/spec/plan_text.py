"""A plan in words, in Chinese or English."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dipper.spec.plan import Action, Change, FieldChange, Plan, Touched

TOUCHED_MAX = 20
VALUE_MAX = 80

_SIGN: dict[Action, str] = {"added": "+", "changed": "~", "removed": "-"}

_WORDS = {
    "en": {
        "nothing": "Nothing changes.",
        "head": "{added} added, {changed} changed, {removed} removed; {touched} touched.",
        "moves": "{enter:,} {subjects} enter, {leave:,} leave, {now:,} are in it now",
        "touched": "Touched:",
        "chain": "{kind} {name} ({title}) through {chain}",
        "loses": "{kind} {name} ({title}) loses {chain}",
        "more": "and {count} more",
        "none": "(none)",
        "approve": "To approve: {owners}.",
    },
    "zh": {
        "nothing": "没有变化。",
        "head": "新增 {added}，变更 {changed}，删除 {removed}；受影响 {touched}。",
        "moves": "{enter:,} {subjects}进入，{leave:,} {subjects}离开，现有 {now:,} {subjects}",
        "touched": "受影响：",
        "chain": "{kind} {name}（{title}），经由 {chain}",
        "loses": "{kind} {name}（{title}）失去 {chain}",
        "more": "另有 {count} 项",
        "none": "（无）",
        "approve": "需复核：{owners}。",
    },
}

_SUBJECTS = {
    "en": {"person": "persons", "organisation": "organisations", "case": "cases"},
    "zh": {"person": "人", "organisation": "家", "case": "件"},
}


def plan_text(plan: Plan, language: str = "en") -> str:
    """The plan as lines: what changes with its fields, what is touched, who approves."""
    words = _WORDS["zh" if language == "zh" else "en"]
    if plan.is_empty:
        return words["nothing"] + "\n"
    return "\n".join(_lines(plan, "zh" if language == "zh" else "en", words)) + "\n"


def _lines(plan: Plan, language: str, words: dict[str, str]) -> Iterator[str]:
    yield words["head"].format(
        added=plan.count("added"),
        changed=plan.count("changed"),
        removed=plan.count("removed"),
        touched=len(plan.touched),
    )
    for change in plan.changes:
        title = change.title.of(language)
        yield f"{_SIGN[change.action]} {change.kind} {change.name}: {title}"
        yield from (f"    {_field(one, words)}" for one in change.fields)
        yield from _moves(change, plan, "    ", language, words)
    if plan.touched:
        yield words["touched"]
        for one in plan.touched[:TOUCHED_MAX]:
            yield f"    {_touched(one, language, words)}"
            yield from _moves(one, plan, "        ", language, words)
        if len(plan.touched) > TOUCHED_MAX:
            yield "    " + words["more"].format(count=len(plan.touched) - TOUCHED_MAX)
    owners = dict.fromkeys(
        f"{change.owner} ({change.kind} {change.name})"
        for change in plan.changes
        if change.risk == "high"
    )
    if owners:
        yield words["approve"].format(owners=", ".join(owners))


def _field(change: FieldChange, words: dict[str, str]) -> str:
    before, after = (_value(value, words) for value in (change.before, change.after))
    return f"{change.path}: {before} -> {after}"


def _value(value: Any, words: dict[str, str]) -> str:
    if value is None or value in ([], {}):
        return words["none"]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX - 1]}…"


def _moves(
    one: Change | Touched, plan: Plan, indent: str, language: str, words: dict[str, str]
) -> Iterator[str]:
    """Who enters and leaves a segment, where that was counted."""
    moved = plan.numbers.get(one.name) if one.kind == "segment" else None
    if moved is not None:
        subjects = _SUBJECTS[language].get(one.subject, one.subject)
        yield indent + words["moves"].format(
            enter=moved.enter, leave=moved.leave, now=moved.now, subjects=subjects
        )


def _touched(one: Touched, language: str, words: dict[str, str]) -> str:
    way = one.chain[:1] if one.loses else reversed(one.chain[:-1])
    chain = " <- ".join(f"{kind} {name}" for kind, name in way)
    return words["loses" if one.loses else "chain"].format(
        kind=one.kind, name=one.name, title=one.title.of(language), chain=chain
    )
