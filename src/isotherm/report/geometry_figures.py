"""Figures of the geometry report as SVG text: one function a figure, models side by side or as colours."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from isotherm.geometry.study import Geometry
from isotherm.report.figures import BAR, INK, LINES, header, inline, svg

Models = Mapping[str, Geometry]

KINDS = {
    "random": "two users at random",
    "near": "a user and one of the nearest",
    "copy": "a user and a thinned copy",
}
STEPS = {
    "inside": "inside the radius, L from the Jacobian",
    "inside_secant": "inside the radius, L along the way",
    "closer": "gradients closer than u's is long",
    "aligned": "gradients agree",
    "helped": "the step helped",
}
REGIONS = ["near, related", "near, unrelated", "far, related", "far, unrelated"]
_WIDTH = 940


def ladder(models: Models) -> str:
    """Share of pairs by condition: a panel a kind of pair, a bar a model."""
    import altair as alt

    rows = pl.DataFrame(
        [
            {"model": name, "kind": KINDS[kind], "step": STEPS[step], "share": value.mean, "low": value.low}
            | {"high": value.high}
            for name, geometry in models.items()
            for kind, shares in geometry.influence.kinds.items()
            for step, value in shares.items()
            if step in STEPS
        ]
    )
    y = _model_axis(models)
    base = alt.Chart(inline(rows)).encode(y=y)
    bars = base.mark_bar(size=13, cornerRadiusEnd=2).encode(
        x=alt.X(
            "share:Q",
            title=None,
            scale=alt.Scale(domain=[0, 1.15]),
            axis=alt.Axis(format=".0%", values=[0, 0.5, 1]),
        ),
        color=_colour(models, legend=False),
    )
    labels = base.mark_text(align="left", dx=4, fontSize=11, color=INK).encode(
        x="share:Q", text=alt.Text("share:Q", format=".1%")
    )
    chart = (
        alt.layer(bars, labels)
        .properties(width=210, height=18 * len(models) + 6)
        .facet(
            column=alt.Column("kind:N", sort=list(KINDS.values()), title=None, header=header("datum.value")),
            row=alt.Row(
                "step:N", sort=list(STEPS.values()), title=None, header=header("datum.value", "left")
            ),
        )
    )
    return svg(chart)


def influence_curves(models: Models) -> str:
    """Measured influence over latent distance, before training and after."""
    import altair as alt

    parts = []
    for name, geometry in models.items():
        for when, found in (("before training", geometry.untrained), ("trained", geometry.influence)):
            unit = found.pairs.filter(kind="random")["w1_high"].median() or 1.0
            parts.append(
                found.curve.with_columns(
                    distance=pl.col("distance") / unit, model=pl.lit(name), when=pl.lit(when)
                )
            )
    base = alt.Chart(inline(pl.concat(parts))).encode(
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
    panels = [
        alt.layer(zero, *(mark.transform_filter(alt.datum.when == when) for mark in (band, line))).properties(
            width=400, height=250, title=when
        )
        for when in ("before training", "trained")
    ]
    return svg(alt.hconcat(*panels))


def region(row: Mapping[str, Any]) -> str:
    """Words for a row of ``Influence.regions``."""
    return f"{'far' if row['far'] else 'near'}, {'related' if row['related'] else 'unrelated'}"


def regions(models: Models) -> str:
    """Influence among random pairs: near or far by clicks, related or not."""
    import altair as alt

    parts = []
    for name, geometry in models.items():
        found = geometry.influence.regions
        labels = [region(row) for row in found.iter_rows(named=True)]
        parts.append(found.with_columns(region=pl.Series(labels), model=pl.lit(name)))
    y = _model_axis(models)
    rows = pl.concat(parts, how="diagonal").with_columns(label=pl.max_horizontal("high", pl.lit(0.0)))
    base = alt.Chart(inline(rows)).encode(y=y)
    bars = base.mark_bar(size=14, cornerRadiusEnd=2).encode(
        x=alt.X("influence:Q", title="influence", axis=alt.Axis(tickCount=5)),
        color=_colour(models, legend=False),
    )
    whiskers = base.mark_rule(color=INK, strokeWidth=1.4).encode(x="low:Q", x2="high:Q")
    labels_ = base.mark_text(align="left", dx=5, fontSize=11, color=INK).encode(
        x="label:Q", text=alt.Text("influence:Q", format=".4f")
    )
    chart = (
        alt.layer(bars, whiskers, labels_)
        .properties(width=560, height=20 * len(models) + 6)
        .facet(row=alt.Row("region:N", sort=REGIONS, title=None, header=header("datum.value", "left")))
    )
    return svg(chart)


def masked_inputs(geometry: Geometry) -> str:
    """How often a mask brings two users together or parts them, by how much they share, and the bounds."""
    import altair as alt

    edges = [0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.01]
    names = [f"{a:.0%} – {min(b, 1):.0%}" for a, b in itertools.pairwise(edges)]
    pairs = geometry.contraction.pairs.with_columns(
        jaccard=(pl.col("shared") / (pl.col("l1") + pl.col("shared"))).fill_nan(1.0)
    )
    place = np.digitize(pairs["jaccard"].to_numpy(), edges[1:-1])
    pairs = pairs.with_columns(bin=pl.Series([names[i] for i in place]))
    parts = [
        pairs.group_by("bin")
        .agg(measured=pl.col(event).mean(), bound=pl.col(f"{event}_low").mean(), pairs=pl.len())
        .with_columns(event=pl.lit(title))
        for event, title in (("contracts", "come closer"), ("expands", "part"))
    ]
    rows = pl.concat(parts)
    base = alt.Chart(inline(rows)).encode(
        x=alt.X(
            "bin:N",
            sort=names,
            title="clicks in common, of all clicks of both (Jaccard)",
            axis=alt.Axis(labelAngle=0, labelFontSize=9),
        )
    )
    bars = base.mark_bar(size=22, color=BAR, cornerRadiusEnd=2).encode(
        y=alt.Y("measured:Q", title="share of masks", axis=_percent_axis(), scale=alt.Scale(domain=[0, 1]))
    )
    ticks = base.mark_tick(color=LINES[0], thickness=2.5, size=30).encode(y="bound:Q")
    chart = (
        alt.layer(bars, ticks)
        .properties(width=420, height=190)
        .facet(
            column=alt.Column(
                "event:N", sort=["come closer", "part"], title=None, header=header("datum.value")
            )
        )
    )
    return svg(chart)


def drifts(models: Models) -> str:
    """How users' drift is spread, and how far their means move: one line a model."""
    import altair as alt

    parts = []
    for name, geometry in models.items():
        d = geometry.drift
        at = np.linspace(0, 1, 41)
        for what, values in (
            ("drift: share of nearest users that two masks do not agree on", d.drift),
            ("spread of a user's mean over masks, of the spread between users", d.relative_variance),
        ):
            parts.append(
                pl.DataFrame({"value": np.quantile(values, at), "users": at}).with_columns(
                    model=pl.lit(name), what=pl.lit(what)
                )
            )
    rows = pl.concat(parts)
    chart = (
        alt.Chart(inline(rows))
        .mark_line(strokeWidth=2.2, interpolate="monotone")
        .encode(
            x=alt.X("value:Q", title=None),
            y=alt.Y("users:Q", title="share of users below", axis=_percent_axis()),
            color=_colour(models),
        )
        .properties(width=400, height=200)
        .facet(
            column=alt.Column(
                "what:N",
                title=None,
                header=alt.Header(labelFontSize=12, labelFontWeight="bold", labelColor=INK),
            )
        )
        .resolve_scale(x="independent")
    )
    return svg(chart)


