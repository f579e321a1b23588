"""Names for the parts of SQL that expressions leave out, so that an error says what it met.

Imported only inside `parse` (it needs sqlglot).
"""

from __future__ import annotations

from sqlglot import exp

_LIST = "a list or struct"
_SUBQUERY = "a subquery"
_PARAMETER = "a parameter"

_REFUSED: dict[type, tuple[str, str]] = {
    exp.Alias: ("a second expression", "Is an operator missing?"),
    exp.Array: (_LIST, ""),
    exp.BitwiseAnd: ("'&'", "Write AND."),
    exp.BitwiseOr: ("'|'", "Write OR, or || to join texts."),
    exp.Block: ("a second expression", ""),
    exp.Bracket: ("'[]'", ""),
    exp.ByteString: ("a text with a prefix", "Write the characters themselves."),
    exp.Collate: ("COLLATE", "Text compares by code point."),
    exp.Concat: ("a second text", "Write || to join texts."),
    exp.Distinct: ("DISTINCT", ""),
    exp.Escape: ("ESCAPE", "Write contains or starts_with for a text with % or _."),
    exp.Exists: (_SUBQUERY, ""),
    exp.ILike: ("ILIKE", "Write lower(text) LIKE 'pattern'."),
    exp.Interval: ("INTERVAL", "Write days_between(start, end) <= 30."),
    exp.Order: ("ORDER BY", ""),
    exp.Placeholder: (_PARAMETER, ""),
    exp.Parameter: (_PARAMETER, ""),
    exp.Pow: ("a power", ""),
    exp.RegexpLike: ("a regular expression", "Write LIKE, contains or starts_with."),
    exp.Select: (_SUBQUERY, ""),
    exp.SimilarTo: ("a regular expression", "Write LIKE, contains or starts_with."),
    exp.Star: ("'*'", ""),
    exp.Struct: (_LIST, ""),
    exp.Subquery: (_SUBQUERY, ""),
    exp.Tuple: (_LIST, ""),
    exp.Window: ("OVER", ""),
}


def refused(e: exp.Expression) -> tuple[str, str]:
    """What a refused part is called, empty if only its text can say it, and a hint."""
    if isinstance(e, exp.In):
        if e.args.get("query"):
            return _SUBQUERY, ""
        return "IN without a list", "Write IN (a, b)."
    return _REFUSED.get(type(e), ("", ""))
