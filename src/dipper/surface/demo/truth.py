"""What each live decision was truly worth, by the hidden needs: ours beside others' choices.

This looks behind the curtain and is for the report alone: the platform never sees any of it. The
true expected value of an offer is its chance of a confirmed opening if shown, times what an opening
is worth to the bank; a service opens nothing and has none. Compared are, decision by decision and
only among the offers that passed the gates: what our ranker chose, a random offer, one fixed order
of offers for everybody, one for each set of segments (both orders picked with hindsight, so they
are better than any bank could have them), and the best offer of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dipper.decide.compile import Place
from dipper.decide.trace import Trace, unpack_denied
from dipper.measure.decisions import Stored
from dipper.surface.demo.driver import Asked, Bank
from dipper.surface.demo.hidden import Hidden, opening_probability

SEGMENT_DECISIONS_MIN = 50
"""A set of segments with fewer decisions has no order of its own."""


@dataclass(frozen=True, eq=False)
class Choices:
    """Aligned arrays, one entry a decision: its step, and the true expected value in 分 of each way
    to choose."""

    step: np.ndarray
    ours: np.ndarray
    random: np.ndarray
    single: np.ndarray
    segment: np.ndarray
    best: np.ndarray

    def pick(self, mask: np.ndarray) -> Choices:
        """Some of the decisions."""
        return Choices(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))

    def means(self) -> dict[str, float]:
        """Mean value of each way in 分; empty without decisions."""
        if not len(self.step):
            return {}
        names = ("ours", "random", "single", "segment", "best")
        return {name: float(getattr(self, name).mean()) for name in names}

    @property
    def share_of_achievable(self) -> float | None:
        """(ours - random) / (best - random); None where nothing could be gained."""
        gained = float((self.ours - self.random).sum())
        possible = float((self.best - self.random).sum())
        return gained / possible if possible > 0 else None


def judge(
    stored: Sequence[Stored],
    asked: Sequence[Asked],
    bank: Bank,
    place_of: Callable[[Trace], Place],
    segments: Sequence[frozenset[str]],
) -> Choices:
    """The decisions of the treated arm for which an offer passed.

    `segments` are aligned to `stored`. Decisions that the driver did not ask for are left out.
    """
    known = {one.decision_id: one for one in asked}
    rows = [
        (one, known[one.trace.decision_id], own)
        for one, own in zip(stored, segments, strict=True)
        if one.trace.decision_id in known and one.trace.arm == "treated" and one.trace.offers
    ]
    rows = [row for row in rows if row[0].trace.passed]
    names = _offers(place_of(one.trace) for one, _, _ in rows)
    passed = np.zeros((len(rows), len(names)), bool)
    values = np.zeros((len(rows), len(names)))
    chosen = np.zeros(len(rows), np.int64)
    worth = {kind: _values(bank, kind, names) for kind in ("person", "organisation")}
    for at, (one, who, _) in enumerate(rows):
        for candidate, first in zip(
            place_of(one.trace).candidates, unpack_denied(one.trace.denied), strict=True
        ):
            if first == 0 and not candidate.is_placebo:
                passed[at, names[candidate.name][0]] = True
        values[at] = worth[who.kind][who.subject]
        chosen[at] = names[one.trace.offers[0].offer][0]
    step = np.array([who.step for _, who, _ in rows], np.int64)
    groups = _groups([(who.kind, own) for _, who, own in rows])
    return _choices(step, chosen, passed, values, groups)


def _offers(places: Iterable[Place]) -> dict[str, tuple[int, int]]:
    """offer -> its column, and what an opening is worth."""
    found: dict[str, int] = {}
    for place in {id(one): one for one in places}.values():
        found |= {c.name: c.value_fen for c in place.candidates if not c.is_placebo}
    return {name: (at, found[name]) for at, name in enumerate(sorted(found))}


def _values(bank: Bank, kind: str, names: Mapping[str, tuple[int, int]]) -> np.ndarray:
    """(subjects, offers): true expected value in 分."""
    hidden = (bank.persons if kind == "person" else bank.organisations).hidden
    columns = [
        opening_probability(_need(hidden, bank.offer_need.get(name))) * value_fen
        if bank.offer_product.get(name) is not None
        else np.zeros(len(hidden.needs))
        for name, (_, value_fen) in names.items()
    ]
    return np.column_stack(columns) if columns else np.zeros((len(hidden.needs), 0))


def _need(hidden: Hidden, need: str | None) -> np.ndarray:
    if need is None or need not in hidden.names:
        return np.zeros(len(hidden.needs))
    return hidden.of(need)


def _groups(keys: Sequence[tuple[str, frozenset[str]]]) -> tuple[np.ndarray, np.ndarray]:
    """For each decision the number of its subject kind, and of its kind and segments."""
    kinds = {kind: at for at, kind in enumerate(dict.fromkeys(kind for kind, _ in keys))}
    sets = {key: at for at, key in enumerate(dict.fromkeys(keys))}
    return (
        np.array([kinds[kind] for kind, _ in keys], np.int64),
        np.array([sets[key] for key in keys], np.int64),
    )


def _choices(
    step: np.ndarray,
    chosen: np.ndarray,
    passed: np.ndarray,
    values: np.ndarray,
    groups: tuple[np.ndarray, np.ndarray],
) -> Choices:
    everybody, fine = groups
    at = np.arange(len(step))
    single = _first_passed(passed, _orders(passed, values, everybody, 1))
    has_own = np.bincount(fine, minlength=1)[fine] >= SEGMENT_DECISIONS_MIN if len(fine) else fine
    own = _first_passed(passed, _orders(passed, values, fine, SEGMENT_DECISIONS_MIN))
    segment = np.where(has_own, own, single)
    return Choices(
        step=step,
        ours=values[at, chosen],
        random=np.where(passed, values, 0.0).sum(axis=1) / np.maximum(passed.sum(axis=1), 1),
        single=values[at, single],
        segment=values[at, segment],
        best=np.where(passed, values, -np.inf).max(axis=1, initial=0.0),
    )


def _orders(
    passed: np.ndarray, values: np.ndarray, groups: np.ndarray, decisions_min: int
) -> np.ndarray:
    """(decisions, offers): how good each offer was in the decision's group where it passed."""
    scores = np.zeros(values.shape)
    for group in np.unique(groups):
        mine = groups == group
        if mine.sum() < decisions_min:
            continue
        counts = np.maximum(passed[mine].sum(axis=0), 1)
        scores[mine] = np.where(passed[mine], values[mine], 0.0).sum(axis=0) / counts
    return scores


def _first_passed(passed: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The place of the best offer by score among those that passed."""
    if not passed.shape[1]:
        return np.zeros(len(passed), np.int64)
    best: np.ndarray = np.where(passed, scores, -np.inf).argmax(axis=1)
    return best
