"""What the core says makes customers, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable

from dipper.engine.conformance.lake import NOW_US
from dipper.engine.embedded.history import History
from dipper.kit.clock import DAY_US
from dipper.kit.hashing import hash128
from dipper.measure.history import Period
from dipper.measure.openings import Accounts, accounts, core_words, customer_since, openings

LIVE = Period(NOW_US, NOW_US + 2 * DAY_US)
ANN, BOB, CAY = ("customer_no:ann", "customer_no:bob", "customer_no:cay")


def whose(text: str) -> tuple[str, str]:
    """Kind and key as measuring names a person."""
    return "person", hash128(text).hex()


def opened(product: str, account: str = "", **values: object) -> dict[str, object]:
    """Values of a core event about an account."""
    return {"product": product, "extra": f'{{"account":"{account}"}}', **values}


def test_a_first_opening_is_the_first_word_of_the_core(told: Callable[..., History]) -> None:
    """Who held or had opened something before is an existing customer."""
    history = told(
        (ANN, "product_opened", NOW_US - DAY_US, opened("savings", "1")),
        (ANN, "product_opened", NOW_US + 1, opened("fund", "2", channel="app")),
        (BOB, "product_opened", NOW_US + 2, opened("fund", "3", channel="counter", staff="S1")),
        (BOB, "product_opened", NOW_US + 3, opened("loan", "4")),
        (CAY, "holding_recorded", NOW_US - DAY_US, opened("fund", "5")),
        (CAY, "product_opened", NOW_US + 4, opened("loan", "6")),
    )
    words = core_words(history, LIVE.end_us)
    found = openings(words, LIVE)
    assert [(one.subject, one.product, one.is_first) for one in found] == [
        (hash128(ANN).hex(), "fund", False),
        (hash128(BOB).hex(), "fund", True),
        (hash128(BOB).hex(), "loan", False),
        (hash128(CAY).hex(), "loan", False),
    ]
    assert (found[1].channel, found[1].staff) == ("counter", "S1")
    since = customer_since(words)
    assert since == {
        whose(ANN): NOW_US - DAY_US,
        whose(BOB): NOW_US + 2,
        whose(CAY): NOW_US - DAY_US,
    }


def test_only_the_core_opens(told: Callable[..., History]) -> None:
    """An opening that a server tells of, or of later than the end, is none."""
    history = told(
        (ANN, "product_opened", NOW_US, opened("fund", trust="server")),
        (ANN, "product_opened", LIVE.end_us + 1, opened("fund")),
    )
    assert core_words(history, LIVE.end_us) == []


def test_accounts_are_held_until_the_core_says_otherwise(told: Callable[..., History]) -> None:
    """Closed and matured ones are not held, but their product line was opened once."""
    history = told(
        (ANN, "product_opened", NOW_US, opened("fund", "1")),
        (ANN, "product_opened", NOW_US + 1, opened("fund", "2")),
        (ANN, "product_closed", NOW_US + 2, opened("fund", "1")),
        (BOB, "product_opened", NOW_US, opened("loan", "3")),
        (BOB, "holding_recorded", NOW_US + 1, opened("loan", "3", status="matured")),
        (CAY, "product_closed", NOW_US, opened("card", "4")),
    )
    found = accounts(core_words(history, LIVE.end_us), {"fund": "wealth"})
    assert found == {
        whose(ANN): Accounts(frozenset({"wealth"}), 1),
        whose(BOB): Accounts(frozenset({"loan"}), 0),
        whose(CAY): Accounts(frozenset(), 0),
    }
