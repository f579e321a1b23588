"""Who belongs to an experiment's readout, and what it says beside last click.

By intention to treat: everybody whose first decision with a passed offer lies in the period is
counted in the arm of that decision, whether or not anything was looked at, and whoever opened
afterwards, by any channel, has converted. Everything is fixed before the offer could work, so that
treated and control differ by the draw alone.

Where ids that were decided about apart turn out to be one subject, deciding goes on in the earlier
arm; who was in two arms leaves the readout (`experiment.uplift` counts them). Not so for what was
decided after the conversion: an opening itself may bring ids together, and leaving out those who
opened would bias the readout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from dipper.experiment.arms import Arm, Shares
from dipper.experiment.uplift import Readout, Row, estimate
from dipper.measure.confirmation import Decided, Opened
from dipper.measure.history import Period


def rows(
    decisions: Iterable[Decided],
    openings: Iterable[Opened],
    customer_since: Mapping[tuple[str, str], int],
    period: Period,
) -> list[Row]:
    """The rows of one policy's readout: of each subject one, or one an arm where it had two.

    `decisions` are those of the policy. A customer at the moment of the first decision is an
    existing one, and converts with a further product.
    """
    mine: dict[tuple[str, str], list[Decided]] = {}
    for decision in decisions:
        if decision.passed and decision.subject and period.holds(decision.time_us):
            mine.setdefault((decision.kind, decision.subject), []).append(decision)
    opened: dict[tuple[str, str], list[int]] = {}
    for opening in openings:
        if opening.time_us <= period.end_us:
            opened.setdefault((opening.kind, opening.subject), []).append(opening.time_us)
    found = []
    for whose, decided in mine.items():
        first_us = min(decision.time_us for decision in decided)
        after = [time_us for time_us in opened.get(whose, ()) if time_us >= first_us]
        until_us = min(after, default=period.end_us)
        is_existing = customer_since.get(whose, first_us) < first_us
        found += [
            Row(whose[1], cast(Arm, arm), is_existing, bool(after))
            for arm in sorted({one.arm for one in decided if one.time_us <= until_us})
        ]
    return found


def read_out(
    decisions: Sequence[Decided],
    openings: Sequence[Opened],
    customer_since: Mapping[tuple[str, str], int],
    period: Period,
    shares: Mapping[str, Shares],
) -> dict[str, Readout]:
    """policy -> readout, for each policy of `shares`."""
    return {
        policy: estimate(
            rows(
                (one for one in decisions if one.policy == policy),
                openings,
                customer_since,
                period,
            ),
            own,
        )
        for policy, own in shares.items()
    }
