"""A decision as plain data for a picture: how the candidates became the answer.

Read from the trace alone; nothing is judged again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dipper.decide.arbitration import Decider
from dipper.decide.candidate import Candidate
from dipper.decide.trace import Trace, unpack_denied, unpack_probabilities, unpack_scores


def waterfall(decider: Decider, trace: Trace) -> dict[str, Any]:
    """How the candidates became the answer: what each gate held back, then the ranked ones."""
    place = decider.place(trace.placement)
    denied = unpack_denied(trace.denied)
    left = len(denied)
    steps = []
    for at, gate in enumerate(place.gates):
        names = [place.candidates[i].name for i, first in enumerate(denied) if first == at + 1]
        left -= len(names)
        steps.append(
            {
                "gate": gate.NAME,
                "title": dict(gate.TITLE),
                "rules": [rule.id for rule in gate.RULES],
                "denied": names,
                "left": left,
            }
        )
    return {
        "decision_id": trace.decision_id,
        "placement": trace.placement,
        "arm": trace.arm,
        "candidates": len(denied),
        "gates": steps,
        "ranked": ranked_offers(
            trace, [place.candidates[i] for i, d in enumerate(denied) if d == 0]
        ),
        "offers": [one.offer for one in trace.offers],
        "would": [one.offer for one in trace.would],
    }


def ranked_offers(trace: Trace, passed: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Those of the passed candidates that were ranked, the highest expected value first."""
    ranked = [
        {
            "offer": offer.name,
            "title": dict(offer.title),
            "propensity": score / offer.value_fen if offer.value_fen else None,
            "value_fen": offer.value_fen,
            "score": score,
            "probability": probability,
        }
        for offer, score, probability in zip(
            (offer for offer in passed if not offer.is_placebo),
            unpack_scores(trace.scores),
            unpack_probabilities(trace.probabilities),
            strict=True,
        )
    ]
    return sorted(ranked, key=lambda one: -one["score"])
