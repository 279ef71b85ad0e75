"""Bars and curves of the geometry page as SVG text: one function per figure, a colour or a row per model."""

import itertools
from typing import Any

import numpy as np
import polars as pl

from isotherm.geometry.contraction import Contraction
from isotherm.geometry.influence import Influence
from isotherm.geometry.pairs import RANDOM
from isotherm.report.drawing import alt
from isotherm.report.figures import BAR, INK, LINES, header, inline, svg
from isotherm.report.geometry.labels import CONDITIONS, KINDS, REGIONS, region
from isotherm.report.geometry.summaries import Models

_TRAINED, _UNTRAINED = "trained", "before training"


def condition_bars(models: Models) -> str:
    """Share of pairs by condition: a panel a kind of pair, a bar a model."""
    rows = pl.DataFrame(
        {"model": name, "kind": KINDS[kind], "condition": CONDITIONS[condition], "share": share.mean}
        for name, geometry in models.items()
        for kind, shares in geometry.influence.kinds.items()
        for condition, share in shares.items()
        if condition in CONDITIONS
    )
    base = alt.Chart(inline(rows)).encode(y=_model_axis(models))
    share_axis = alt.Axis(format=".0%", values=[0, 0.5, 1])
    bars = base.mark_bar(size=13, cornerRadiusEnd=2).encode(
        x=alt.X("share:Q", title=None, scale=alt.Scale(domain=[0, 1.15]), axis=share_axis),
        color=_colour(models, legend=False),
    )
    labels = base.mark_text(align="left", dx=4, fontSize=11, color=INK).encode(
        x="share:Q", text=alt.Text("share:Q", format=".1%")
    )
    kinds, conditions = list(KINDS.values()), list(CONDITIONS.values())
    chart = (
        alt.layer(bars, labels)
        .properties(width=210, height=18 * len(models) + 6)
        .facet(
            column=alt.Column("kind:N", sort=kinds, title=None, header=header("datum.value")),
            row=alt.Row("condition:N", sort=conditions, title=None, header=header("datum.value", "left")),
        )
    )
    return svg(chart)


def influence_curves(models: Models) -> str:
    """Measured influence over latent distance, before training and after."""
    frames = []
    for name, geometry in models.items():
        for when, influence in ((_UNTRAINED, geometry.untrained), (_TRAINED, geometry.influence)):
            unit = influence.pairs.filter(kind=RANDOM)["w1_high"].median() or 1.0
            distance = pl.col("distance") / unit
            frames.append(influence.curve.with_columns(distance, model=pl.lit(name), when=pl.lit(when)))
    base = alt.Chart(inline(pl.concat(frames))).encode(
        x=alt.X("distance:Q", title="latent distance, in distances of two random users"),
        color=_colour(models),
    )
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", title="influence"), y2="high:Q")
    line = base.mark_line(point=True, strokeWidth=2.2).encode(y="influence:Q")
    zero = (
        alt.Chart(inline(pl.DataFrame({"zero": [0.0]})))
        .mark_rule(color=INK, strokeDash=[3, 3])
        .encode(y="zero:Q")
    )
    panels = []
    for when in (_UNTRAINED, _TRAINED):
        marks = (mark.transform_filter(alt.datum.when == when) for mark in (band, line))
        panels.append(alt.layer(zero, *marks).properties(width=400, height=250, title=when))
    return svg(alt.hconcat(*panels))


