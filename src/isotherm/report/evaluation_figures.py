"""The figures of evaluations: metrics, lists, groups, new items, and what the metadata is worth."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from isotherm.evaluation import Evaluation, RampUp
from isotherm.evaluation.groups import LABELS
from isotherm.report.figures import BAR, HIGHLIGHT, INK, LINES, header, inline, svg

_FIELDS = 20  # shown in a figure


def metric_bars(evaluation: Evaluation, metrics: Sequence[str], highlight: str) -> str:
    """Bars with 95% intervals: a column per candidate set, a row per metric, a bar per model."""
    from isotherm.report.drawing import alt

    rows = evaluation.to_frame().filter(pl.col("metric").is_in(metrics))
    models = list(evaluation.models)
    sets = [s for s in ("cold", "warm", "all") if s in rows["candidates"]]
    y = alt.Y("model:N", sort=models, title=None)
    base = alt.Chart(inline(rows))
    bars = base.mark_bar(size=16, cornerRadiusEnd=2).encode(
        x=alt.X("mean:Q", title=None, axis=alt.Axis(tickCount=4, grid=True)),
        y=y,
        color=alt.condition(alt.datum.model == highlight, alt.value(HIGHLIGHT), alt.value(BAR)),
    )
    whiskers = base.mark_rule(color=INK, strokeWidth=1.4).encode(x="low:Q", x2="high:Q", y=y)
    labels = base.mark_text(align="left", dx=5, color=INK, fontSize=11).encode(
        x="high:Q", y=y, text=alt.Text("mean:Q", format=".3f")
    )
    chart = (
        alt.layer(bars, whiskers, labels)
        .properties(width=245, height=24 * len(models))
        .facet(
            column=alt.Column(
                "candidates:N", sort=sets, title=None, header=header("datum.value + ' candidates'")
            ),
            row=alt.Row("metric:N", sort=list(metrics), title=None, header=header("datum.value", "left")),
        )
    )
    return svg(chart)


def new_share_bars(evaluation: Evaluation, k: int, clicks: float, highlight: str) -> str:
    """Share of new items in the lists of each model, 95% intervals; a rule at their share of the clicks."""
    from isotherm.report.drawing import alt

    models = list(evaluation.models)
    rows = evaluation.to_frame().filter(pl.col("metric") == f"new_share@{k}", candidates="all")
    y = alt.Y("model:N", sort=models, title=None)
    base = alt.Chart(inline(rows))
    axis = alt.Axis(format="%", tickCount=5)
    bars = base.mark_bar(size=16, cornerRadiusEnd=2).encode(
        x=alt.X("mean:Q", title=None, axis=axis),
        y=y,
        color=alt.condition(alt.datum.model == highlight, alt.value(HIGHLIGHT), alt.value(BAR)),
    )
    whiskers = base.mark_rule(color=INK, strokeWidth=1.4).encode(x="low:Q", x2="high:Q", y=y)
    labels = base.mark_text(align="left", dx=5, color=INK, fontSize=11).encode(
        x="high:Q", y=y, text=alt.Text("mean:Q", format=".1%")
    )
    of_clicks = alt.Chart(inline(pl.DataFrame({"share": [clicks]})))
    line = of_clicks.mark_rule(color=INK, strokeWidth=1.6, strokeDash=[5, 4]).encode(x="share:Q")
    told = of_clicks.mark_text(align="left", baseline="bottom", dx=4, dy=-3, color=INK, fontSize=11).encode(
        x="share:Q", y=alt.value(0), text=alt.value(f"{clicks:.1%} of the clicks to find")
    )
    chart = alt.layer(bars, whiskers, labels, line, told)
    return svg(chart.properties(width=640, height=26 * len(models)))


def tradeoff_points(evaluation: Evaluation, measure: str, metric: str, highlight: str) -> str:
    """One point per model: how unlike the items of its lists are against how well it ranks, 95% intervals."""
    from isotherm.report.drawing import alt

    rows = evaluation.to_frame().filter(pl.col("metric").is_in([measure, metric]), candidates="all")
    wide = rows.pivot("metric", index="model", values=["mean", "low", "high"])
    wide = wide.rename(
        {name: name.replace(f"_{measure}", "_x").replace(f"_{metric}", "_y") for name in wide.columns}
    )
    if "mean_x" not in wide.columns:
        return ""
    same = [pl.col(name).round(3) for name in ("mean_x", "mean_y")]  # models at one point share their label
    wide = wide.drop_nulls().with_columns(label=pl.col("model").str.join(", ").over(same))
    base = alt.Chart(inline(wide))
    axis = alt.Axis(tickCount=6)
    x = alt.X("mean_x:Q", title=f"{measure}, more varied →", scale=_padded(40), axis=axis)
    y = alt.Y("mean_y:Q", title=f"{metric}, better ranked →", scale=_padded(18), axis=axis)
    color = alt.condition(alt.datum.model == highlight, alt.value(HIGHLIGHT), alt.value(LINES[1]))
    rule = base.mark_rule(strokeWidth=1.6, opacity=0.5)
    level = rule.encode(x="low_x:Q", x2="high_x:Q", y=y, color=color)
    upright = rule.encode(x=x, y="low_y:Q", y2="high_y:Q", color=color)
    points = base.mark_point(size=80, filled=True, opacity=1).encode(x=x, y=y, color=color)
    names = base.mark_text(align="left", baseline="bottom", dx=7, dy=-6, fontSize=13, color=INK)
    names = names.encode(x=x, y=y, text="label:N")
    return svg(alt.layer(level, upright, points, names).properties(width=720, height=300))


def group_points(evaluation: Evaluation, by: str, metric: str) -> str:
    """One point per model and group, 95% intervals; a panel per candidate set."""
    from isotherm.report.drawing import alt

    rows = evaluation.groups_frame().filter(pl.col("metric") == metric, by=by)
    labels = [label for label in LABELS[by] if label in rows["group"]]
    models = list(evaluation.models)
    sets = [s for s in ("cold", "warm", "all") if s in rows["candidates"]]
    base = alt.Chart(inline(rows)).encode(
        x=alt.X("group:N", sort=labels, title=None, axis=alt.Axis(labelAngle=-30 if by == "item-age" else 0)),
        xOffset=alt.XOffset("model:N", sort=models),
        color=alt.Color(
            "model:N",
            sort=models,
            title=None,
            scale=alt.Scale(range=LINES),
            legend=alt.Legend(orient="top", symbolOpacity=1, labelFontSize=12),
        ),
    )
    whiskers = base.mark_rule(strokeWidth=1.6, opacity=0.6).encode(
        y=alt.Y("low:Q", title=metric), y2="high:Q"
    )
    points = base.mark_point(size=55, filled=True, opacity=1).encode(y="mean:Q")
    chart = (
        alt.layer(whiskers, points)
        .properties(width=(930 - 30 * len(sets)) / len(sets), height=230)
        .facet(
            column=alt.Column(
                "candidates:N", sort=sets, title=None, header=header("datum.value + ' candidates'")
            )
        )
    )
    return svg(chart)


def ramp_lines(ramp: RampUp, metric: str) -> str:
    """One line per model over the clicks each new item has got, 95% bands; a panel per candidate set."""
    from isotherm.report.drawing import alt

    rows = ramp.to_frame().filter(pl.col("metric") == metric)
    models, steps = list(ramp.values), sorted(set(rows["clicks"]))
    base = alt.Chart(inline(rows)).encode(
        x=alt.X("clicks:O", sort=steps, title="clicks each new item has got", axis=alt.Axis(labelAngle=0)),
        color=alt.Color(
            "model:N",
            sort=models,
            title=None,
            scale=alt.Scale(range=LINES),
            legend=alt.Legend(symbolOpacity=1),
        ),
    )
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", title=metric), y2="high:Q")
    line = base.mark_line(point=True, strokeWidth=2.2).encode(y="mean:Q")
    chart = (
        alt.layer(band, line)
        .properties(width=340, height=260)
        .facet(
            column=alt.Column(
                "candidates:N",
                sort=["cold", "all"],
                title=None,
                header=header("datum.value == 'cold' ? 'among the new items' : 'among all items'"),
            )
        )
        .resolve_scale(y="independent")
    )
    return svg(chart)


def importance_bars(importance: pl.DataFrame) -> str:
    """How much each field moves the scores of new items, in percent; largest first, the first twenty."""
    from isotherm.report.drawing import alt

    rows = importance.head(_FIELDS)
    chart = (
        alt.Chart(inline(rows))
        .mark_bar(size=14, cornerRadiusEnd=2, color=HIGHLIGHT)
        .encode(
            x=alt.X("share:Q", title="share of what moves scores", axis=alt.Axis(format=".0%", tickCount=5)),
            y=alt.Y("field:N", sort=rows["field"].to_list(), title=None),
        )
        .properties(width=560, height=22 * rows.height)
    )
    return svg(chart)


def _padded(pixels: int) -> Any:
    """An axis from the least value to the most, with room for labels."""
    from isotherm.report.drawing import alt

    return alt.Scale(zero=False, padding=pixels)
