"""Figures of the sweep's page as SVG text."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from isotherm.report.drawing import alt
from isotherm.report.figures import INK, LINES, header, inline, svg
from isotherm.report.sweep.labels import AXES, METRIC, METRIC_LABEL, TRADED

_NUMBERS = ("active", "rank", "near", "far_related")  # the other traded figures are shares


def tradeoffs(cells: pl.DataFrame, swept: Sequence[str]) -> str:
    """nDCG@100 against each traded figure; colour, shape and size say which cell a mark is.

    swept: axes with several values.
    """
    encodings = _axis_encodings(swept)
    panels = [_tradeoff(cells, name, encodings) for name in TRADED]
    return svg(alt.vconcat(*(alt.hconcat(*panels[i : i + 2]) for i in range(0, len(panels), 2))))


def _axis_encodings(swept: Sequence[str]) -> dict[str, Any]:
    encodings: dict[str, Any] = {}
    if "anchors" in swept:
        encodings["color"] = alt.Color(
            "anchors:O",
            title=AXES["anchors"],
            scale=alt.Scale(range=LINES),
            legend=alt.Legend(symbolOpacity=1),
        )
    if "keep" in swept:
        encodings["shape"] = alt.Shape("keep:O", title=AXES["keep"])
    if "beta" in swept:
        encodings["size"] = alt.Size("beta:O", title=AXES["beta"], scale=alt.Scale(range=[35, 180]))
    return encodings


def _tradeoff(cells: pl.DataFrame, name: str, encodings: dict[str, Any]) -> Any:
    axis = alt.Axis(tickCount=5, format="f" if name in _NUMBERS else "%")  # digits as ticks need
    base = alt.Chart(inline(cells.filter(pl.col(name).is_not_null()))).encode(
        x=alt.X(f"{name}:Q", title=TRADED[name], scale=alt.Scale(zero=False, nice=True), axis=axis)
    )
    y = alt.Y(f"{METRIC}:Q", title=METRIC_LABEL, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    bars = base.mark_rule(color="#b9c2cc", strokeWidth=1).encode(
        y=alt.Y(f"{METRIC}_low:Q", title=METRIC_LABEL), y2=f"{METRIC}_high:Q"
    )
    marks = base.mark_point(filled=True, opacity=0.85, size=70, color=LINES[0]).encode(y=y, **encodings)
    return alt.layer(bars, marks).properties(width=340, height=200)


def grid_heatmap(cells: pl.DataFrame, swept: Sequence[str], value: str, title: str) -> str:
    """One value as colour and number: keep × λ_A, a panel a β.  swept: axes with several values."""
    form = ".1%" if value == "drift" else ".4f"
    base = alt.Chart(inline(cells)).encode(
        x=alt.X("keep:O", axis=_axis("keep", swept)),
        y=alt.Y("anchors:O", axis=_axis("anchors", swept), sort="descending"),
    )
    colour = alt.Color(
        f"{value}:Q",
        title=title,
        scale=alt.Scale(scheme="yellowgreenblue"),
        legend=alt.Legend(format=form, tickCount=4),
    )
    values = cells[value].to_numpy()
    is_dark = f"datum['{value}'] > {(float(values.min()) + float(values.max())) / 2}"
    numbers = base.mark_text(fontSize=10.5).encode(
        text=alt.Text(f"{value}:Q", format=form),
        color=alt.condition(is_dark, alt.value("white"), alt.value(INK)),
    )
    width = min(80 * cells["keep"].n_unique(), 760 // cells["beta"].n_unique())
    height = 34 * cells["anchors"].n_unique()
    panels = (base.mark_rect().encode(color=colour) + numbers).properties(width=width, height=height)
    if "beta" not in swept:
        return svg(panels)
    return svg(panels.facet(column=alt.Column("beta:O", title=None, header=header("'β = ' + datum.value"))))


def _axis(axis: str, swept: Sequence[str]) -> Any:
    """None where the axis has one value."""
    return alt.Axis(title=AXES[axis], labelAngle=0) if axis in swept else None
