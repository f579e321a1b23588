"""What the core has said of products: opened, closed, recorded; and what follows for a subject.

Only the core makes a customer. Who was one before a moment (an opening or a holding that the core
knew by then) is an existing customer there, whoever the platform first met when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dipper.measure.confirmation import Opened
from dipper.measure.history import SUBJECT, History, Period
from dipper.profile.holdings import ENDED


@dataclass(frozen=True)
class CoreWord:
    """One word of the core about one account."""

    kind: str
    subject: str
    event: str
    product: str
    account: str
    status: str
    time_us: int
    channel: str | None
    org_unit: str | None
    staff: str | None

    @property
    def says_held(self) -> bool:
        """Whether the account is held after this word."""
        return self.event != "product_closed" and self.status not in ENDED


def core_words(history: History, until_us: int) -> list[CoreWord]:
    """All words of the core about products up to a moment, in timeline order."""
    rows = history.rows(
        f"SELECT kind, {SUBJECT}, event, product, "  # noqa: S608
        "coalesce(json_extract_string(extra, '$.account'), account, ''), coalesce(status, ''), "
        "time_us, channel, org_unit, staff FROM timelines "
        "WHERE event IN ('product_opened', 'product_closed', 'holding_recorded') "
        "AND trust = 'core' AND product IS NOT NULL AND time_us <= $until_us "
        "ORDER BY time_us, seq, order_hash, kind",
        {"until_us": until_us},
    )
    return [CoreWord(*row) for row in rows]


def customer_since(words: Iterable[CoreWord]) -> dict[tuple[str, str], int]:
    """(kind, subject) -> when the core first knew an account of theirs, µs."""
    since: dict[tuple[str, str], int] = {}
    for word in words:
        if word.event != "product_closed":
            since.setdefault((word.kind, word.subject), word.time_us)
    return since


def openings(words: Iterable[CoreWord], period: Period) -> list[Opened]:
    """The openings of a period; the first thing that the core ever knew of a subject `is_first`."""
    seen: set[tuple[str, str]] = set()
    found = []
    for word in words:
        if word.event == "product_opened" and period.holds(word.time_us):
            found.append(
                Opened(
                    subject=word.subject,
                    kind=word.kind,
                    product=word.product,
                    time_us=word.time_us,
                    is_first=(word.kind, word.subject) not in seen,
                    channel=word.channel,
                    org_unit=word.org_unit,
                    staff=word.staff,
                )
            )
        seen.add((word.kind, word.subject))
    return found


@dataclass(frozen=True)
class Accounts:
    """What a subject has had: product lines ever opened, accounts still held."""

    lines: frozenset[str]
    open_accounts: int


def accounts(
    words: Iterable[CoreWord], line_of: Mapping[str, str]
) -> dict[tuple[str, str], Accounts]:
    """(kind, subject) -> accounts. A product without a line counts as a line of its own."""
    lines: dict[tuple[str, str], set[str]] = {}
    held: dict[tuple[str, str], dict[tuple[str, str], bool]] = {}
    for word in words:
        whose = (word.kind, word.subject)
        if word.event != "product_closed":
            lines.setdefault(whose, set()).add(line_of.get(word.product, word.product))
        held.setdefault(whose, {})[word.product, word.account] = word.says_held
    return {
        whose: Accounts(frozenset(lines.get(whose, ())), sum(states.values()))
        for whose, states in held.items()
    }
