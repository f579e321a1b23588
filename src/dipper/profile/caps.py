"""Contact caps (触达频控) are counts over the near end like any tag, read by event time.

A cap of a product line counts what the outcome says of its line; where it says nothing, the line is
that of the offer's product.
"""

from __future__ import annotations

from collections.abc import Mapping

from dipper.profile.rows import Condition
from dipper.spec.kinds.cap import Cap
from dipper.spec.kinds.offer import Offer
from dipper.spec.program import Program


def cap_condition(program: Program, cap: Cap, lines: Mapping[str, str]) -> Condition:
    """Which records a cap counts."""
    events = tuple(sorted(set(cap.events)))
    if cap.scope == "offer":
        return Condition(events, f"offer = {_quoted(cap.offer or '')}", "")
    if cap.scope == "line":
        return Condition(events, _of_line(program, cap.line or "", lines), "")
    return Condition(events, "", "")


def _of_line(program: Program, line: str, lines: Mapping[str, str]) -> str:
    offers = [
        offer.name
        for offer in program.of(Offer).values()
        if offer.product is not None and lines.get(offer.product) == line
    ]
    said = f"line = {_quoted(line)}"
    if not offers:
        return said
    names = ", ".join(map(_quoted, sorted(offers)))
    return f"{said} OR (line IS NULL AND offer IN ({names}))"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