def region_bars(models: Models) -> str:
    """Influence among random pairs: near or far by clicks, related or not."""
    frames = []
    for name, geometry in models.items():
        regions = geometry.influence.regions
        labels = [region(row["far"], row["related"]) for row in regions.iter_rows(named=True)]
        frames.append(regions.with_columns(region=pl.Series(labels), model=pl.lit(name)))
    rows = pl.concat(frames, how="diagonal").with_columns(label=pl.max_horizontal("high", pl.lit(0.0)))
    base = alt.Chart(inline(rows)).encode(y=_model_axis(models))
    bars = base.mark_bar(size=14, cornerRadiusEnd=2).encode(
        x=alt.X("influence:Q", title="influence", axis=alt.Axis(tickCount=5)),
        color=_colour(models, legend=False),
    )
    whiskers = base.mark_rule(color=INK, strokeWidth=1.4).encode(x="low:Q", x2="high:Q")
    numbers = base.mark_text(align="left", dx=5, fontSize=11, color=INK).encode(
        x="label:Q", text=alt.Text("influence:Q", format=".4f")
    )
    chart = (
        alt.layer(bars, whiskers, numbers)
        .properties(width=560, height=20 * len(models) + 6)
        .facet(row=alt.Row("region:N", sort=REGIONS, title=None, header=header("datum.value", "left")))
    )
    return svg(chart)


_COLUMNS = {
    "shared": "shared clicks",
    "jaccard": "Jaccard",
    "l1": "ℓ₁ distance",
    "clicks_u": "clicks of u, who is helped",
    "clicks_v": "clicks of v, who steps",
}


def influence_grids(influence: Influence) -> str:
    """Influence of random pairs by ℓ₁ and shared clicks or Jaccard, and by the clicks of both users."""
    grids = influence.grids
    panels = [
        _grid(grids.by_l1_and_shared, "shared", "l1"),
        _grid(grids.by_l1_and_jaccard, "jaccard", "l1"),
        _grid(grids.by_clicks, "clicks_v", "clicks_u"),
    ]
    return svg(alt.hconcat(*panels).resolve_scale(color="independent"))


def _grid(rows: pl.DataFrame, x: str, y: str) -> Any:
    most = float(np.abs(rows["influence"].to_numpy()).max()) or 1.0
    form = ".2f" if x == "jaccard" else ".0f"
    base = alt.Chart(inline(rows)).encode(
        x=alt.X(f"{x}:O", title=_COLUMNS[x], axis=alt.Axis(labelAngle=0, format=form)),
        y=alt.Y(f"{y}:O", title=_COLUMNS[y], sort="descending", axis=alt.Axis(format=".0f")),
    )
    scale = alt.Scale(domain=[-most, 0, most], range=[LINES[0], "#ffffff", LINES[1]], interpolate="rgb")
    cells = base.mark_rect().encode(color=alt.Color("influence:Q", legend=None, scale=scale))
    text = base.mark_text(fontSize=10).encode(
        text=alt.Text("influence:Q", format=".3f"),
        color=alt.condition(f"abs(datum.influence) > {0.55 * most}", alt.value("white"), alt.value(INK)),
    )
    return (cells + text).properties(width=240, height=190)


_JACCARD_EDGES = [0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.01]
_JACCARD_BINS = [f"{low:.0%} – {min(high, 1):.0%}" for low, high in itertools.pairwise(_JACCARD_EDGES)]
_EVENTS = {"contracts": "come closer", "expands": "part"}


def masked_input_bars(contraction: Contraction) -> str:
    """How often a mask brings two users together or parts them, by how much they share, and the bounds."""
    title = "clicks in common, of all clicks of both (Jaccard)"
    axis = alt.Axis(labelAngle=0, labelFontSize=9)
    base = alt.Chart(inline(_masked_inputs(contraction.pairs))).encode(
        x=alt.X("bin:N", sort=_JACCARD_BINS, title=title, axis=axis)
    )
    share = alt.Y("measured:Q", title="share of masks", axis=_percent_axis(), scale=alt.Scale(domain=[0, 1]))
    bars = base.mark_bar(size=22, color=BAR, cornerRadiusEnd=2).encode(y=share)
    ticks = base.mark_tick(color=LINES[0], thickness=2.5, size=30).encode(y="bound:Q")
    events = list(_EVENTS.values())
    chart = (
        alt.layer(bars, ticks)
        .properties(width=420, height=190)
        .facet(column=alt.Column("event:N", sort=events, title=None, header=header("datum.value")))
    )
    return svg(chart)


