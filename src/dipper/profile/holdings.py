"""Holdings (持有): what a subject has at the bank, from what the core confirmed.

For each product and account three words are kept, each the last of its sort in timeline order:
opened, closed, recorded. What is held follows from them, whatever arrived first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dipper.expr.dates import parse_day
from dipper.profile.identity import OrderKey

OPENED, CLOSED, RECORDED = "opened", "closed", "recorded"
WORD_OF = {
    "product_opened": OPENED,
    "product_closed": CLOSED,
    "holding_recorded": RECORDED,
}

# Statuses of a recorded holding that mean that it is no longer held.
ENDED = frozenset({"closed", "cancelled", "matured", "销户", "已结清"})


class Word(NamedTuple):
    """What the core said about one account, with its place in the timeline; days since 1970."""

    time_us: int
    seq: int
    order: int
    opened_on: int | None
    matures_on: int | None
    balance_fen: int | None
    status: str


class Holding(NamedTuple):
    """A product that the subject holds now. `opened_us` is the event time of its opening."""

    product: str
    account: str
    line: str | None
    status: str
    opened_on: int | None
    opened_us: int | None
    matures_on: int | None
    balance_fen: int | None


Words = Mapping[str, Mapping[str, Word]]
"""`product` and `account` joined by a line feed -> sort of word -> the last of that sort."""


def account_key(properties: Mapping[str, Any]) -> str | None:
    """The key of the account that an event is about; None when it names no product."""
    product = properties.get("product")
    account = properties.get("account")
    if not isinstance(product, str) or not product:
        return None
    return f"{product}\n{account if isinstance(account, str | int) else ''}"


def word_of(key: OrderKey, properties: Mapping[str, Any]) -> Word:
    """The record of a core event about an account."""
    balance = properties.get("balance_fen")
    return Word(
        *key,
        _day(properties.get("opened_on")),
        _day(properties.get("matures_on")),
        balance if type(balance) is int else None,
        str(properties.get("status") or ""),
    )


def is_later(word: Word, known: Word | None) -> bool:
    """Whether a word comes after the known one. Nulls cannot be compared: they sort as texts."""
    return known is None or _sortable(word) > _sortable(known)


def merged(parts: Iterable[Words]) -> dict[str, dict[str, Word]]:
    """The last words among several ids."""
    result: dict[str, dict[str, Word]] = {}
    for part in parts:
        for account, words in part.items():
            known = result.setdefault(account, {})
            for sort, word in words.items():
                if is_later(word, known.get(sort)):
                    known[sort] = word
    return result


def held(words: Words, lines: Mapping[str, str]) -> tuple[Holding, ...]:
    """What is held now, by product and account. `lines` maps product to product line."""
    found = []
    for account_of_product in sorted(words):
        said = words[account_of_product]
        product, _, account = account_of_product.partition("\n")
        opened, closed, recorded = said.get(OPENED), said.get(CLOSED), said.get(RECORDED)
        last = opened if recorded is None else recorded
        if opened is not None and recorded is not None:
            last = max(opened, recorded, key=_sortable)
        if last is None or (closed is not None and closed[:3] >= last[:3]):
            continue
        if recorded is last and recorded.status in ENDED:
            continue
        found.append(
            Holding(
                product,
                account,
                lines.get(product),
                recorded.status if recorded else "",
                _said_first(opened, recorded, _OPENED_ON),
                opened.time_us if opened else None,
                _said_first(recorded, opened, _MATURES_ON),
                recorded.balance_fen if recorded else None,
            )
        )
    return tuple(found)


_OPENED_ON, _MATURES_ON = Word._fields.index("opened_on"), Word._fields.index("matures_on")


def _said_first(one: Word | None, other: Word | None, field: int) -> int | None:
    """What the one says, or else the other."""
    if one is not None and one[field] is not None:
        return one[field]  # type: ignore[return-value]  # both fields are days
    return other[field] if other is not None else None  # type: ignore[return-value]


def _day(value: Any) -> int | None:
    return parse_day(value) if isinstance(value, str) else None


def _sortable(word: Word) -> tuple[OrderKey, str]:
    return word[:3], repr(word[3:])
