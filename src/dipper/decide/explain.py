"""A decision in sentences, Chinese and English: why this offer, and why not that one.

Everything is computed again from the trace; the rule is named and the numbers are shown. The same
facts as plain data, for pictures, are in `waterfall`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dipper.decide.arbitration import Decider, compile_decider
from dipper.decide.candidate import Candidate
from dipper.decide.compile import Tables
from dipper.decide.condition import Condition
from dipper.decide.gates.registry import Gate
from dipper.decide.gates.verdict import Verdict
from dipper.decide.replay import Recomputed, Row, recompute
from dipper.decide.trace import Chosen, Trace
from dipper.decide.waterfall import ranked_offers
from dipper.decide.words import Words
from dipper.expr.dates import day_of, format_day, format_moment
from dipper.expr.parse import Expression
from dipper.expr.python import compile_function
from dipper.expr.tree import And, Column, Node, inputs_of, walk
from dipper.kit.errors import NotFound, did_you_mean
from dipper.kit.money import format_money
from dipper.spec.kinds.offer import Offer
from dipper.spec.program import Program

ARMS = {
    "treated": ("实验组", "treated"),
    "control": ("对照组", "control"),
    "placebo": ("安慰剂组", "placebo"),
}


def explain(
    trace: Trace, program: Program, tables: Tables, language: str, offer: str | None = None
) -> list[str]:
    """Sentences about a decision, or about one offer in it. `language` is 'zh' or 'en'.

    Raises NotFound when the offer is no candidate there, and like `replay` for other versions.
    """
    return explain_on(compile_decider(program, tables), trace, program, tables, language, offer)


def explain_on(
    decider: Decider,
    trace: Trace,
    program: Program,
    tables: Tables,
    language: str,
    offer: str | None = None,
) -> list[str]:
    """The same on a decider that is compiled already."""
    story = _Story(trace, recompute(decider, trace), Words(program, tables, language))
    if offer is None:
        return list(story.whole())
    row = story.row(offer)
    return [story.head(), *story.about(row)]


@dataclass(frozen=True)
class _Story:
    """One decision, recomputed, and the words for it."""

    trace: Trace
    found: Recomputed
    words: Words

    def row(self, offer: str) -> Row:
        """The row of an offer. Raises NotFound."""
        known = {row.offer.name: row for row in self.found.rows}
        if offer not in known:
            hint = did_you_mean(offer, known)
            if self.words.program.of(Offer).get(offer) is not None:
                hint = f"It exists, but does not name placement '{self.trace.placement}'."
            raise NotFound(
                f"expected an offer of placement '{self.trace.placement}', got '{offer}'",
                where=f"decision {self.trace.decision_id}",
                hint=hint or f"Its offers: {', '.join(known)}.",
            )
        return known[offer]

    def whole(self) -> Iterator[str]:
        """The decision, the offers drawn, the others that passed, those held back."""
        yield self.head()
        yield from self.outcome()
        chosen = [one.offer for one in (*self.trace.offers, *self.trace.would)]
        first = [self.row(name) for name in dict.fromkeys(chosen)]
        rest = [row for row in self.found.rows if row.offer.name not in chosen]
        for row in (*first, *sorted(rest, key=lambda row: not row.passed)):
            yield from self.about(row)

    def head(self) -> str:
        """When, where, in which arm."""
        words, trace = self.words, self.trace
        time = format_moment(trace.now_us - trace.now_us % 1_000_000)
        place = words.quoted(words.title("placement", trace.placement))
        zh, en = ARMS[trace.arm]
        return words.both(
            f"决策 {trace.decision_id}：{time}，资源位{place}，{zh}。",
            f"Decision {trace.decision_id}: {time}, placement {place}, arm {en}.",
        )

    def outcome(self) -> Iterator[str]:
        """What the arm meant for the answer."""
        words, trace = self.words, self.trace
        would = self.titles(trace.would)
        if trace.arm == "control":
            yield words.both(
                "客户在对照组，按试验设计不展示任何方案。"
                + (f"如在实验组，将展示{would}。" if would else ""),
                "The person is in the control group and is shown nothing."
                + (f" In the treated group it would have been {would}." if would else ""),
            )
        elif trace.arm == "placebo":
            given = self.titles(trace.offers) or words.both("空", "nothing")
            yield words.both(
                f"客户在安慰剂组，只展示安慰剂方案：{given}。",
                f"The person is in the placebo group and is shown only the placebo: {given}.",
            )
        elif not trace.offers:
            yield words.both("没有方案通过全部校验，未展示。", "No offer passed all gates.")
        if not trace.personalised:
            yield words.both(
                "客户已关闭个性化推荐：未使用标签和客群，排序对所有人相同。",
                "Personalisation is off: no tag or segment was read, the order is everybody's.",
            )

    def titles(self, chosen: tuple[Chosen, ...]) -> str:
        """The titles of offers, in their slots' order."""
        titles = (self.words.quoted(self.words.title("offer", one.offer)) for one in chosen)
        return self.words.both("、", ", ").join(titles)

    def about(self, row: Row) -> Iterator[str]:
        """Why an offer was given, was not chosen, or was held back."""
        words = self.words
        title = words.quoted(words.title("offer", row.offer.name))
        if not row.passed:
            reasons = words.both("；", "; ").join(
                self.denial(gate, row.offer, row.verdicts[gate.NAME])
                for gate in self.found.place.gates
                if not row.verdicts[gate.NAME].passed
            )
            yield words.both(f"未推荐{title}：{reasons}。", f"{title} was held back: {reasons}.")
            return
        names = words.both("、", ", ").join(
            gate.TITLE[words.language] for gate in self.found.place.gates
        )
        yield words.both(
            f"{title}通过全部 {len(row.verdicts)} 项校验：{names}。",
            f"{title} passed all {len(row.verdicts)} gates: {names}.",
        )
        if not row.offer.is_placebo:
            yield self.rank(row.offer)

    def rank(self, offer: Candidate) -> str:
        """Where an offer stood among those that passed, and what decided."""
        words, trace = self.words, self.trace
        ranked = ranked_offers(trace, [row.offer for row in self.found.rows if row.passed])
        at = next(at for at, one in enumerate(ranked) if one["offer"] == offer.name)
        place = words.both(
            f"在 {len(ranked)} 个可选方案中排第 {at + 1}", f"place {at + 1} of {len(ranked)}"
        )
        worth = format_money(offer.value_fen)
        if not trace.personalised:
            return words.both(f"业务权重 {worth}，{place}。", f"Value {worth}, {place}.")
        return self.score(ranked[at], worth, place) + self.draw(offer, ranked[at])

    def score(self, ranked: Mapping[str, Any], worth: str, place: str) -> str:
        """Propensity times value, or that nothing has been learned yet."""
        if not self.trace.model:
            return self.words.both(
                "模型尚未发布，各可选方案机会均等", "No model yet, equal chances for all"
            )
        propensity = f"{ranked['propensity'] or 0.0:.2%}"
        expected = format_money(round(ranked["score"]))
        return self.words.both(
            f"响应倾向 {propensity} × 业务权重 {worth} = 预期价值 {expected}，{place}",
            f"Propensity {propensity} x value {worth} = expected {expected}, {place}",
        )

    def draw(self, offer: Candidate, ranked: Mapping[str, Any]) -> str:
        """With which chance it was drawn, or could have been."""
        chosen = (*self.trace.offers, *self.trace.would)
        for one in chosen:
            if one.offer == offer.name:
                return self.words.both(
                    f"；以 {one.probability:.1%} 的概率被选中。",
                    f"; chosen with a probability of {one.probability:.1%}.",
                )
        return self.words.both(
            f"；首位被选概率 {ranked['probability']:.1%}，本次未选中。",
            f"; its chance of the first slot was {ranked['probability']:.1%}, it was not drawn.",
        )

    def denial(self, gate: Gate, offer: Candidate, verdict: Verdict) -> str:
        """One denial as a sentence with its rule."""
        words = self.words
        title = gate.TITLE[words.language]
        reason = gate.REASONS[verdict.code]
        text = reason.text(words.language).format(**self.facts(offer, verdict))
        return words.both(f"{text}（{title}，{reason.rule}）", f"{text} ({title}, {reason.rule})")

    def facts(self, offer: Candidate, verdict: Verdict) -> Mapping[str, str]:
        """The facts of a verdict as words."""
        return {name: self.fact(offer, name, value) for name, value in verdict.facts.items()}

    def fact(self, offer: Candidate, name: str, value: Any) -> str:
        words = self.words
        if name == "condition":
            return self.condition(offer, value)
        if name.endswith("_us"):
            return format_day(day_of(value))
        if name == "missing":
            return words.both("、", ", ").join(dict.fromkeys(map(words.input, value)))
        if name == "purposes":
            return words.both("、", ", ").join(words.title("purpose", one) for one in value)
        if name in ("purpose", "cap"):
            return words.title(name, value)
        if name == "input":
            kind, _, rest = value.partition(" ")
            return words.title(kind, rest)
        return str(value)

    def condition(self, offer: Candidate, text: str) -> str:
        """The parts of a condition that do not hold, with the values that they saw."""
        conditions = (offer.eligible, offer.applicable, offer.suitable)
        condition = next(one for one in conditions if one is not None and one.text == text)
        failing = list(_failing(condition, self.found.inputs)) or [condition.expression.tree]
        parts = []
        for node in failing:
            seen = self.words.both("，", ", ").join(map(self.seen, _values_shown(node)))
            shown = self.words.both(f"（{seen}）", f" ({seen})") if seen else ""
            parts.append(self.words.condition(node) + shown)
        return self.words.both("；", "; ").join(parts)

    def seen(self, name: str) -> str:
        """An input with its value: 年龄为 15."""
        what, value = self.words.input(name), self.words.value(name, self.found.inputs[name])
        gap = "" if value.startswith("「") else " "
        return self.words.both(f"{what}为{gap}{value}", f"{what} is {value}")


def _failing(condition: Condition, inputs: Mapping[str, Any]) -> Iterator[Node]:
    """The operands of a conjunction that are not TRUE."""
    tree = condition.expression.tree
    for node in tree.operands if isinstance(tree, And) else (tree,):
        names = inputs_of(node)
        part = Expression(condition.text, node, "bool", names)
        (outcome,) = compile_function([part], names)([inputs[name] for name in names])
        if outcome is not True:
            yield node


def _values_shown(node: Node) -> tuple[str, ...]:
    """The inputs whose values say more than the condition itself: not flags and holdings."""
    columns = (part for part in walk(node) if isinstance(part, Column))
    return tuple(dict.fromkeys(one.name for one in columns if one.type != "bool"))