def _masked_inputs(pairs: pl.DataFrame) -> pl.DataFrame:
    """Means over the pairs of each bin of Jaccard similarity, for each event."""
    jaccard = (pairs["shared"] / (pairs["l1"] + pairs["shared"])).fill_nan(1.0).to_numpy()
    bins = pl.Series([_JACCARD_BINS[i] for i in np.digitize(jaccard, _JACCARD_EDGES[1:-1])])
    groups = pairs.with_columns(bin=bins).group_by("bin")
    frames = [
        groups.agg(measured=pl.col(event).mean(), bound=pl.col(f"{event}_low").mean(), pairs=pl.len())
        for event in _EVENTS
    ]
    labelled = zip(frames, _EVENTS.values(), strict=True)
    return pl.concat([frame.with_columns(event=pl.lit(label)) for frame, label in labelled])


def drift_curves(models: Models) -> str:
    """How drift differs between users, and how far their means move: one line per model."""
    shares = np.linspace(0, 1, 41)
    frames = []
    for name, geometry in models.items():
        for what, values in (
            ("drift: share of nearest users that two masks do not agree on", geometry.drift.drift),
            ("variance of a user's mean over masks, of that between users", geometry.drift.relative_variance),
        ):
            frame = pl.DataFrame({"value": np.quantile(values, shares), "users": shares})
            frames.append(frame.with_columns(model=pl.lit(name), what=pl.lit(what)))
    title = alt.Header(labelFontSize=12, labelFontWeight="bold", labelColor=INK)
    chart = (
        alt.Chart(inline(pl.concat(frames)))
        .mark_line(strokeWidth=2.2, interpolate="monotone")
        .encode(
            x=alt.X("value:Q", title=None),
            y=alt.Y("users:Q", title="share of users below", axis=_percent_axis()),
            color=_colour(models),
        )
        .properties(width=400, height=200)
        .facet(column=alt.Column("what:N", title=None, header=title))
        .resolve_scale(x="independent")
    )
    return svg(chart)


def unit_curves(models: Models) -> str:
    """Variance of each unit between users and its KL, largest first."""
    frames = []
    for name, geometry in models.items():
        curves = {"variance of the unit's mean between users": geometry.collapse.variances}
        if geometry.collapse.divergence is not None:
            curves["KL of the unit, nats"] = geometry.collapse.divergence.by_unit
        for what, values in curves.items():
            ordered = np.maximum(np.sort(values)[::-1], 1e-6)
            frame = pl.DataFrame({"unit": np.arange(1, len(ordered) + 1), "value": ordered})
            frames.append(frame.with_columns(model=pl.lit(name), what=pl.lit(what)))
    axis = alt.Axis(tickCount=5, format="~g")
    chart = (
        alt.Chart(inline(pl.concat(frames)))
        .mark_line(strokeWidth=2.2)
        .encode(
            x=alt.X("unit:Q", title="units, largest first"),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(type="log"), axis=axis),
            color=_colour(models),
        )
        .properties(width=400, height=200)
        .facet(column=alt.Column("what:N", sort="descending", title=None, header=header("datum.value")))
        .resolve_scale(y="independent")
    )
    return svg(chart)


def _colour(models: Models, legend: bool = True) -> Any:
    shown = alt.Legend(symbolOpacity=1, orient="top") if legend and len(models) > 1 else None
    scale = alt.Scale(domain=list(models), range=LINES[: len(models)])
    return alt.Color("model:N", sort=list(models), title=None, scale=scale, legend=shown)


def _model_axis(models: Models) -> Any:
    """One row per model, named where there are several."""
    axis = alt.Axis(labels=len(models) > 1, ticks=False)
    return alt.Y("model:N", sort=list(models), title=None, axis=axis)


def _percent_axis() -> Any:
    return alt.Axis(format=".0%", tickCount=5)
