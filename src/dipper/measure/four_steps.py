"""The four steps as a funnel: traffic, tagged, converted, value mined, each within the one before.

Reached is everybody with a timeline; a user is identified and consents to something (流量创造 ends
there); tagged is a user with a tag that says something; converted is one of these whom the core has
confirmed as a customer, before or now; and deepened one who has taken a second product line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dipper.measure.lifecycle import Facts


@dataclass(frozen=True)
class FourSteps:
    """Subjects who came so far. `new_customers` are those of `customers` who were none before the
    period."""

    reached: int
    users: int
    tagged: int
    customers: int
    new_customers: int
    deepened: int


def four_steps(people: Iterable[Facts]) -> FourSteps:
    """Count each step among those of the step before."""
    everybody = list(people)
    users = [one for one in everybody if one.is_identified and one.has_consented]
    tagged = [one for one in users if one.has_tag]
    customers = [one for one in tagged if one.lines]
    return FourSteps(
        reached=len(everybody),
        users=len(users),
        tagged=len(tagged),
        customers=len(customers),
        new_customers=sum(not one.is_existing for one in customers),
        deepened=sum(len(one.lines) >= 2 for one in customers),
    )
