"""Maps of the latent space: users, by clicks and by taste, and anchors on a plane, by PCA and t-SNE."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from sklearn.utils.extmath import randomized_svd

from isotherm.data import Items
from isotherm.linalg.csr import binary, column_counts
from isotherm.streams import stream, stream_seed
from isotherm.types import Float32, Float64, Int64, Strings

CLICKS = (5, 50, 350)  #: users of about so many clicks
_EACH = 110  # users of each of these
_MORE = 220  # users drawn from all
_ANCHORS = 60
_TASTES = 6
_MOST_VALUES = 60  # of a categories field that can stand for taste


@dataclass(frozen=True)
class MapUsers:
    """Who is on the maps, the same users for every model.

    rows: (n,) of the histories.  clicks: (n,) "about 5 clicks" …, "" for users drawn from all.
    taste: (n,) names of tastes.
    items: (m,) columns of the items whose anchors are shown, most clicked first.  titles: (m,) of them.
    """

    rows: Int64
    clicks: Strings
    taste: Strings
    items: Int64
    titles: list[str]


def choose_map_users(
    histories: csr_array, titles: Sequence[str], items: Items | None = None, seed: int = 0
) -> MapUsers:
    """Choose users by clicks and more at random, and name their tastes.

    titles: of every item, by column.  items: the item table in the order of the columns, or None. Taste is
    the value of a categories field that a user clicked more than others do; without one, the cluster of the
    user's clicks.
    """
    rng = stream(seed, "users on the map")
    lengths = np.diff(histories.indptr)
    group = np.full(len(lengths), "", dtype="<U24")
    each = min(_EACH, len(lengths) // 6)
    order = rng.permutation(len(lengths))
    for wanted in CLICKS:
        apart = np.abs(np.log(lengths[order] / wanted))
        apart[group[order] != ""] = np.inf
        chosen = order[np.argsort(apart, kind="stable")[:each]]
        group[chosen] = f"about {np.median(lengths[chosen]):.0f} clicks"
    others = order[group[order] == ""][:_MORE]
    rows = np.sort(np.concatenate([np.flatnonzero(group != ""), others]))
    popular = np.argsort(-column_counts(histories), kind="stable")
    shown = popular[: min(_ANCHORS, histories.shape[1])]
    taste = _tastes(histories, rows, titles, items, seed)
    return MapUsers(rows, group[rows], taste, shown, [titles[i] for i in shown])


def _tastes(
    histories: csr_array, rows: Int64, titles: Sequence[str], items: Items | None, seed: int
) -> Strings:
    """The taste of each of the users at ``rows``; the rarer ones are «other»."""
    ones = binary(histories)
    field = None if items is None else _taste_field(items)
    if items is None or field is None:
        best = _clusters(ones, titles, seed)[rows]
    else:
        best = _favourites(ones, *_indicators(items, field))[rows]
    names, counts = np.unique(best, return_counts=True)
    kept = set(names[np.argsort(-counts, kind="stable")[:_TASTES]])
    return np.array([name if name in kept else "other" for name in best])


def _favourites(ones: csr_array, values: list[str], table: Float64) -> Strings:
    """The value that each user clicked most above everybody's share of it, in standard deviations."""
    totals = np.asarray(ones @ table)
    expected = totals.sum(axis=1, keepdims=True) * (totals.sum(axis=0) / totals.sum())
    return np.asarray(np.array(values)[((totals - expected) / np.sqrt(expected + 1)).argmax(axis=1)])


def _clusters(ones: csr_array, titles: Sequence[str], seed: int) -> Strings:
    """The cluster of each user's clicks, named by its most typical item."""
    rank = min(20, min(ones.shape) - 1)
    drawn = stream_seed(seed, "singular vectors of taste")
    left, sizes, _ = randomized_svd(ones.astype(np.float64), rank, random_state=drawn)
    places = left * sizes
    places /= np.maximum(np.linalg.norm(places, axis=1, keepdims=True), 1e-12)
    drawn = stream_seed(seed, "clusters of taste")
    groups = KMeans(min(_TASTES, len(places)), n_init=3, random_state=drawn).fit_predict(places)
    share = np.stack([np.asarray(ones[groups == g].mean(axis=0)).ravel() for g in range(groups.max() + 1)])
    overall = np.asarray(ones.mean(axis=0)).ravel()
    typical = ((share - overall) / np.sqrt(overall + 1e-4)).argmax(axis=1)
    return np.asarray(np.array([f"like «{titles[int(i)]}»" for i in typical])[groups])


