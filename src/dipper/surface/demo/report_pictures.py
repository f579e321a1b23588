"""The report's pictures in one language, drawn from its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dipper.kit.clock import to_datetime
from dipper.surface import charts
from dipper.surface.charts import Bar, Fall, Line, Span
from dipper.surface.demo.live_plan import STEP_US
from dipper.surface.demo.report_words import Words

HALF, THIRD, WHOLE = 492, 310, 1036
CLOCK_LABELS = 5


def pictures(data: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Name -> SVG; `funnels` has one a scenario, None where nobody entered."""
    detail = data["detail"]
    return {
        "steps": _steps(detail["steps"]["person"], words),
        "claims": _claims(data, words),
        "intervals": _intervals(detail, words),
        "funnels": {one["scenario"]: _funnel(one, words) for one in detail["scenarios"]},
        "branches": _branches(detail["branches"], words),
        "life_cycle": _life_cycle(detail["life_cycle"], words),
        "curve": _curve(detail, words),
        "choices": _choices(detail["choices"]["last_quarter"], words),
        "shares": _shares(detail, words),
        "waterfall": _waterfall(detail["trace"], words),
    }


def _steps(steps: Mapping[str, int], words: Words) -> str:
    rows = [
        (words("触达", "reached"), steps["reached"]),
        (words("① 流量创造：用户", "1 traffic: users"), steps["users"]),
        (words("② 用户打标", "2 tagged"), steps["tagged"]),
        (words("③ 客户转化", "3 customers"), steps["customers"]),
        (words("④ 价值挖掘", "4 deepened"), steps["deepened"]),
    ]
    title = words("四步漏斗", "the four steps")
    return charts.funnel(title, rows, width=HALF)


def _claims(data: Mapping[str, Any], words: Words) -> str:
    """Who became a customer, what last click makes of it, and what the control group proves."""
    rows = []
    experiment = headline_of(data)
    if experiment is not None:
        became = experiment["new"]["arms"]["treated"]["conversions"]
        label = words("实验组中成为客户的", "treated who became customers")
        rows.append(Bar(label, became, f"{became:,}", charts.PALE))
    claims = data["last_click_claimed"]
    rows.append(
        Bar(words("末次点击归因声称", "last click claims"), claims, f"{claims:,}", charts.FAINT)
    )
    proved = incremental_of(data)
    if proved is not None and proved["enough"]:
        rows.append(
            Bar(
                words("对照组证明的增量", "the control group proves"),
                proved["estimate"],
                f"{proved['estimate']:,.0f}",
                charts.GOOD,
                f"[{proved['low']:,.0f}, {proved['high']:,.0f}]",
            )
        )
    title = words("声称与证明", "claimed and proved")
    return charts.bars(title, rows, width=HALF, end=126)


