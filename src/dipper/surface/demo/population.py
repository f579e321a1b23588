"""The seeded population: who lives in the example bank's cities, and what the bank knows of them.

Nothing here is hidden except through `hidden`: ages, homes, ids, devices, who is a customer. All
arrays are aligned; index i is person i. A phone shared by two persons is one device with two users.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dipper.surface.demo.hidden import Hidden, organisation_needs, person_needs

CITIES = ("120100", "310100", "330100", "510100")
EMPLOYMENTS = ("employed", "self_employed", "student", "retired", "other")
INDUSTRIES = ("retail", "catering", "manufacturing", "construction", "services")
OUTLETS = 30
EXISTING_SHARE = 0.4
SHARED_PHONE_SHARE = 0.04


@dataclass(frozen=True)
class Persons:
    """Attributes of persons as the bank's servers know them, and their devices."""

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
    consents_marketing: np.ndarray
    hidden: Hidden

    def __len__(self) -> int:
        return len(self.login)


@dataclass(frozen=True)
class Organisations:
    """Shops and suppliers, each with the person who acts for it."""

    org_no: np.ndarray
    operator: np.ndarray
    is_supplier: np.ndarray
    industry: np.ndarray
    founded_years: np.ndarray
    tier: np.ndarray
    outlet: np.ndarray
    consents_marketing: np.ndarray
    hidden: Hidden

    def __len__(self) -> int:
        return len(self.org_no)


def make_persons(count: int, random: np.random.Generator) -> Persons:
    """`count` persons. Login ids are opaque, customer numbers exist for every person but the
    platform hears one only when the core first speaks of it."""
    age = np.clip(random.gamma(9.0, 4.6, count), 16, 88).astype(np.int64)
    employment = np.where(
        age >= 62,
        "retired",
        np.where(
            age < 22,
            "student",
            random.choice(EMPLOYMENTS[:2] + EMPLOYMENTS[4:], count, p=(0.68, 0.2, 0.12)),
        ),
    )
    city = random.integers(0, len(CITIES), count)
    outlets_a_city = np.array([8, 8, 7, 7])
    first_outlet = np.array([1, 9, 17, 24])
    outlet = first_outlet[city] + random.integers(0, outlets_a_city[city])
    device = np.array([f"d{i:06d}" for i in range(count)], dtype=object)
    shared = np.flatnonzero(random.random(count) < SHARED_PHONE_SHARE)
    for one, other in zip(shared[0::2], shared[1::2], strict=False):
        device[other] = device[one]
    serial = random.permutation(count)
    hidden = person_needs(age, employment, random)
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
        outlet=np.array([f"outlet_{n:02d}" for n in outlet], dtype=object),
        is_existing=random.random(count) < EXISTING_SHARE,
        risk_level=np.where(random.random(count) < 0.75, random.integers(1, 6, count), 0),
        assessed_days_ago=random.integers(5, 480, count),
        consents_marketing=random.random(count) < 0.85,
        hidden=hidden,
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
        outlet=persons.outlet[operator],
        consents_marketing=random.random(count) < 0.9,
        hidden=organisation_needs(is_supplier, random),
    )
