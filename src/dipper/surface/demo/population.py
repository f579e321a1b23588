"""The seeded population: who lives in the example bank's cities, and what the bank knows of them.

Nothing here is hidden except through `hidden`: ages, homes, ids, devices, who is a customer, what
everybody has agreed to. All arrays are aligned; index i is person i. A phone shared by two persons
is one device with two users. Visitors never sign in: there is a device, and nobody's name to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dipper.surface.demo.hidden import Hidden, organisation_needs, person_needs

CITIES = ("120100", "310100", "330100", "510100")
EMPLOYMENTS = ("employed", "self_employed", "student", "retired", "other")
INDUSTRIES = ("retail", "catering", "manufacturing", "construction", "services")
OUTLETS = 30
EXISTING_SHARE = 0.4
SHARED_PHONE_SHARE = 0.04
VISITOR_SHARE = 0.15
"""Devices that nobody signs in with, for each person."""
PROFILE_SHARE = 0.95
PROFILE_SHARE_IDLE = 0.3
SERVICE_CONSENT_SHARE = 0.93
MARKETING_CONSENT_SHARE = 0.85
HEALTH_CONSENT_SHARE = 0.45
WITHDRAWN_SHARE = 0.03
"""Of those who agreed to a purpose before: to marketing and health among all who agreed to
personalised service; withdrawn of those who agreed to marketing."""
WITHDRAWN_DAYS_MAX = 80
BOTH_SHARE = 0.15
"""Of the suppliers who also keep a till, and of the shops that also supply."""
EXISTING_PRODUCTS = {
    "deposit.savings": 1.0,
    "payment.autopay": 0.25,
    "card.credit": 0.3,
    "deposit.term_1y": 0.2,
    "wealth.stable_growth": 0.15,
    "loan.consumer": 0.08,
}
"""What existing customers hold: product -> share of them. A customer has at least one."""


@dataclass(frozen=True)
class Persons:
    """Attributes of persons as the bank's servers know them, and their devices.

    `has_profile` says that age, gender, city and employment are known to the servers.
    `withdrawn_days_ago` is when the consent to marketing was withdrawn before the live days, or 0.
    `holds` has the products of existing customers, one array each.
    """

    login: np.ndarray
    customer_no: np.ndarray
    device: np.ndarray
    age: np.ndarray
    gender: np.ndarray
    city: np.ndarray
    employment: np.ndarray
    outlet: np.ndarray
    is_existing: np.ndarray
    risk_level: np.ndarray
    assessed_days_ago: np.ndarray
    has_profile: np.ndarray
    consents_service: np.ndarray
    consents_marketing: np.ndarray
    consents_health: np.ndarray
    withdrawn_days_ago: np.ndarray
    holds: Mapping[str, np.ndarray]
    hidden: Hidden

    def __len__(self) -> int:
        return len(self.login)

    @property
    def has_agreed(self) -> np.ndarray:
        """Whose consent to marketing stands when the live days begin."""
        agreed: np.ndarray = self.consents_marketing & (self.withdrawn_days_ago == 0)
        return agreed


@dataclass(frozen=True)
class Visitors:
    """Devices whose owners never sign in, and where they live."""

    device: np.ndarray
    outlet: np.ndarray
    hidden: Hidden

    def __len__(self) -> int:
        return len(self.device)


@dataclass(frozen=True)
class Organisations:
    """Shops and suppliers, each with the person who acts for it.

    `has_till` and `has_portal` say in which scenario it takes part: some are in both.
    """

    org_no: np.ndarray
    operator: np.ndarray
    is_supplier: np.ndarray
    industry: np.ndarray
    founded_years: np.ndarray
    tier: np.ndarray
    has_till: np.ndarray
    has_portal: np.ndarray
    outlet: np.ndarray
    consents_marketing: np.ndarray
    hidden: Hidden

    def __len__(self) -> int:
        return len(self.org_no)


def make_persons(count: int, random: np.random.Generator) -> Persons:
    """`count` persons. Login ids are opaque, customer numbers exist for every person but the
    platform hears one only when the core first speaks of it."""
    age, employment = _ages(count, random)
    city = random.integers(0, len(CITIES), count)
    device = np.array([f"d{i:06d}" for i in range(count)], dtype=object)
    shared = np.flatnonzero(random.random(count) < SHARED_PHONE_SHARE)
    for one, other in zip(shared[0::2], shared[1::2], strict=False):
        device[other] = device[one]
    serial = random.permutation(count)
    hidden = person_needs(age, employment, random)
    is_existing = random.random(count) < EXISTING_SHARE
    service = random.random(count) < SERVICE_CONSENT_SHARE
    marketing = service & (random.random(count) < MARKETING_CONSENT_SHARE)
    withdrawn = marketing & (random.random(count) < WITHDRAWN_SHARE)
    return Persons(
        login=np.array([f"u{n:06d}" for n in serial], dtype=object),
        customer_no=np.array(
            [f"C{n:07d}" for n in random.permutation(count * 3)[:count]], dtype=object
        ),
        device=device,
        age=age,
        gender=random.choice(("f", "m"), count),
        city=np.array(CITIES, dtype=object)[city],
        employment=employment.astype(object),
        outlet=_outlets(city, random),
        is_existing=is_existing,
        risk_level=np.where(random.random(count) < 0.75, random.integers(1, 6, count), 0),
        assessed_days_ago=random.integers(5, 480, count),
        has_profile=random.random(count)
        < np.where(hidden.is_idle, PROFILE_SHARE_IDLE, PROFILE_SHARE),
        consents_service=service,
        consents_marketing=marketing,
        consents_health=service & (random.random(count) < HEALTH_CONSENT_SHARE),
        withdrawn_days_ago=np.where(withdrawn, random.integers(1, WITHDRAWN_DAYS_MAX, count), 0),
        holds={
            product: is_existing & (random.random(count) < share)
            for product, share in EXISTING_PRODUCTS.items()
        },
        hidden=hidden,
    )


def _ages(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ages, and employment as ages have it."""
    age = np.clip(random.gamma(9.0, 4.6, count), 16, 88).astype(np.int64)
    working = random.choice(EMPLOYMENTS[:2] + EMPLOYMENTS[4:], count, p=(0.68, 0.2, 0.12))
    return age, np.where(age >= 62, "retired", np.where(age < 22, "student", working))


