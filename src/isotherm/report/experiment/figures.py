"""Figures of the experiment's page as SVG text."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from isotherm.experiment.analysis.day_effects import DayEffect
from isotherm.experiment.analysis.effects import Effect
from isotherm.experiment.analysis.groups import Heterogeneity
from isotherm.experiment.analysis.result import MetricResult
from isotherm.experiment.analysis.sequences import Look
from isotherm.report.drawing import alt
from isotherm.report.experiment.labels import metric_label
from isotherm.report.figures import HIGHLIGHT, LINES, inline, svg

_BAND, _TRUTH = LINES[1], LINES[2]
_WIDEST = 1.0  # relative differences beyond it are cut off
_MARGIN = 1.25  # of what is shown, over the estimates and their intervals


def effect_bars(metrics: Sequence[MetricResult], truths: Mapping[str, float], several: bool) -> str:
    """The relative difference of each metric with its interval.  truths: by metric.  several: treatments."""
    rows = []
    for each in metrics:
        if each.effect is None or not math.isfinite(each.effect.relative.width):
            continue
        label = metric_label(each.metric.name)
        name = f"{label}, {each.arm}" if several else label
        rows.append({"metric": name, **_bar(each.effect, truths.get(each.metric.name), each.metric.role)})
    return _forest(rows, "metric", colour_by_role=True)


def group_bars(groups: Heterogeneity) -> str:
    """The relative difference of each group with its interval."""
    rows = [
        {"group": f"{each.group} ({each.users:,} users)", **_bar(each.effect, None, "goal")}
        for each in groups.groups
        if math.isfinite(each.effect.relative.width)
    ]
    return _forest(rows, "group", colour_by_role=False)


def _bar(effect: Effect, truth: float | None, role: str) -> dict[str, Any]:
    interval = effect.relative
    return {
        "estimate": effect.estimate,
        "low": interval.low,
        "high": interval.high,
        "truth": truth,
        "role": role,
    }


def _forest(rows: list[dict[str, Any]], label: str, colour_by_role: bool) -> str:
    """Points with intervals, one under the other, around 0; truths as diamonds."""
    if not rows:
        return ""
    reach = _reach([each[name] for each in rows for name in ("low", "high")])
    shown = pl.DataFrame(rows).with_columns(pl.col("low", "high", "estimate").clip(-reach, reach))
    differences = _differences(reach, 7)
    y = alt.Y(f"{label}:N", title=None, sort=[each[label] for each in rows], axis=alt.Axis(labelFontSize=12))
    base = alt.Chart(inline(shown)).encode(y=y)
    role = alt.Color(
        "role:N",
        legend=alt.Legend(title=None, orient="top") if colour_by_role else None,
        scale=alt.Scale(domain=["goal", "guardrail"], range=[HIGHLIGHT, LINES[1]]),
    )
    zero = alt.Chart(inline(pl.DataFrame({"zero": [0.0]}))).mark_rule(color="#888", strokeWidth=1)
    layers = [
        zero.encode(x=alt.X("zero:Q", scale=differences["scale"])),
        base.mark_rule(strokeWidth=3, opacity=0.55).encode(
            x=alt.X("low:Q", **differences), x2="high:Q", color=role
        ),
        base.mark_point(filled=True, size=75, opacity=1).encode(
            x=alt.X("estimate:Q", scale=differences["scale"]), color=role
        ),
    ]
    if shown["truth"].count():
        known = alt.Chart(inline(shown.filter(pl.col("truth").is_not_null()))).encode(y=y)
        diamond = known.mark_point(shape="diamond", size=90, strokeWidth=2, stroke=_TRUTH, filled=False)
        layers.append(diamond.encode(x=alt.X("truth:Q", scale=differences["scale"])))
    return svg(alt.layer(*layers).properties(width=700, height=30 * len(rows) + 10))


def look_lines(looks: Sequence[Look], truth: float | None) -> str:
    """Day by day: the estimate, the confidence sequence as a band, the interval of one look inside it."""
    if not looks:
        return ""
    rows = pl.DataFrame(
        {
            "day": look.day,
            "estimate": look.estimate,
            "low": look.sequence.low,
            "high": look.sequence.high,
            "one_low": look.fixed.low,
            "one_high": look.fixed.high,
        }
        for look in looks
    )
    late = looks[len(looks) // 4 :]  # the first ones are too wide to set the scale
    reach = _reach([end for look in late for end in (look.sequence.low, look.sequence.high)])
    shown = rows.with_columns(pl.exclude("day").clip(-reach, reach))
    base = alt.Chart(inline(shown)).encode(x=_days("day of the experiment"))
    y = alt.Y("low:Q", **_differences(reach, 6))
    layers = [
        base.mark_area(color=_BAND, opacity=0.18, line=False).encode(y=y, y2="high:Q"),
        base.mark_line(color=_BAND, strokeWidth=1.5).encode(y="low:Q"),
        base.mark_line(color=_BAND, strokeWidth=1.5).encode(y="high:Q"),
        base.mark_rule(color=HIGHLIGHT, opacity=0.5, strokeWidth=2).encode(y="one_low:Q", y2="one_high:Q"),
        base.mark_line(color=HIGHLIGHT, strokeWidth=2).encode(y="estimate:Q"),
        base.mark_point(color=HIGHLIGHT, filled=True, size=45, opacity=1).encode(y="estimate:Q"),
        _level(0.0, "#888", []),
    ]
    if truth is not None and abs(truth) < reach:
        layers.append(_level(truth, _TRUTH, [6, 4]))
    return svg(alt.layer(*layers).properties(width=820, height=280))


def day_bars(days: Sequence[DayEffect], quantile: float) -> str:
    """Effects by days since the first exposure.  quantile: of the normal, for the intervals."""
    if not days:
        return ""
    rows = pl.DataFrame(
        {
            "day": each.day,
            "estimate": each.estimate,
            "low": math.expm1(math.log1p(each.estimate) - quantile * each.error),
            "high": math.expm1(min(math.log1p(each.estimate) + quantile * each.error, 10.0)),
        }
        for each in days
    )
    likely = sorted(max(abs(row["low"]), abs(row["high"])) for row in rows.to_dicts())
    reach = _reach(likely[: max(1, len(likely) * 4 // 5)])
    shown = rows.with_columns(pl.exclude("day").clip(-reach, reach))
    base = alt.Chart(inline(shown)).encode(x=_days("days since a user's first exposure"))
    bars = base.mark_rule(color=HIGHLIGHT, opacity=0.5, strokeWidth=2)
    marks = bars.encode(y=alt.Y("low:Q", **_differences(reach, 6)), y2="high:Q")
    points = base.mark_point(color=HIGHLIGHT, filled=True, size=60, opacity=1).encode(y="estimate:Q")
    return svg(alt.layer(marks, points, _level(0.0, "#888", [])).properties(width=820, height=220))


def _level(value: float, colour: str, dash: list[int]) -> Any:
    """A line at a value."""
    at = alt.Chart(inline(pl.DataFrame({"at": [value]})))
    return at.mark_rule(color=colour, strokeDash=dash, strokeWidth=1.5 if dash else 1).encode(y="at:Q")


def _reach(ends: list[float]) -> float:
    """How far from 0 an axis goes."""
    return min(_WIDEST, _MARGIN * max(max(map(abs, ends)), 0.001))


def _differences(reach: float, ticks: int) -> dict[str, Any]:
    """Title, scale and axis of relative differences, as arguments of a channel."""
    return {
        "title": "relative difference",
        "scale": alt.Scale(domain=[-reach, reach], nice=False),
        "axis": alt.Axis(format="+.0%" if reach > 0.04 else "+.1%", tickCount=ticks),
    }


def _days(title: str) -> Any:
    axis = alt.Axis(tickMinStep=1, format="d", grid=False)
    return alt.X("day:Q", title=title, axis=axis, scale=alt.Scale(nice=False, padding=12))