def _taste_field(items: Items) -> str | None:
    """The categories field with the most filled items among those of few values."""
    fit = {}
    for name, kind in items.kinds.items():
        if kind == "categories" and 2 <= items.column(name).explode().drop_nulls().n_unique() <= _MOST_VALUES:
            fit[name] = int((~items.is_missing(name)).sum())
    return max(fit, key=lambda name: fit[name]) if fit else None


def _indicators(items: Items, field: str) -> tuple[list[str], Float64]:
    """Values of a categories field, and (n_items, n_values) 1 where an item has it."""
    column = pl.DataFrame({"row": np.arange(len(items)), "value": items.column(field)})
    listed = column.explode("value").drop_nulls()
    values = sorted(listed["value"].unique().to_list())
    place = {value: number for number, value in enumerate(values)}
    table = np.zeros((len(items), len(values)))
    table[listed["row"].to_numpy(), [place[value] for value in listed["value"]]] = 1
    return values, table


@dataclass(frozen=True)
class Map:
    """One model's map.

    users: x, y of PCA ("pca_x", "pca_y") and t-SNE ("tsne_x", "tsne_y"), clicks, taste; one row a user.
    anchors: the same places, title, and own_x, own_y on the anchors' own PCA plane; no rows without anchors.
    explained: share of the variance of the means that the PCA's plane holds.  same_taste: share of the users'
    ten nearest users on the map, by the whole mean, who have their taste; by_chance: of all users on the map.
    """

    users: pl.DataFrame
    anchors: pl.DataFrame
    explained: float
    same_taste: float
    by_chance: float


def map_latent_space(means: Float32, anchors: Float32 | None, chosen: MapUsers, seed: int = 0) -> Map:
    """Places of the chosen users' means (n_users, latent) and of the anchors (n_items, latent)."""
    mine = means[chosen.rows].astype(np.float64)
    centre = means.mean(axis=0, dtype=np.float64)
    _, sizes, axes = np.linalg.svd(mine - mine.mean(axis=0), full_matrices=False)
    marks = np.zeros((0, mine.shape[1])) if anchors is None else anchors[chosen.items].astype(np.float64)
    points = np.concatenate([mine, marks])
    flat = (points - centre) @ axes[:2].T
    if flat.shape[1] < 2:
        flat = np.concatenate([flat, np.zeros((len(flat), 1))], axis=1)
    perplexity = min(30.0, max(2.0, (len(points) - 1) / 4))
    size = flat[:, 0].std()
    start = 1e-4 * flat / size if size > 0 else stream(seed, "start of the map").normal(0, 1e-4, flat.shape)
    drawn = stream_seed(seed, "t-SNE")
    tsne = TSNE(perplexity=perplexity, init=start.astype(np.float32), random_state=drawn, max_iter=600)
    spread = tsne.fit_transform(points)
    places = pl.DataFrame(
        {"pca_x": flat[:, 0], "pca_y": flat[:, 1], "tsne_x": spread[:, 0], "tsne_y": spread[:, 1]}
    ).cast(pl.Float64)
    n = len(mine)
    own = _plane(marks)
    return Map(
        places[:n].with_columns(clicks=pl.Series(chosen.clicks), taste=pl.Series(chosen.taste)),
        places[n:].with_columns(
            title=pl.Series(chosen.titles[: len(marks)], dtype=pl.String),
            own_x=pl.Series(own[:, 0]),
            own_y=pl.Series(own[:, 1]),
        ),
        float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-30)),
        *_alike(mine, chosen.taste),
    )


def _plane(points: Float64) -> Float64:
    """Points (n, width) on their own plane of largest variance, (n, 2)."""
    if not len(points):
        return np.zeros((0, 2))
    centred = points - points.mean(axis=0)
    flat = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    return np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))


def _alike(means: Float64, taste: Strings) -> tuple[float, float]:
    """Share of ten nearest users with one's taste, and of all others."""
    apart = cdist(means, means)
    np.fill_diagonal(apart, np.inf)
    same = taste[:, None] == taste
    near = apart.argpartition(min(10, len(taste) - 2), axis=1)[:, : min(10, len(taste) - 1)]
    others = (same.sum() - len(taste)) / (len(taste) * (len(taste) - 1))
    return float(np.take_along_axis(same, near, axis=1).mean()), float(others)