def units(models: Models) -> str:
    """Variance of each unit between users and its KL, largest first."""
    import altair as alt

    parts = []
    for name, geometry in models.items():
        c = geometry.collapse
        curves = {"variance of the unit's mean between users": c.variances}
        if c.divergence is not None:
            curves["KL of the unit, nats"] = c.divergence.by_unit
        for what, values in curves.items():
            ordered = np.maximum(np.sort(values)[::-1], 1e-6)
            parts.append(
                pl.DataFrame({"unit": np.arange(1, len(ordered) + 1), "value": ordered}).with_columns(
                    model=pl.lit(name), what=pl.lit(what)
                )
            )
    chart = (
        alt.Chart(inline(pl.concat(parts)))
        .mark_line(strokeWidth=2.2)
        .encode(
            x=alt.X("unit:Q", title="units, largest first"),
            y=alt.Y(
                "value:Q", title=None, scale=alt.Scale(type="log"), axis=alt.Axis(tickCount=5, format="~g")
            ),
            color=_colour(models),
        )
        .properties(width=400, height=200)
        .facet(column=alt.Column("what:N", sort="descending", title=None, header=header("datum.value")))
        .resolve_scale(y="independent")
    )
    return svg(chart)


def maps(models: Models, places: str, colour: str) -> str:
    """Users on a plane, one panel a model.  places: "pca" or "tsne".  colour: "clicks" or "taste"."""
    import altair as alt

    size = min(440, (_WIDTH - 20 * (len(models) - 1)) // len(models))
    panels = []
    for name, geometry in models.items():
        users = geometry.map.users
        shown = users.filter(pl.col("clicks") != "") if colour == "clicks" else users
        order = _by_clicks(shown["clicks"]) if colour == "clicks" else _by_size(shown["taste"])
        x = alt.X(f"{places}_x:Q", title=None, axis=None)
        y = alt.Y(f"{places}_y:Q", title=None, axis=None)
        dots = (
            alt.Chart(inline(shown))
            .mark_circle(size=26, opacity=0.65)
            .encode(
                x=x,
                y=y,
                color=alt.Color(
                    f"{colour}:N",
                    sort=order,
                    title=None,
                    scale=alt.Scale(domain=order, range=LINES[: len(order)]),
                    legend=alt.Legend(
                        orient="bottom",
                        columns=3,
                        labelLimit=220,
                        symbolOpacity=1,
                    ),
                ),
            )
        )
        layers: list[Any] = [dots]
        if geometry.map.anchors.height:
            base = alt.Chart(inline(geometry.map.anchors)).encode(x=x, y=y)
            layers.append(base.mark_point(shape="diamond", size=28, color=INK, filled=True, opacity=0.75))
        panels.append(alt.layer(*layers).properties(width=size, height=size, title=name))
    return svg(alt.hconcat(*panels))


def anchor_map(geometry: Geometry) -> str:
    """Anchors of the most clicked items on their own plane, with as many titles as fit."""
    import altair as alt

    rows = geometry.map.anchors
    width, height = 860, 430
    x, y = (rows[name].to_numpy() for name in ("anchors_x", "anchors_y"))
    at = np.stack(
        [(x - x.min()) / max(np.ptp(x), 1e-12) * width, (y.max() - y) / max(np.ptp(y), 1e-12) * height],
        axis=1,
    )
    boxes: list[tuple[float, float, float]] = []
    shown = []
    for (left, top), title in zip(at, rows["title"], strict=True):
        text = title if len(title) <= 28 else f"{title[:27]}…"
        right = left + 8 + 5.6 * len(text)
        clash = any(left < r and right > a and abs(top - t) < 13 for a, r, t in boxes)
        clash |= bool(((at[:, 0] > left + 8) & (at[:, 0] < right) & (abs(at[:, 1] - top) < 7)).any())
        shown.append("" if clash else text)
        if not clash:
            boxes.append((left, right, top))
    base = alt.Chart(inline(rows.with_columns(shown=pl.Series(shown)))).encode(
        x=alt.X("anchors_x:Q", axis=None, scale=alt.Scale(nice=False, padding=6)),
        y=alt.Y("anchors_y:Q", axis=None, scale=alt.Scale(nice=False, padding=6)),
    )
    dots = base.mark_point(shape="diamond", size=36, color=LINES[0], filled=True)
    names = base.mark_text(align="left", dx=7, fontSize=10.5, color=INK).encode(text="shown:N")
    return svg(alt.layer(dots, names).properties(width=width, height=height))


_AXES = {
    "shared": "shared clicks",
    "jaccard": "Jaccard",
    "l1": "ℓ₁ distance",
    "clicks_u": "clicks of u, who is helped",
    "clicks_v": "clicks of v, who steps",
}


def grids(geometry: Geometry) -> str:
    """Influence of random pairs by ℓ₁ and shared clicks or Jaccard, and by the clicks of both users."""
    import altair as alt

    found = geometry.influence
    panels = [
        _grid(rows, x, y)
        for rows, x, y in (
            (found.grids.by_l1_and_shared, "shared", "l1"),
            (found.grids.by_l1_and_jaccard, "jaccard", "l1"),
            (found.grids.by_clicks, "clicks_v", "clicks_u"),
        )
    ]
    return svg(alt.hconcat(*panels).resolve_scale(color="independent"))


def _grid(rows: pl.DataFrame, x: str, y: str) -> Any:
    import altair as alt

    most = float(rows["influence"].abs().max() or 1)  # type: ignore[arg-type]
    form = ".2f" if x == "jaccard" else ".0f"
    base = alt.Chart(inline(rows)).encode(
        x=alt.X(f"{x}:O", title=_AXES[x], axis=alt.Axis(labelAngle=0, format=form)),
        y=alt.Y(f"{y}:O", title=_AXES[y], sort="descending", axis=alt.Axis(format=".0f")),
    )
    scale = alt.Scale(domain=[-most, 0, most], range=[LINES[0], "#ffffff", LINES[1]], interpolate="rgb")
    cells = base.mark_rect().encode(color=alt.Color("influence:Q", legend=None, scale=scale))
    text = base.mark_text(fontSize=10).encode(
        text=alt.Text("influence:Q", format=".3f"),
        color=alt.condition(f"abs(datum.influence) > {0.55 * most}", alt.value("white"), alt.value(INK)),
    )
    return (cells + text).properties(width=240, height=190)


def _by_clicks(groups: pl.Series) -> list[str]:
    return sorted(set(groups), key=lambda text: int(text.split()[1]))


def _by_size(groups: pl.Series) -> list[str]:
    counts = groups.value_counts(sort=True)[groups.name].to_list()
    return [name for name in counts if name != "other"] + [name for name in counts if name == "other"]


def _colour(models: Models, legend: bool = True) -> Any:
    import altair as alt

    shown = alt.Legend(symbolOpacity=1, orient="top") if legend and len(models) > 1 else None
    scale = alt.Scale(domain=list(models), range=LINES[: len(models)])
    return alt.Color("model:N", sort=list(models), title=None, scale=scale, legend=shown)


def _model_axis(models: Models) -> Any:
    """One row a model, named where there are several."""
    import altair as alt

    axis = alt.Axis(labels=len(models) > 1, ticks=False)
    return alt.Y("model:N", sort=list(models), title=None, axis=axis)


def _percent_axis() -> Any:
    import altair as alt

    return alt.Axis(format=".0%", tickCount=5)
