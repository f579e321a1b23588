"""Drives the two live days through the real HTTP surface of a started server.

Every step: tell the server what happened, ask for the decisions that the scenarios ask for, let the
simulated persons answer, let the core confirm what they opened; then wait until all is projected,
and only then move the virtual clock. Nothing of the hidden model is ever sent.
"""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dipper.kit.clock import to_iso
from dipper.kit.errors import DipperError
from dipper.kit.ids import uuid7
from dipper.surface.demo.answers import react
from dipper.surface.demo.client import Answer, Client, gather_bounded
from dipper.surface.demo.history import Subjects
from dipper.surface.demo.live_plan import STEP_US, LiveAct, Opening
from dipper.surface.demo.population import Organisations, Persons, Visitors

BATCH_EVENTS = 50
BATCHES_AT_ONCE = 8
DECISIONS_AT_ONCE = 8
"""They share the log's syncs, and wait for each other in front of the gateway: how long one takes
is told by those that are asked for alone."""
ALONE_OF = 10
"""Of so many decisions one is asked for while nothing else is under way."""


class Refused(DipperError):
    """The server answered something that the demo cannot go on from."""

    code = "demo_refused"
    status = 500


@dataclass
class Tally:
    """What was sent and answered, counted by the driver itself.

    `alone_s` are the seconds of decisions that were asked for one at a time, `together_s` those of
    the others. `batched` events went out in batches in phases that took `batching_s` by the wall
    clock; the phase in which the server is killed is not among them.
    """

    sent: int = 0
    acknowledged: int = 0
    decisions: int = 0
    alone_s: list[float] = field(default_factory=list)
    together_s: list[float] = field(default_factory=list)
    batched: int = 0
    batching_s: float = 0.0


@dataclass(frozen=True)
class Asked:
    """One decision that was asked for, kept to be compared with the hidden truth afterwards."""

    decision_id: str
    kind: str
    subject: int
    time_us: int
    step: int
    arm: str
    offers: tuple[str, ...]


@dataclass
class Bank:
    """The simulated outside world and what it may know: keys of its sources, needs it serves."""

    persons: Persons
    visitors: Visitors
    organisations: Organisations
    keys: dict[str, str]
    offer_need: dict[str, str | None]
    offer_product: dict[str, str | None]
    seed: int

    @property
    def everybody(self) -> dict[str, Subjects]:
        """The subjects of each kind."""
        return {
            "person": self.persons,
            "visitor": self.visitors,
            "organisation": self.organisations,
        }

    def ids(self, kind: str, subject: int) -> dict[str, str]:
        """How a scenario's server names somebody."""
        if kind == "person":
            return {"login": self.persons.login[subject]}
        if kind == "visitor":
            return {"device": self.visitors.device[subject]}
        return {"org_no": self.organisations.org_no[subject]}


