"""A candidate is an offer of a placement with everything that follows from program and tables.

Its product's row is folded in here, once per program and table version, so that a decision reads
only what is about the person and the moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dipper.decide.condition import Condition
from dipper.spec.kinds.offer import SUITABILITY_CLASSES
from dipper.spec.kinds.table import RISK_LEVELS
from dipper.spec.lineage import Conflict


@dataclass(frozen=True)
class ConsentRule:
    """A purpose of the offer that rests on consent, and what makes the consent count."""

    purpose: str
    notice_version: str
    is_separate: bool

    @property
    def parts(self) -> tuple[str, ...]:
        """What must be known of the consent."""
        base = ("given", "notice_version")
        return (*base, "separate") if self.is_separate else base


@dataclass(frozen=True)
class CapRule:
    """A contact cap that holds for the offer: below `limit` contacts in its window."""

    name: str
    limit: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """One offer in one placement. `index` is its place in the order by name.

    `conflicts` are inputs that it reads although none of its purposes allows it. Levels are 1 to
    5; times are µs, `on_sale_until_us` exclusive; a None level or class means that the product's
    row does not say.
    """

    index: int
    name: str
    title: Mapping[str, str]
    treatment: str
    content: Mapping[str, str] | None
    link: str | None
    is_placebo: bool
    value_fen: int
    purposes: tuple[str, ...]
    unknown_purposes: tuple[str, ...]
    conflicts: tuple[Conflict, ...]
    consents: tuple[ConsentRule, ...]
    caps: tuple[CapRule, ...]
    product: str | None
    line: str | None
    product_class: str | None
    risk_issuer: int | None
    risk_seller: int | None
    on_sale_from_us: int | None
    on_sale_until_us: int | None
    eligible: Condition | None
    applicable: Condition | None
    suitable: Condition | None

    @property
    def is_unknown_product(self) -> bool:
        """Whether it names a product of which nobody knows the class."""
        return self.product is not None and self.product_class is None

    @property
    def is_regulated(self) -> bool:
        """Whether its class is one for which the law demands suitability."""
        return self.product_class in SUITABILITY_CLASSES

    @property
    def risk_level(self) -> int | None:
        """The higher of issuer's and seller's level (SUIT-01); None where neither has rated it.

        One that is no level from 1 to 5 comes out, so that the other cannot hide it.
        """
        ratings = [level for level in (self.risk_issuer, self.risk_seller) if level is not None]
        wrong = [level for level in ratings if level not in RISK_LEVELS]
        return max(wrong or ratings, default=None)
