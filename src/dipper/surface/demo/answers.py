"""How the simulated persons and firms answer what is shown to them.

Draws are hashes of (seed, occasion, subject), so that the answer to an offer does not depend on the
order in which the server replied.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from dipper.kit.clock import HOUR_US, MINUTE_US, SECOND_US
from dipper.kit.hashing import unit_interval
from dipper.surface.demo.hidden import (
    CLICK_IF_OTHER_PLANNED,
    CLICK_IF_PLANNED,
    SERVICE_CLICK,
    Hidden,
    click_probability,
    open_probability,
)

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
    hidden: Hidden,
    subject: int,
    need: str | None,
    shown_us: int,
    occasion: str,
    seed: int,
    *,
    product: str | None = None,
    plans: Collection[str] = (),
) -> Reaction:
    """The answer to one shown offer of a product; `occasion` tells the times apart at which it was
    shown.

    `plans` are the products that the subject will open anyway. They raise the clicks and lead to no
    opening that was not coming.
    """

    def draw(what: str) -> float:
        return unit_interval(str(seed), occasion, str(subject), what)

    if need is None:
        # Everybody now and then clicks on something useful that is no product.
        is_clicked = draw("click") < SERVICE_CLICK
        return Reaction(shown_us + 20 * SECOND_US if is_clicked else None, None)
    value, click = np.array(need_of(hidden, subject, need)), draw("click")
    is_planned = product in plans
    lift = CLICK_IF_PLANNED if is_planned else CLICK_IF_OTHER_PLANNED if plans else 0.0
    if click >= float(click_probability(value, lift)):
        return Reaction(None, None)
    clicked_us = shown_us + (5 + int(115 * draw("hesitation"))) * SECOND_US
    is_curious = click >= float(click_probability(value))
    if is_planned or is_curious or draw("open") >= float(open_probability(value)):
        return Reaction(clicked_us, None)
    hours = -MEAN_HOURS_TO_OPEN * math.log1p(-draw("wait"))
    return Reaction(clicked_us, clicked_us + 10 * MINUTE_US + int(hours * HOUR_US))
