"""Trains the policies' rankers from the log and publishes models; a replay loads them instead.

Evidence lies in memory and is read again from the log at start. Openings come from the core without
a decision id; one belongs to the latest decision about the same subject that gave an offer of its
product within the policy's window, the same rule that measuring states (`measure.confirmation`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import structlog

from dipper.app.served import Programs, Served
from dipper.app.workspace import Workspace
from dipper.decide.learning import Brought, Choice, PolicyLearner, choice_of, learner_of
from dipper.decide.trace import decode
from dipper.engine.ports import Entry, Record
from dipper.engine.record import EVENT_DECODER, EVENT_ENCODER, Control, Event, RecordKind
from dipper.kit.clock import SECOND_US
from dipper.kit.errors import DipperError
from dipper.kit.hashing import hash128
from dipper.profile.gather import gather

log = structlog.get_logger("trainer")

PUBLISH_EVERY_US = 10 * SECOND_US
OUTCOMES: dict[str, Brought] = {
    "offer_shown": "shown",
    "offer_clicked": "clicked",
    "offer_dismissed": "dismissed",
}
_MARKS = (b'"decision_made"', b'"offer_shown"', b'"offer_clicked"', b'"offer_dismissed"',
          b'"product_opened"')  # fmt: skip


_POSITION = msgspec.msgpack.Decoder(tuple[int, int, bytes])


class _Outcome(msgspec.Struct):
    decision_id: str = ""
    offer: str = ""
    product: str = ""


class Trainer:
    """Learners of all policies. One thread, the worker's."""

    def __init__(self, workspace: Workspace, programs: Programs) -> None:
        self._workspace = workspace
        self._programs = programs
        self._learners: dict[str, PolicyLearner] = {}
        self._policy_of: dict[str, str] = {}
        self._choices: dict[str, list[Choice]] = {}
        self._published: dict[str, str] = {}
        self._changed: set[str] = set()
        self._published_us = 0
        self.positions = self._first_decisions()

    def _first_decisions(self) -> dict[int, int]:
        """partition -> offset of the first decision that the state knows: nothing before it teaches
        anything, so nothing before it is read at start."""
        partitions = range(self._workspace.settings.storage.partitions)
        with self._workspace.state.read() as view:
            first = dict.fromkeys(partitions, 0) | view.positions()
            for _, row in view.scan("decisions"):
                partition, offset, _ = _POSITION.decode(row)
                first[partition] = min(first[partition], offset)
        return first

    def add(self, records: Sequence[Record]) -> None:
        """Take in what the records teach."""
        for record in records:
            if record.offset < self.positions[record.partition]:
                continue
            self.positions[record.partition] = record.offset + 1
            if record.kind != RecordKind.EVENT or record.erased:
                continue
            if any(mark in record.payload for mark in _MARKS):
                self._event(EVENT_DECODER.decode(record.payload))

    def forget(self, subjects: Sequence[str]) -> None:
        """Leave subjects out of the next training (erasure)."""
        for subject in subjects:
            for choice in self._choices.pop(subject, []):
                self._policy_of.pop(choice.decision_id, None)
            for policy, learner in self._learners.items():
                learner.evidence.forget_subject(subject)
                self._changed.add(policy)

    def publish(self, now_us: int) -> list[Entry]:
        """Control records of models that are new; at most every PUBLISH_EVERY_US."""
        if not self._changed or now_us - self._published_us < PUBLISH_EVERY_US:
            return []
        self._published_us = now_us
        entries = []
        for policy in sorted(self._changed):
            learner = self._learners[policy]
            learner.settle(now_us)
            address = self._workspace.models.put(learner.model().to_bytes())
            if self._published.get(policy) != address:
                self._published[policy] = address
                body = {
                    "policy": policy,
                    "hash": address,
                    "trained_to": {str(p): at for p, at in self.positions.items()},
                }
                control = Control(type="model_published", time_us=now_us, body=body)
                entries.append(Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control)))
        self._changed.clear()
        return entries

    def _event(self, event: Event) -> None:
        if event.event == "decision_made" and event.trust == "engine":
            self._decided(event)
        elif event.event in OUTCOMES:
            outcome = _read(event)
            self._brought(outcome.decision_id, outcome.offer, OUTCOMES[event.event], event.time_us)
        elif event.event == "product_opened" and event.trust == "core":
            self._opened(event)

    def _decided(self, event: Event) -> None:
        trace = decode(bytes(event.properties))
        served = self._programs.of_trace(trace.program, trace.tables)
        choice = choice_of(served.decider, trace)
        if choice is None:
            return
        learner = self._learner(served, choice.policy)
        learner.evidence.add_choice(choice)
        self._policy_of[choice.decision_id] = choice.policy
        self._choices.setdefault(choice.subject, []).append(choice)

    def _learner(self, served: Served, policy: str) -> PolicyLearner:
        if policy not in self._learners:
            self._learners[policy] = learner_of(served.decider, policy)
        return self._learners[policy]

    def _brought(self, decision_id: str, offer: str, brought: Brought, time_us: int) -> None:
        policy = self._policy_of.get(decision_id)
        if policy is not None:
            self._learners[policy].evidence.add_outcome(decision_id, offer, brought, time_us)
            self._changed.add(policy)

    def _opened(self, event: Event) -> None:
        """Match an opening to the latest decision that offered its product."""
        product = _read(event).product
        best: tuple[int, Choice, str] | None = None
        for key in self._keys_of(event):
            for choice in self._choices.get(key.hex(), []):
                policy = self._learners[choice.policy].evidence.policy
                if not 0 <= event.time_us - choice.time_us <= policy.window_us:
                    continue
                for offer in choice.offers:
                    if self._product_of(offer) == product and (
                        best is None or choice.time_us > best[0]
                    ):
                        best = (choice.time_us, choice, offer)
        if best is not None:
            self._brought(best[1].decision_id, best[2], "opened", event.time_us)

    def _keys_of(self, event: Event) -> Sequence[bytes]:
        """The keys of all ids of the subject that opened."""
        text = event.subjects.get("person") or event.subjects.get("organisation")
        if text is None:
            return ()
        key = hash128(text)
        served = self._programs.latest
        with self._workspace.state.read() as view:
            try:
                found = None if served is None else gather(view, served.tag_table, key)
            except DipperError:
                found = None
        return (key,) if found is None else found.keys

    def _product_of(self, offer: str) -> str | None:
        served = self._programs.latest
        spec = None if served is None else served.program.of("offer").get(offer)
        return None if spec is None else spec.product


def _read(event: Event) -> _Outcome:
    return msgspec.json.decode(event.properties, type=_Outcome)
