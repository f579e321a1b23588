"""A condition in words, with the titles that people gave to its inputs.

`person.age >= 18` becomes 年龄 ≥ 18, `NOT holds('wealth.r2')` 未持有「稳健增长理财」. What has no
everyday form is written as a call, so that nothing is ever hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dipper.expr import tree
from dipper.expr.dates import format_day, format_moment
from dipper.expr.tree import Node
from dipper.kit.money import format_money
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.table import PRODUCT
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program
from dipper.spec.tables import TableVersion

_OPERATORS = {"=": "=", "<>": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_BOOL = {"zh": {True: "是", False: "否"}, "en": {True: "yes", False: "no"}}
_UNKNOWN = {"zh": "未知", "en": "not known"}


@dataclass(frozen=True)
class Words:
    """Titles and values in one language ('zh' or 'en')."""

    program: Program
    tables: Mapping[str, TableVersion]
    language: str

    def both(self, zh: str, en: str) -> str:
        """The one that is of this language."""
        return zh if self.language == "zh" else en

    def quoted(self, text: str) -> str:
        """The text in the quotation marks of the language."""
        return self.both(f"「{text}」", f"'{text}'")

    def title(self, kind: str, name: str) -> str:
        """The title of an object, or its name where the program does not have it."""
        spec = self.program.get(kind, name)
        return str(spec.title.of(self.language)) if spec is not None else name

    def product(self, product: str) -> str:
        """The title of a product, or its code."""
        products = self.tables.get(PRODUCT)
        row = products.lookup(product) if products is not None else None
        return str((row or {}).get(f"title_{self.language}") or product)

    def input(self, name: str) -> str:
        """What people call an input: 'tag.bills_paid_30d' is 近30天缴费次数."""
        prefix, _, rest = name.partition(".")
        if name == "now()":
            return self.both("当前时间", "now")
        if name.startswith(("holds(", "holds_line(")):
            held = self._holding(name, is_held=True)
            return self.both(f"是否{held}", f"whether the person {held}")
        if prefix in ("tag", "segment", "cap"):
            return self.title(prefix, rest)
        if prefix == "consent":
            purpose = self.quoted(self.title("purpose", rest.rpartition(".")[0]))
            return self.both(f"对{purpose}的授权同意", f"consent to {purpose}")
        if prefix == "assessment":
            return self.both("有效的风险承受能力评估", "a risk assessment")
        if prefix == PRODUCT:
            return self.both(f"产品表的 {rest}", f"the product's {rest}")
        return self.title("property", rest)

    def value(self, name: str, value: Any) -> str:
        """A value of an input as people write it."""
        if value is None:
            return _UNKNOWN[self.language]
        if isinstance(value, bool):
            return _BOOL[self.language][value]
        if isinstance(value, int) and self._is_money(name):
            return format_money(value)
        return self.quoted(value) if isinstance(value, str) else str(value)

    def _is_money(self, name: str) -> bool:
        prefix, _, rest = name.partition(".")
        if prefix == "tag":
            tag = self.program.of(Tag).get(rest)
            if tag is None or tag.value.aggregate in ("count", "distinct"):
                return False
            rest = tag.value.property or tag.value.attribute or rest
        known = self.program.of(Property).get(rest)
        return rest.endswith("_fen") or (known is not None and known.unit in ("fen", "分"))

    def _holding(self, name: str, *, is_held: bool) -> str:
        function, _, literal = name[:-2].partition("('")
        not_zh, verb = ("", "holds") if is_held else ("未", "does not hold")
        if function == "holds":
            what = self.quoted(self.product(literal))
            return self.both(f"{not_zh}持有{what}", f"{verb} {what}")
        what = self.quoted(literal)
        return self.both(f"{not_zh}持有{what}类产品", f"{verb} a product of line {what}")

    # Conditions.

    def condition(self, node: Node) -> str:
        """A node in words."""
        write = _WRITERS.get(type(node))
        if write is not None:
            return write(self, node)
        operands = ", ".join(self.condition(child) for child in tree.children(node))
        name = getattr(node, "function", type(node).__name__.lower())
        return f"{name}({operands})"

    def _constant(self, node: tree.Constant) -> str:
        if node.value is None:
            return _UNKNOWN[self.language]
        if isinstance(node.value, bool):
            return _BOOL[self.language][node.value]
        if node.type == "date" and isinstance(node.value, int):
            return format_day(node.value)
        if node.type == "timestamp" and isinstance(node.value, int):
            return format_moment(node.value)
        return self.quoted(node.value) if isinstance(node.value, str) else str(node.value)

    def _column(self, node: tree.Column) -> str:
        if node.type == "bool":
            return self._flag(node, holds=True)
        return self.input(node.name)

    def _flag(self, node: tree.Column, *, holds: bool) -> str:
        title = self.input(node.name)
        if node.name.startswith("segment."):
            quoted, not_zh, verb = (
                self.quoted(title),
                "" if holds else "不",
                "" if holds else "not ",
            )
            return self.both(f"{not_zh}属于客群{quoted}", f"{verb}in segment {quoted}")
        return self.both(f"{title}为", f"{title} is ") + _BOOL[self.language][holds]

    def _host_call(self, node: tree.HostCall) -> str:
        if node.type == "bool":
            return self._holding(node.name, is_held=True)
        return self.input(node.name)

    def _not(self, node: tree.Not) -> str:
        inner = node.operand
        if isinstance(inner, tree.HostCall) and inner.type == "bool":
            return self._holding(inner.name, is_held=False)
        if isinstance(inner, tree.Column):
            return self._flag(inner, holds=False)
        return self.both(f"非（{self.condition(inner)}）", f"not ({self.condition(inner)})")

    def _compare(self, node: tree.Compare) -> str:
        left, right = self._side(node.left, node.right), self._side(node.right, node.left)
        return f"{left} {_OPERATORS[node.operator]} {right}"

    def _side(self, node: Node, other: Node) -> str:
        """One side of a comparison; a number beside an amount of money is written as money."""
        is_amount = isinstance(other, tree.Column) and self._is_money(other.name)
        if is_amount and isinstance(node, tree.Constant) and type(node.value) is int:
            return format_money(node.value)
        return self.condition(node)

    def _between(self, node: tree.Between) -> str:
        low, high = self._side(node.low, node.operand), self._side(node.high, node.operand)
        what = self.condition(node.operand)
        return self.both(f"{what}在 {low} 至 {high} 之间", f"{what} from {low} to {high}")

    def _in(self, node: tree.In) -> str:
        items = self.both("、", ", ").join(map(self.condition, node.items))
        what = self.condition(node.operand)
        return self.both(f"{what}为{items}之一", f"{what} is one of {items}")

    def _is_null(self, node: tree.IsNull) -> str:
        what = self.condition(node.operand)
        return self.both(f"{what}未知", f"{what} is not known")

    def _and(self, node: tree.And) -> str:
        return self.both("，且", " and ").join(map(self._grouped, node.operands))

    def _or(self, node: tree.Or) -> str:
        return self.both("，或", " or ").join(map(self._grouped, node.operands))

    def _grouped(self, node: Node) -> str:
        text = self.condition(node)
        if isinstance(node, tree.And | tree.Or):
            return self.both(f"（{text}）", f"({text})")
        return text

    def _arithmetic(self, node: tree.Arithmetic) -> str:
        return f"({self.condition(node.left)} {node.operator} {self.condition(node.right)})"


_WRITERS: Mapping[type[Node], Callable[[Words, Any], str]] = {
    tree.Constant: Words._constant,
    tree.Column: Words._column,
    tree.HostCall: Words._host_call,
    tree.ToDouble: lambda words, node: words.condition(node.operand),
    tree.Not: Words._not,
    tree.Compare: Words._compare,
    tree.Between: Words._between,
    tree.In: Words._in,
    tree.IsNull: Words._is_null,
    tree.And: Words._and,
    tree.Or: Words._or,
    tree.Arithmetic: Words._arithmetic,
}
