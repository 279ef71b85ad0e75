"""Maps of the geometry page as SVG text: users and anchors on a plane."""

from typing import Any

import numpy as np
import polars as pl

from isotherm.geometry.maps import LatentMap
from isotherm.report.drawing import alt
from isotherm.report.figures import INK, LINES, inline, svg
from isotherm.report.geometry.summaries import Models
from isotherm.types import Float64

_PAGE_WIDTH, _GAP, _LARGEST = 940, 20, 440
_ANCHOR_WIDTH, _ANCHOR_HEIGHT = 860, 430
_LETTER, _LINE = 5.6, 13  # width of a letter and height of a line of a title
_LONGEST_TITLE = 28


def user_maps(models: Models, plane: str, colour: str) -> str:
    """Users on a plane, one panel a model.  plane: "pca" or "tsne".  colour: "clicks" or "taste"."""
    size = min(_LARGEST, (_PAGE_WIDTH - _GAP * (len(models) - 1)) // len(models))
    panels = [
        _user_map(geometry.map, plane, colour).properties(width=size, height=size, title=name)
        for name, geometry in models.items()
    ]
    return svg(alt.hconcat(*panels))


def _user_map(latent_map: LatentMap, plane: str, colour: str) -> Any:
    users = latent_map.users
    shown = users.filter(pl.col("clicks") != "") if colour == "clicks" else users
    order = _fewest_clicks_first(shown["clicks"]) if colour == "clicks" else _largest_first(shown["taste"])
    x = alt.X(f"{plane}_x:Q", title=None, axis=None)
    y = alt.Y(f"{plane}_y:Q", title=None, axis=None)
    scale = alt.Scale(domain=order, range=LINES[: len(order)])
    legend = alt.Legend(orient="bottom", columns=3, labelLimit=220, symbolOpacity=1)
    dots = (
        alt.Chart(inline(shown))
        .mark_circle(size=26, opacity=0.65)
        .encode(x=x, y=y, color=alt.Color(f"{colour}:N", sort=order, title=None, scale=scale, legend=legend))
    )
    if not latent_map.anchors.height:
        return alt.layer(dots)
    anchors = alt.Chart(inline(latent_map.anchors)).encode(x=x, y=y)
    return alt.layer(dots, anchors.mark_point(shape="diamond", size=28, color=INK, filled=True, opacity=0.75))


def _fewest_clicks_first(groups: pl.Series) -> list[str]:
    """Groups of users named "about N clicks" by N."""
    return sorted(set(groups), key=lambda text: int(text.split()[1]))


def _largest_first(tastes: pl.Series) -> list[str]:
    """Tastes by the users who have them, "other" last."""
    counts = tastes.value_counts(sort=True)[tastes.name].to_list()
    return [name for name in counts if name != "other"] + [name for name in counts if name == "other"]


def anchor_map(latent_map: LatentMap) -> str:
    """Anchors of the most clicked items on the plane of the anchors, with as many titles as fit."""
    rows = latent_map.anchors
    x, y = (rows[name].to_numpy() for name in ("anchors_x", "anchors_y"))
    left = (x - x.min()) / max(np.ptp(x), 1e-12) * _ANCHOR_WIDTH
    top = (y.max() - y) / max(np.ptp(y), 1e-12) * _ANCHOR_HEIGHT
    shown = pl.Series(_titles_that_fit(left, top, rows["title"].to_list()))
    base = alt.Chart(inline(rows.with_columns(shown=shown))).encode(
        x=alt.X("anchors_x:Q", axis=None, scale=alt.Scale(nice=False, padding=6)),
        y=alt.Y("anchors_y:Q", axis=None, scale=alt.Scale(nice=False, padding=6)),
    )
    dots = base.mark_point(shape="diamond", size=36, color=LINES[0], filled=True)
    names = base.mark_text(align="left", dx=7, fontSize=10.5, color=INK).encode(text="shown:N")
    return svg(alt.layer(dots, names).properties(width=_ANCHOR_WIDTH, height=_ANCHOR_HEIGHT))


def _titles_that_fit(left: Float64, top: Float64, titles: list[str]) -> list[str]:
    """The title of each dot, shortened; "" where it would lie on another title or on a dot.

    left, top: (n,) of the dots, in pixels.
    """
    boxes: list[tuple[float, float, float]] = []  # left, right and top of the titles so far
    shown = []
    for x, y, title in zip(left, top, titles, strict=True):
        text = title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…"
        right = x + 8 + _LETTER * len(text)
        clash = any(x < r and right > a and abs(y - t) < _LINE for a, r, t in boxes)
        clash |= bool(((left > x + 8) & (left < right) & (abs(top - y) < 7)).any())
        shown.append("" if clash else text)
        if not clash:
            boxes.append((x, right, y))
    return shown
