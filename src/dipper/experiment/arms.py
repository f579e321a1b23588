"""Which arm of a policy a subject is in, from a hash and nothing else.

No table of assignments has to be kept, replayed or merged: whoever knows subject, policy and
shares computes the arm again. The arms are stretches of [0, 1000) with control at the low end,
placebo at the high end and treated between them. So a larger control share only moves subjects
out of treated, and never one between control and placebo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dipper.kit.errors import BadInput
from dipper.kit.hashing import unit_interval

Arm = Literal["treated", "control", "placebo"]

ARMS: tuple[Arm, ...] = ("treated", "control", "placebo")
WHOLE = 1000


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of the arms in parts per thousand. Raises BadInput unless they sum to 1000."""

    treated: int = 700
    control: int = 200
    placebo: int = 100

    def __post_init__(self) -> None:
        parts = tuple(self.by_arm().values())
        if min(parts) < 0 or sum(parts) != WHOLE:
            raise BadInput(
                f"shares must not be negative and must sum to {WHOLE} parts per thousand, "
                f"got {self.treated} + {self.control} + {self.placebo} = {sum(parts)}.",
                where="shares",
                hint="Write treated as 1000 less control and placebo.",
            )

    def by_arm(self) -> Mapping[Arm, int]:
        """The share of each arm in parts per thousand."""
        return {"treated": self.treated, "control": self.control, "placebo": self.placebo}


def assign(subject: str, policy: str, shares: Shares) -> Arm:
    """The arm of a subject under a policy.

    `subject` is the key of the verified subject, of the device before there is one. Policies
    draw independently of each other: the name of the policy is part of the hash.
    """
    place = unit_interval("arm", policy, subject) * WHOLE
    if place < shares.control:
        return "control"
    if place >= WHOLE - shares.placebo:
        return "placebo"
    return "treated"
