"""Which arm of a policy a subject is in: by a lot that a hash draws once.

The lot is a number from 0 to 999. A subject that nobody has decided about draws it from its key and
the policy's name; each decision stores it, and it stays the subject's although a merge of ids
brings another key. The arms are stretches of the lots with control at the low end, placebo at the
high end and treated between them. So a larger control share only moves subjects out of treated, and
never one between control and placebo.
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


def draw_lot(subject: str, policy: str) -> int:
    """The lot, 0 to 999, of a subject about which a policy has not decided yet.

    `subject` is the key of the verified subject, of the device before there is one. Policies
    draw independently of each other: the name of the policy is part of the hash.
    """
    return int(unit_interval("arm", policy, subject) * WHOLE)


def arm_of(lot: int, shares: Shares) -> Arm:
    """The arm of a lot."""
    if lot < shares.control:
        return "control"
    if lot >= WHOLE - shares.placebo:
        return "placebo"
    return "treated"


def assign(subject: str, policy: str, shares: Shares) -> Arm:
    """The arm of a subject under a policy that decides about it for the first time."""
    return arm_of(draw_lot(subject, policy), shares)
