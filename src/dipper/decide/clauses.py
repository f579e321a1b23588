"""A condition as clauses of literals, so that it can be looked up input by input.

It is TRUE exactly when each clause has a literal that is TRUE, and a literal reads a single input.
NOT is moved inward by De Morgan's laws, which hold with three values as long as only TRUE is asked
for. What reads several inputs at once stays whole: `rest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dipper.expr import tree
from dipper.expr.parse import Expression
from dipper.expr.python import compile_function
from dipper.expr.tree import Node, inputs_of, walk

LITERALS_MAX = 4
CLAUSES_MAX = 6

# Before these -0.0 and 0, or 1 and 1.0, are one value; a CAST to text tells them apart.
_BLIND = (
    tree.And,
    tree.Between,
    tree.Column,
    tree.Compare,
    tree.Constant,
    tree.Distinct,
    tree.HostCall,
    tree.In,
    tree.IsNull,
    tree.Not,
    tree.Or,
    tree.ToDouble,
)


class Literal(NamedTuple):
    """A condition over one input."""

    input: str
    tree: Node


Clause = tuple[Literal, ...]


class Split(NamedTuple):
    """A condition: all of its clauses (the longest first), and all of its rest."""

    clauses: tuple[Clause, ...]
    rest: tuple[Node, ...]


def split(condition: Node, unsteady: str) -> Split:
    """The clauses of a condition. What reads the input `unsteady` is rest: its value never
    comes again, so that looking it up gains nothing."""
    alone: dict[str, list[Node]] = {}
    clauses: list[Clause] = []
    rest: list[Node] = []
    for part in _parts(condition, tree.And):
        clause = _clause(part, unsteady)
        if clause is None or len(clause) > LITERALS_MAX:
            rest.append(part)
        elif len(clause) == 1:
            alone.setdefault(clause[0].input, []).append(clause[0].tree)
        elif clause:
            clauses.append(clause)
    clauses += [(Literal(name, _joined(trees, tree.And)),) for name, trees in alone.items()]
    clauses.sort(key=len, reverse=True)
    rest += [_as_tree(clause) for clause in clauses[CLAUSES_MAX:]]
    return Split(tuple(clauses[:CLAUSES_MAX]), tuple(rest))


def _clause(part: Node, unsteady: str) -> Clause | None:
    """The literals of which one must be TRUE, none where that is settled; None: no clause."""
    by_input: dict[str, list[Node]] = {}
    for node in _parts(part, tree.Or):
        names = inputs_of(node)
        if not names:
            if _is_true(node):
                return ()
        elif len(names) > 1 or names[0] == unsteady or not _may_look_up(node):
            return None
        else:
            by_input.setdefault(names[0], []).append(node)
    # One that nothing can make TRUE has no literal left.
    clause = tuple(Literal(name, _joined(nodes, tree.Or)) for name, nodes in by_input.items())
    return clause or None


def _may_look_up(node: Node) -> bool:
    """Whether equal keys of a dictionary always have one answer."""
    nodes = list(walk(node))
    if any(isinstance(n, tree.Column) and n.type == "double" for n in nodes):
        return all(isinstance(n, _BLIND) for n in nodes)
    return True


def _parts(node: Node, of: type[tree.And | tree.Or], negated: bool = False) -> Iterable[Node]:
    """The operands of a chain of AND (or OR), with NOT moved inward; one input stays whole."""
    if len(inputs_of(node)) > 1:
        if isinstance(node, tree.Not):
            yield from _parts(node.operand, of, not negated)
            return
        chain = of if not negated else (tree.Or if of is tree.And else tree.And)
        if isinstance(node, chain):
            for operand in node.operands:
                yield from _parts(operand, of, negated)
            return
    yield tree.Not(node) if negated else node


def _joined(nodes: list[Node], by: type[tree.And | tree.Or]) -> Node:
    return nodes[0] if len(nodes) == 1 else by(tuple(nodes))


def _as_tree(clause: Clause) -> Node:
    return _joined([literal.tree for literal in clause], tree.Or)


def _is_true(node: Node) -> bool:
    (value,) = compile_function([Expression("", node, "bool", ())], ())(())
    return value is True