def incremental_of(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The incremental customers of the headline experiment, or None without one."""
    experiment = headline_of(data)
    return None if experiment is None else experiment["new"]["incremental"]


def headline_of(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The experiment that the headline numbers tell of."""
    detail = data["detail"]
    found = (one for one in detail["experiments"] if one["policy"] == detail["headline"])
    return next(found, None)


def _intervals(detail: Mapping[str, Any], words: Words) -> str | None:
    experiment = headline_of({"detail": detail})
    if experiment is None:
        return None
    rows = [
        _estimate(
            words("增量：实验组 − 对照组", "uplift: treated − control"),
            experiment["new"]["uplift"],
            words,
        ),
        _estimate(
            words("安慰剂：安慰剂组 − 对照组", "placebo − control"),
            experiment["new"]["placebo"],
            words,
            charts.SOFT,
        ),
        _estimate(
            words("存量客户增购：实验组 − 对照组", "existing customers, further products"),
            experiment["existing"]["uplift"],
            words,
        ),
    ]
    title = words("差异与 95% 置信区间", "differences with 95 % intervals")
    return charts.intervals(
        title, rows, words("转化率之差，百分点", "percentage points of conversion"), width=HALF
    )


def _estimate(label: str, found: Mapping[str, Any], words: Words, color: str | None = None) -> Span:
    if not found["enough"]:
        return Span(label, None, 0.0, 0.0, words("数据尚不足", "not enough data yet"))
    low, high = found["low"], found["high"]
    sure = charts.GOOD if low > 0 else charts.BAD if high < 0 else charts.SOFT
    shown = f"{found['estimate']:+.2f} [{low:+.2f}, {high:+.2f}]"
    return Span(label, found["estimate"], low, high, shown, sure if color is None else color)


def _funnel(scenario: Mapping[str, Any], words: Words) -> str | None:
    steps = [(words.of(step["title"]), step["subjects"]) for step in scenario["funnel"]]
    if not any(count for _, count in steps):
        return None
    title = words.of(scenario["title"])
    return charts.funnel(title, steps, width=THIRD, small=True)


def _branches(branches: Sequence[Mapping[str, Any]], words: Words) -> str:
    rows = [
        Bar(
            words.of(branch["title"]),
            branch["value_fen"],
            words.money(branch["value_fen"]),
            charts.MAIN,
        )
        for branch in branches
    ]
    title = words("分行排名", "branches ranked")
    return charts.bars(title, rows, width=HALF, end=96)


def _life_cycle(stages: Sequence[Mapping[str, Any]], words: Words) -> str:
    rows = [
        Bar(
            words.of(stage["title"]),
            stage["new"] + stage["existing"],
            f"{stage['new'] + stage['existing']:,}",
            charts.PALE,
            words(f"存量 {stage['existing']:,}", f"existing {stage['existing']:,}")
            if stage["existing"]
            else "",
        )
        for stage in stages
        if stage["new"] or stage["existing"]
    ]
    title = words("生命周期", "life cycle")
    return charts.bars(title, rows, width=HALF, end=150)


def _curve(detail: Mapping[str, Any], words: Words) -> str | None:
    points = detail["choices"]["curve"]
    if len(points) < 2:
        return None
    series = [
        Line(words("最优可得", "best achievable"), _yuan(points, "best"), charts.GOOD, True),
        Line(words("单一最优", "single best"), _yuan(points, "single"), charts.WARM, True),
        Line(words("随机", "random"), _yuan(points, "random"), charts.FAINT, True),
        Line(words("本引擎", "ours"), _yuan(points, "ours"), charts.MAIN),
    ]
    labels = _clock_labels(detail, words, CLOCK_LABELS)
    title = words("学习曲线", "learning curve")
    unit = words(
        "每次决策的真实期望价值，元（模拟）", "true expected value a decision, ¥ (simulated)"
    )
    return charts.lines(title, series, labels, unit, width=WHOLE, height=270)


def _yuan(points: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [point[name] / 100 for point in points]


def _shares(detail: Mapping[str, Any], words: Words) -> str | None:
    """How much of what could be gained over random was gained, as it went."""
    points = detail["choices"]["curve"]
    if len(points) < 2:
        return None

    def share(name: str) -> list[float]:
        return [
            100
            * max(0.0, (point[name] - point["random"]) / ((point["best"] - point["random"]) or 1))
            for point in points
        ]

    series = [
        Line(words("单一最优", "single best"), share("single"), charts.WARM, True),
        Line(words("分客群", "per segment"), share("segment"), "#8a63d2", True),
        Line(words("本引擎", "ours"), share("ours"), charts.MAIN),
    ]
    labels = _clock_labels(detail, words, 3)
    title = words("可得增益的实现比例", "share of the achievable gain")
    return charts.lines(title, series, labels, "%", width=HALF, height=240)


def _clock_labels(detail: Mapping[str, Any], words: Words, count: int) -> list[str]:
    """When some points of the curve end, from the first to the last."""
    points = detail["choices"]["curve"]
    places = [round(at * (len(points) - 1) / (count - 1)) for at in range(count)]
    return [_clock(detail, points[place]["until_step"], words) for place in places]


def _clock(detail: Mapping[str, Any], step: int, words: Words) -> str:
    """When a step ends, in the bank's zone."""
    end_us = detail["live_start_us"] + (step + 1) * STEP_US
    moment = to_datetime(end_us).astimezone(words.zone)
    return moment.strftime("%m-%d %H:%M")


def _choices(means: Mapping[str, float], words: Words) -> str | None:
    if not means:
        return None
    named = (
        ("random", words("随机推荐", "random"), charts.FAINT),
        ("single", words("单一最优方案（事后）", "best single offer (hindsight)"), charts.WARM),
        ("segment", words("分客群最优（事后）", "best per segment (hindsight)"), charts.WARM),
        ("ours", words("本引擎", "ours"), charts.MAIN),
        ("best", words("最优可得", "best achievable"), charts.GOOD),
    )
    rows = [
        Bar(label, means[name], words.fine_money(means[name]), color)
        for name, label, color in named
    ]
    title = words("各种选法的真实期望价值", "true expected value of each way to choose")
    return charts.bars(title, rows, width=HALF, end=64)


def _waterfall(trace: Mapping[str, Any] | None, words: Words) -> str | None:
    if trace is None:
        return None
    fall = trace["waterfall"]
    columns = [Fall(words("候选", "candidates"), fall["candidates"], 0)]
    columns += [
        Fall(words.of(gate["title"]), gate["left"], len(gate["denied"])) for gate in fall["gates"]
    ]
    columns.append(Fall(words("参与排序", "ranked"), len(fall["ranked"]), 0))
    columns.append(Fall(words("推荐", "offered"), len(fall["offers"]), 0, is_last=True))
    title = words("一次决策的漏斗", "one decision")
    return charts.waterfall(title, columns, width=WHOLE)
