"""The expression language: parse and type once, run as one Python function or as DuckDB SQL.

docs/reference/expressions.md fixes what an expression means. Pure; imports kit only, and sqlglot
inside `parse`.
"""
