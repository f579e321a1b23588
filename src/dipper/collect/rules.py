"""What becomes of each event name that a source may send, found once and then looked up.

A rule joins the three things that are settled before an event comes: which event of ours it is,
what the tracking plan wants of it, and whether this source is believed for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from dipper.collect.names import NAME_MAX, snake_case
from dipper.collect.plan import EventPlan, Failed, Plan
from dipper.collect.sources import Source
from dipper.collect.trust import Belief, belief
from dipper.spec.reserved import ENVELOPE_IN_PROPERTIES

_RULES_MAX = 16_384
_PLAIN_MAX = 2_048
_EVENT_OF_TYPE = {
    "identify": "identify",
    "group": "group",
    "alias": "alias",
    "page": "page_viewed",
    "screen": "screen_viewed",
}
CONSENTS = frozenset({"consent_given", "consent_withdrawn"})


@dataclass(frozen=True, slots=True)
class Rule:
    """How an event is judged. `decode` is None where one pass is not enough to judge it."""

    event: str
    plan: EventPlan | None
    failure: Failed | None
    needed: Belief
    decode: Callable[[msgspec.Raw], Any] | None
    texts: Callable[[Any], tuple[Any, ...]] | None
    scenario: str | None


class Rules(dict[str | None, Rule]):
    """Rules of one source under one program, by the name that the SDK sends for a track event.

    `plain` are those by which an event can be judged in one pass.
    """

    def __init__(self, plan: Plan, source: Source) -> None:
        super().__init__()
        self.plan = plan
        self.source = source
        self.plain: dict[str, Rule] = {}
        for name in (*plan.events, *source.rename):
            self._remember(name, self[name])
        self.of_type = {kind: self._rule(name) for kind, name in _EVENT_OF_TYPE.items()}

    def __missing__(self, sent: str | None) -> Rule:
        if len(self) >= _RULES_MAX:
            self.clear()
        rule = self[sent] = self._named(sent)
        if sent is not None:
            self._remember(sent, rule)
        return rule

    def _remember(self, sent: str, rule: Rule) -> None:
        """Let the lane know a name. What the plan does not know by itself is not worth it."""
        if rule.decode and rule.event in self.plan.events and len(self.plain) < _PLAIN_MAX:
            self.plain[sent] = rule

    def _named(self, sent: str | None) -> Rule:
        name = self.source.rename.get(sent or "") or snake_case((sent or "")[: NAME_MAX * 2])
        if not name or len(name) > NAME_MAX:
            reason = f"an event needs a name of 1 to {NAME_MAX} letters and digits"
            return _failing(name[:NAME_MAX], Failed("bad_name", reason, "event"))
        return self._rule(name)

    def _rule(self, name: str) -> Rule:
        plan = self.plan.events.get(name)
        if plan is None:
            if self.source.unknown_events != "accept":
                return _failing(name, self.plan.unknown(name))
            plan = self.plan.undeclared_event(name)
        needed = belief(name, plan.senders, self.source)
        # What the envelope takes from among the properties is usually declared nowhere, and then
        # whoever brings it is out of the ordinary.
        is_plain = needed is Belief.PLAIN and plan.declared.keys().isdisjoint(
            ENVELOPE_IN_PROPERTIES.get(name, ())
        )
        return Rule(
            event=name,
            plan=plan,
            failure=None,
            needed=needed,
            decode=plan.decode if is_plain else None,
            texts=plan.texts,
            scenario=plan.scenario,
        )


def _failing(name: str, failure: Failed) -> Rule:
    return Rule(name, None, failure, Belief.PLAIN, None, None, None)