def _outlets(city: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """An outlet in each one's city."""
    outlets_a_city = np.array([8, 8, 7, 7])
    first_outlet = np.array([1, 9, 17, 24])
    outlet = first_outlet[city] + random.integers(0, outlets_a_city[city])
    return np.array([f"outlet_{n:02d}" for n in outlet], dtype=object)


def make_visitors(count: int, random: np.random.Generator) -> Visitors:
    """`count` devices; their owners need what other persons need."""
    return Visitors(
        device=np.array([f"v{i:06d}" for i in range(count)], dtype=object),
        outlet=_outlets(random.integers(0, len(CITIES), count), random),
        hidden=person_needs(*_ages(count, random), random),
    )


def make_organisations(count: int, persons: Persons, random: np.random.Generator) -> Organisations:
    """`count` organisations, two thirds of them shops, each with a person as operator."""
    is_supplier = random.random(count) < 1 / 3
    operator = random.integers(0, len(persons), count)
    return Organisations(
        org_no=np.array([f"O{n:06d}" for n in random.permutation(count * 3)[:count]], dtype=object),
        operator=operator,
        is_supplier=is_supplier,
        industry=random.choice(np.array(INDUSTRIES, dtype=object), count),
        founded_years=random.integers(0, 25, count),
        tier=np.where(is_supplier, random.integers(1, 4, count), 0),
        has_till=~is_supplier | (random.random(count) < BOTH_SHARE),
        has_portal=is_supplier | (random.random(count) < BOTH_SHARE),
        outlet=persons.outlet[operator],
        consents_marketing=random.random(count) < 0.9,
        hidden=organisation_needs(is_supplier, random),
    )
