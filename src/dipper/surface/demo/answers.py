"""How the simulated persons and firms answer what is shown to them.

Draws come from a generator of its own per (subject, offer, occasion), so that the answer to an
offer does not depend on the order in which the server replied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dipper.kit.clock import HOUR_US, MINUTE_US
from dipper.kit.hashing import hash64
from dipper.surface.demo.hidden import Hidden, click_probability, open_probability

MEAN_HOURS_TO_OPEN = 2.0


@dataclass(frozen=True)
class Reaction:
    """What follows a shown offer: a click after a moment, an opening some hours later."""

    clicked_us: int | None
    opened_us: int | None


def need_of(hidden: Hidden, subject: int, need: str | None) -> float:
    """The need that an offer serves, 0 where it serves none."""
    if need is None or need not in hidden.names:
        return 0.0
    return float(hidden.of(need)[subject])


def react(
    hidden: Hidden, subject: int, need: str | None, shown_us: int, occasion: str, seed: int
) -> Reaction:
    """The answer to one shown offer; `occasion` tells the times apart at which it was shown."""
    draw = np.random.default_rng(hash64(f"{seed}/{occasion}/{subject}") & (2**63 - 1))
    value = need_of(hidden, subject, need)
    if need is None:
        # Everybody now and then clicks on something useful that is no product.
        clicked = draw.random() < 0.05
        return Reaction(shown_us + 20_000_000 if clicked else None, None)
    if draw.random() >= float(click_probability(np.float64(value))):
        return Reaction(None, None)
    clicked_us = shown_us + int(draw.integers(5, 120)) * 1_000_000
    if draw.random() >= float(open_probability(np.float64(value))):
        return Reaction(clicked_us, None)
    wait_us = 10 * MINUTE_US + int(draw.exponential(MEAN_HOURS_TO_OPEN) * HOUR_US)
    return Reaction(clicked_us, clicked_us + wait_us)
