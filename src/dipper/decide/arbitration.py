"""One decision: values in, gates, ranking, arm, answer and trace out. Pure.

All arms run all gates and the ranker, so that their traces can be compared: the control arm is
given nothing, the placebo arm the placebo, and what would have been offered stands in the trace.
Clock, draw and id are passed in, and a replay comes the same way from the values of a trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dipper.decide.candidate import Candidate
from dipper.decide.compile import TABLES_READ, Place, Tables, compile_places
from dipper.decide.gates.registry import Gate, built_in
from dipper.decide.inputs import Subject, Values
from dipper.decide.rank.model import Ints
from dipper.decide.rank.ranker import Ranker
from dipper.decide.rank.registry import built_in as built_in_rankers
from dipper.decide.ranking import Published, Ranked
from dipper.decide.request import DecideRequest, Offered, Reply
from dipper.decide.screen import Screened
from dipper.decide.trace import (
    TRACE_VERSION,
    Chosen,
    Trace,
    pack_denied,
    pack_probabilities,
    pack_scores,
)
from dipper.experiment.arms import Arm, arm_of, draw_lot
from dipper.kit.errors import NotFound, did_you_mean
from dipper.spec.program import Program


class Decided(NamedTuple):
    """An answer, still without its position, and the trace to store before it is given."""

    reply: Reply
    trace: Trace


class Moment(NamedTuple):
    """What a decision is told beside the values: everything that is not in program and tables."""

    decision_id: str
    now_us: int
    draw: float
    limit: int
    is_personalised: bool
    subject: str
    arm: Arm
    lot: int | None


@dataclass(frozen=True)
class Decider:
    """All placements of one program, ready to decide. `tables` are the hashes of those it read."""

    program: str
    tables: Mapping[str, str]
    places: Mapping[str, Place]

    def place(self, name: str) -> Place:
        """A placement. Raises NotFound with the closest name."""
        place = self.places.get(name)
        if place is None:
            raise NotFound(
                f"expected a placement, got '{name}', which is not declared",
                where="body.placement",
                hint=did_you_mean(name, self.places) or f"Placements: {', '.join(self.places)}.",
            )
        return place

    def warm(self) -> None:
        """Compile the kernels, or load them from the cache, before anybody waits for them."""
        for place in self.places.values():
            if place.candidates:
                inputs = place.inputs
                blank = Values("-" * len(inputs.flags), [None] * len(inputs.others), 0)
                place.screen.screen(blank)
                first = np.zeros(1, np.int64)
                place.ranking.personalised(first, place.reader.vector(blank), None, 0.0, 1)
                return

    def decide(
        self,
        request: DecideRequest,
        subject: Subject,
        now_us: int,
        draw: float,
        decision_id: str,
        published: Published | None = None,
        *,
        is_claimed: bool = False,
    ) -> Decided:
        """Decide for a subject. `draw` is uniform in [0, 1); `published` is the policy's model.

        `is_claimed` says that a page speaks of its context (`decide.context`). Raises NotFound for
        an unknown placement, BadInput for a context that is not declared so.
        """
        place = self.place(request.placement)
        context = place.context.read(request.context, is_claimed=is_claimed)
        values = place.inputs.collect(
            subject, context, now_us, is_personalised=request.personalised
        )
        # Who asked to be forgotten is served like a stranger, and is in no experiment.
        key = "" if subject.erased else subject.key.hex()
        lot = _lot(subject, key, place.policy.name) if key else None
        moment = Moment(
            decision_id,
            now_us,
            draw,
            min(request.limit or place.placement.limit, place.placement.limit),
            request.personalised,
            key,
            "treated" if lot is None else arm_of(lot, place.shares),
            lot,
        )
        return self.answer(place, values, moment, published)

    def answer(
        self, place: Place, values: Values, moment: Moment, published: Published | None
    ) -> Decided:
        """Decide from values that are read already: what `decide` and a replay share."""
        screened = place.screen.screen(values)
        offers, placebos = place.apart(screened.passed)
        ranked = _ranked(place, values, moment, offers, published)
        would = _slots(place, values, ranked, moment.limit)
        given = would if moment.arm == "treated" else _instead(place, moment, placebos)
        return Decided(
            _reply(self.program, place, moment, given),
            self._trace(place, values, moment, screened, ranked, would, given, published),
        )

    def _trace(
        self,
        place: Place,
        values: Values,
        moment: Moment,
        screened: Screened,
        ranked: Ranked,
        would: tuple[Chosen, ...],
        given: tuple[Chosen, ...],
        published: Published | None,
    ) -> Trace:
        return Trace(
            version=TRACE_VERSION,
            decision_id=moment.decision_id,
            now_us=moment.now_us,
            placement=place.placement.name,
            policy=place.policy.name,
            subject=moment.subject,
            arm=moment.arm,
            lot=moment.lot,
            program=self.program,
            tables=dict(self.tables),
            model=published.hash if published is not None else "",
            draw=moment.draw,
            limit=moment.limit,
            personalised=moment.is_personalised,
            flags=values.flags,
            values=values.others,
            gates=place.gate_names,
            denied=pack_denied(screened.first),
            gate_denials=dict(screened.denials),
            passed=len(ranked.candidates),
            offers=given,
            would=would if would != given else (),
            scores=pack_scores(ranked.scores),
            probabilities=pack_probabilities(ranked.probabilities),
        )


def compile_decider(
    program: Program,
    tables: Tables,
    gates: Sequence[Gate] | None = None,
    rankers: Mapping[str, Ranker] | None = None,
) -> Decider:
    """The decider of a program and its tables; `gates` and `rankers` where plug-ins add some.

    Raises ExpressionError or BadInput for a program that no check has seen.
    """
    places = compile_places(program, tables, gates or built_in(), rankers or built_in_rankers())
    read = {name: tables[name].hash for name in TABLES_READ if name in tables}
    return Decider(program.hash, read, places)


def _lot(subject: Subject, key: str, policy: str) -> int:
    """That of the first decision, whoever the subject was then; else one drawn now."""
    kept = subject.lots.get(policy)
    return draw_lot(key, policy) if kept is None else kept


def _ranked(
    place: Place, values: Values, moment: Moment, offers: Ints, published: Published | None
) -> Ranked:
    ranking = place.ranking
    if not moment.is_personalised:
        return ranking.same_for_all(offers, _slots_wanted(place, values, offers, moment.limit))
    vector = place.reader.vector(values)
    wanted = _slots_wanted(place, values, offers, moment.limit)
    return ranking.personalised(offers, vector, published, moment.draw, wanted)


def _slots_wanted(place: Place, values: Values, offers: Ints, limit: int) -> int:
    """How many slots to draw: more than the limit where a cap may leave one of them empty."""
    if limit == 1:
        return 1
    rooms = _rooms(place, values, (place.candidates[at] for at in offers.tolist()))
    return len(offers) if any(room < limit for room in rooms.values()) else limit


def _rooms(place: Place, values: Values, offers: Iterable[Candidate]) -> dict[str, int]:
    """How many contacts each cap of these offers still allows."""
    limits = {cap.name: cap.limit for offer in offers for cap in offer.caps}
    counts = place.inputs.pick([f"cap.{name}" for name in limits])(values)
    return {
        name: limit - count for (name, limit), count in zip(limits.items(), counts, strict=True)
    }


def _slots(place: Place, values: Values, ranked: Ranked, limit: int) -> tuple[Chosen, ...]:
    """The ranked offers that fill the slots, keeping the caps within this reply too."""
    if len(ranked.order) == 1:
        (at,) = ranked.order
        name = place.candidates[ranked.candidates[at]].name
        return (Chosen(name, float(ranked.scores[at]), ranked.propensity[0]),)
    offers = [place.candidates[ranked.candidates[at]] for at in ranked.order]
    rooms = _rooms(place, values, offers)
    chosen: list[Chosen] = []
    for offer, at, propensity in zip(offers, ranked.order, ranked.propensity, strict=True):
        if len(chosen) == limit:
            break
        if all(rooms[cap.name] > 0 for cap in offer.caps):
            for cap in offer.caps:
                rooms[cap.name] -= 1
            chosen.append(Chosen(offer.name, float(ranked.scores[at]), propensity))
    return tuple(chosen)


def _instead(place: Place, moment: Moment, placebos: Sequence[int]) -> tuple[Chosen, ...]:
    """What an arm that is not treated is given."""
    if moment.arm == "control":
        return ()
    return tuple(Chosen(place.candidates[at].name, 0.0, 1.0) for at in placebos[: moment.limit])


def _reply(program: str, place: Place, moment: Moment, given: tuple[Chosen, ...]) -> Reply:
    by_name = place.by_name
    default = place.placement.default
    return Reply(
        decision_id=moment.decision_id,
        subject=moment.subject,
        placement=place.placement.name,
        arm=moment.arm,
        program=program,
        offers=tuple(_offered(by_name[one.offer], one) for one in given),
        default=default.model_dump() if default is not None and not given else None,
    )


def _offered(offer: Candidate, chosen: Chosen) -> Offered:
    return Offered(
        offer=offer.name,
        product=offer.product,
        treatment=offer.treatment,
        title=dict(offer.title),
        content=dict(offer.content or offer.title),
        score=chosen.score,
        probability=chosen.probability,
        link=offer.link,
    )