class Driver:
    """Two live days against one server."""

    def __init__(self, bank: Bank, client: Client) -> None:
        self.bank = bank
        self.client = client
        self.tally = Tally()
        self.asked: list[Asked] = []
        self.opened: set[tuple[str, int, str]] = set()
        self._random = random.Random(bank.seed)
        self._plans: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        self._due: list[tuple[int, int, Opening]] = []
        self._serial = itertools.count()
        self._introduced: set[int] = set()

    def expect(self, openings: Sequence[Opening]) -> None:
        """Openings that are planned already and will reach the core at their time."""
        for opening in openings:
            self._plans[opening.kind, opening.subject].add(opening.product)
            heapq.heappush(self._due, (opening.time_us, next(self._serial), opening))

    async def step(
        self,
        number: int,
        acts: Sequence[LiveAct],
        now_us: int,
        halfway: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Everything that happens up to `now_us`; `halfway` runs when half of it was sent."""
        consents = [act for act in acts if act.event == "consent_withdrawn"]
        if consents:
            # Answered when the projection has applied them: the next decision obeys.
            await self._send("scenario_server", [self._message(act) for act in consents], now_us)
        others = [act for act in acts if act.event != "consent_withdrawn"]
        await self._tell(others, now_us, halfway)
        asking = [act for act in acts if act.placement]
        alone = len(asking) // ALONE_OF
        for act in asking[:alone]:
            await self._decide(number, act, now_us, self.tally.alone_s)
        await gather_bounded(
            asking[alone:],
            lambda act: self._decide(number, act, now_us, self.tally.together_s),
            DECISIONS_AT_ONCE,
        )
        await self._confirm(now_us)

    async def _tell(
        self,
        acts: Sequence[LiveAct],
        now_us: int,
        halfway: Callable[[], Awaitable[None]] | None,
    ) -> None:
        batches: list[tuple[str, list[dict[str, Any]]]] = []
        for source in ("app", "scenario_server"):
            messages = [self._message(act) for act in acts if act.is_public == (source == "app")]
            batches += [
                (source, messages[start : start + BATCH_EVENTS])
                for start in range(0, len(messages), BATCH_EVENTS)
            ]
        send = lambda batch: self._send(batch[0], batch[1], now_us)  # noqa: E731
        if halfway is None:
            started = time.perf_counter()
            await gather_bounded(batches, send, BATCHES_AT_ONCE)
            self.tally.batching_s += time.perf_counter() - started
            self.tally.batched += len(acts)
            return
        half = len(batches) // 2
        await gather_bounded(batches[:half], send, BATCHES_AT_ONCE)
        # The server dies while the second half is under way.
        sending = gather_bounded(batches[half:], send, BATCHES_AT_ONCE)
        await gather_bounded([sending, halfway()], lambda work: work, 2)

    def _message(self, act: LiveAct) -> dict[str, Any]:
        message: dict[str, Any] = {
            "type": "track",
            "event": act.event,
            "messageId": self._id(act.time_us),
            "timestamp": to_iso(act.time_us),
            "properties": act.properties,
            "context": {"dipper": {"scenario": act.scenario}} if act.scenario else {},
        }
        if act.kind == "organisation":
            firm = self.bank.organisations
            message["context"].setdefault("dipper", {})["subjects"] = {
                "organisation": f"org_no:{firm.org_no[act.subject]}",
                "operator": f"login:{self.bank.persons.login[firm.operator[act.subject]]}",
            }
            return message
        if act.kind == "visitor":
            message["anonymousId"] = self.bank.visitors.device[act.subject]
            return message
        persons = self.bank.persons
        message["userId"] = persons.login[act.subject]
        if act.is_public:
            message["anonymousId"] = persons.device[act.subject]
        return message

    async def _send(self, source: str, messages: list[dict[str, Any]], now_us: int) -> None:
        self.tally.sent += len(messages)
        answer = await self.client.post(
            "/v1/batch", self.bank.keys[source], {"batch": messages, "sentAt": to_iso(now_us)}
        )
        require_success(answer, "/v1/batch")
        self.tally.acknowledged += len(messages)

    async def _decide(self, number: int, act: LiveAct, now_us: int, seconds: list[float]) -> None:
        ids = self.bank.ids(act.kind, act.subject)
        answer = await self.client.post(
            "/v1/decide",
            self.bank.keys["scenario_server"],
            {"placement": act.placement, "ids": ids},
        )
        require_success(answer, "/v1/decide")
        seconds.append(answer.seconds)
        self.tally.decisions += 1
        reply = answer.json()
        offers = tuple(item["offer"] for item in reply["offers"])
        self.asked.append(
            Asked(
                reply["decision_id"],
                act.kind,
                act.subject,
                act.time_us,
                number,
                reply["arm"],
                offers,
            )
        )
        for offer in offers:
            await self._answer(act, reply["decision_id"], offer, now_us)

    async def _answer(self, act: LiveAct, decision_id: str, offer: str, now_us: int) -> None:
        """The person sees the offer, and perhaps clicks it, and perhaps opens the product."""
        await self._outcome(decision_id, offer, "shown", now_us)
        hidden = self.bank.everybody[act.kind].hidden
        occasion = f"{act.event}/{act.time_us}/{offer}"
        need, product = self.bank.offer_need.get(offer), self.bank.offer_product.get(offer)
        reaction = react(
            hidden,
            act.subject,
            need,
            now_us,
            occasion,
            self.bank.seed,
            product=product,
            plans=self._plans.get((act.kind, act.subject), ()),
        )
        if reaction.clicked_us is not None:
            await self._outcome(decision_id, offer, "clicked", now_us)
        if reaction.opened_us is not None and product is not None:
            opening = Opening(reaction.opened_us, act.kind, act.subject, product, False)
            heapq.heappush(self._due, (opening.time_us, next(self._serial), opening))

    async def _outcome(self, decision_id: str, offer: str, outcome: str, now_us: int) -> None:
        self.tally.sent += 1
        answer = await self.client.post(
            "/v1/outcomes",
            self.bank.keys["scenario_server"],
            {
                "decision_id": decision_id,
                "offer": offer,
                "outcome": outcome,
                "message_id": self._id(now_us),
                "time": to_iso(now_us),
            },
        )
        require_success(answer, "/v1/outcomes")
        self.tally.acknowledged += 1

    async def _confirm(self, now_us: int) -> None:
        """The core tells of what was opened up to now: no decision id, only who and what."""
        messages: list[dict[str, Any]] = []
        while self._due and self._due[0][0] <= now_us:
            _, _, opening = heapq.heappop(self._due)
            key = (opening.kind, opening.subject, opening.product)
            if key not in self.opened:
                self.opened.add(key)
                self._plans[opening.kind, opening.subject].discard(opening.product)
                messages += self._core_messages(opening)
        for start in range(0, len(messages), BATCH_EVENTS):
            await self._send("core", messages[start : start + BATCH_EVENTS], now_us)

    def _core_messages(self, opening: Opening) -> list[dict[str, Any]]:
        when = to_iso(opening.time_us)
        body = {
            "type": "track",
            "event": "product_opened",
            "messageId": self._id(opening.time_us),
            "timestamp": when,
            "properties": {
                "product": opening.product,
                "account": f"{opening.product}-{opening.kind}-{opening.subject}",
                "opened_on": when[:10],
            },
            "context": {
                "dipper": {
                    "channel": "counter" if opening.at_counter else "app",
                    "org_unit": self.bank.everybody[opening.kind].outlet[opening.subject],
                    "staff": f"S{opening.subject % 300:04d}" if opening.at_counter else None,
                }
            },
        }
        if opening.kind == "organisation":
            body["context"]["dipper"]["subjects"] = {
                "organisation": f"org_no:{self.bank.organisations.org_no[opening.subject]}"
            }
            return [body]
        persons = self.bank.persons
        body["userId"] = persons.customer_no[opening.subject]
        if persons.is_existing[opening.subject] or opening.subject in self._introduced:
            return [body]
        self._introduced.add(opening.subject)
        bound = {
            "type": "track",
            "event": "subject_bound",
            "messageId": self._id(opening.time_us),
            "timestamp": when,
            "userId": persons.customer_no[opening.subject],
            "properties": {"other_id": f"login:{persons.login[opening.subject]}"},
        }
        return [bound, body]

    def _id(self, time_us: int) -> str:
        return uuid7(time_us, self._random.randbytes(10))


def require_success(answer: Answer, path: str) -> None:
    """Raises Refused when the server did not take what the demo has sent."""
    if answer.status not in (200, 201, 202):
        raise Refused(
            f"expected a success, got {answer.status}: {answer.body[:300]!r}",
            where=path,
        )


def step_end(start_us: int, number: int) -> int:
    """The virtual time at the end of a step."""
    return start_us + (number + 1) * STEP_US
