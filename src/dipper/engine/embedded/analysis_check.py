"""What people may ask in SQL: one SELECT over the views they are given, and nothing beside it.

The text is parsed, every node is looked at, and what is run is written anew from the tree, so that
nothing runs that was not looked at. DuckDB's own lock (`analysis.py`) stands behind this check.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dipper.kit.errors import BadInput, Forbidden, did_you_mean

QUERY_MAX = 100_000

# Functions that sqlglot has no class for and that compute from their arguments alone. Those that
# tell of the process, its settings or its variables, wait, write or run text are not among them.
_NAMES = """
    age arg_max_null arg_min_null array_indexof array_sort array_unique array_where bar bin
    bit_count century date_part date_sub datepart datesub days_in_month decade element_at
    entropy epoch_ns epoch_us equi_width_bins even favg fdiv fmod format_bytes fsum gcd
    geomean geometric_mean greatest_common_divisor hamming hash histogram isfinite isoyear
    jaccard jaro_similarity json_array_length json_contains json_exists json_group_array
    json_quote json_structure json_valid json_value julian kurtosis_pop lcm
    least_common_multiple length_grapheme list_aggregate list_any_value list_avg list_count
    list_element list_extract list_first list_has_all list_indexof list_intersect list_last
    list_median list_mode list_position list_product list_reverse list_reverse_sort
    list_slice list_sort list_sum list_unique list_where list_zip mad map_contains
    map_entries map_extract map_values md5_number_lower mean microsecond millennium
    millisecond now ord prefix printf product regexp_escape regexp_split_to_array row
    row_to_json sem signbit strip_accents strlen struct_keys suffix timezone to_base
    to_hours to_json to_minutes to_months to_seconds to_weeks to_years try_strptime
    url_decode url_encode wavg weekday weighted_avg yearweek lower upper trim length substr
    left right replace split_part starts_with contains round abs
"""
_FUNCTIONS = frozenset(_NAMES.split())

_NOT_A_QUESTION = (
    exp.Command,
    exp.Into,
    exp.DML,
    exp.DDL,
    exp.Drop,
    exp.Alter,
    exp.Attach,
    exp.Detach,
    exp.Copy,
    exp.Set,
    exp.Pragma,
    exp.Use,
    exp.Describe,
    exp.Transaction,
    exp.Commit,
    exp.Rollback,
    exp.Cache,
    exp.Uncache,
    exp.Kill,
    exp.Analyze,
    exp.Lock,
    exp.Parameter,
    exp.Placeholder,
    exp.SessionParameter,
)


def checked(query: str, views: Mapping[str, object]) -> str:
    """The query as DuckDB is to run it.

    Raises BadInput for what is no SQL, Forbidden for anything but one SELECT over `views`.
    """
    if len(query) > QUERY_MAX:
        raise BadInput(f"a query has at most {QUERY_MAX:,} characters.", where="sql")
    tree = _parsed(query)
    names = _own_names(tree, views)
    for node in tree.walk():
        _refuse(node, views, names)
    return tree.sql(dialect="duckdb", comments=False)


def _parsed(query: str) -> exp.Expression:
    try:
        found = [tree for tree in sqlglot.parse(query, read="duckdb") if tree is not None]
    except (SqlglotError, RecursionError) as error:
        raise BadInput(f"cannot read the query: {_first_line(error)}", where="sql") from error
    if len(found) != 1:
        raise Forbidden(f"expected one statement, got {len(found)}.", where="sql")
    (tree,) = found
    # A bare VALUES or a parenthesis is a query too, but never one over a view.
    if not isinstance(tree, exp.Select | exp.SetOperation):
        raise Forbidden(
            f"expected a SELECT, got {_word(tree)}.",
            where="sql",
            hint="Questions are read-only: one SELECT, WITH before it where it helps.",
        )
    return tree


def _own_names(tree: exp.Expression, views: Mapping[str, object]) -> frozenset[str]:
    """The names that the query gives to tables of its own."""
    names = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    for name in names:
        if name in views:
            raise Forbidden(
                f"'{name}' is a view; the query must not give that name to something else.",
                where="sql",
                hint="Choose another name in WITH.",
            )
    return frozenset(names)


def _refuse(node: exp.Expression, views: Mapping[str, object], own: frozenset[str]) -> None:
    if isinstance(node, _NOT_A_QUESTION):
        raise Forbidden(f"a question may not contain {_word(node)}.", where="sql")
    if isinstance(node, exp.Table):
        _refuse_table(node, views, own)
    elif isinstance(node, exp.Func):
        _refuse_function(node)


def _refuse_table(node: exp.Table, views: Mapping[str, object], own: frozenset[str]) -> None:
    if not isinstance(node.this, exp.Identifier):
        raise Forbidden(
            f"'{_first_line(node.this.sql(dialect='duckdb'))[:60]}' is no view; functions that "
            "give tables are not part of questions.",
            where="sql",
            hint=f"Views are {', '.join(sorted(views))}.",
        )
    name = node.name.lower()
    if node.args.get("db") or node.args.get("catalog") or (name not in views and name not in own):
        known = did_you_mean(name, views) or f"Views are {', '.join(sorted(views))}."
        raise Forbidden(
            f"there is no view '{node.sql(dialect='duckdb')}'.", where="sql", hint=known
        )


def _refuse_function(node: exp.Func) -> None:
    if isinstance(node, exp.Anonymous):
        name = node.name.lower()
        if name not in _FUNCTIONS:
            known = did_you_mean(name, _FUNCTIONS)
            raise Forbidden(f"function '{name}' is not part of questions.", where="sql", hint=known)
    elif isinstance(node, exp.ReadCSV | exp.ReadParquet | exp.CurrentUser | exp.CurrentSchema):
        raise Forbidden(f"function '{_word(node)}' is not part of questions.", where="sql")


def _word(node: exp.Expression) -> str:
    if isinstance(node, exp.Command):
        return str(node.this).upper()
    return node.key.upper() if not isinstance(node, exp.Func) else node.sql_name().lower()


def _first_line(error: object) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else ""
