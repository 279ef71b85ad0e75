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
from isotherm.linalg.cosine import unit_rows
from isotherm.linalg.csr import binary, column_counts
from isotherm.streams import stream, stream_seed
from isotherm.types import Float32, Float64, ItemIndex, Strings, UserIndex, UserItems

CLICK_GROUPS = (5, 50, 350)  #: users of about so many clicks
_USERS_OF_GROUP = 110
_OTHER_USERS = 220  # drawn from all
_ANCHORS = 60
_TASTES = 6
_MOST_VALUES = 60  # of a categories field that can stand for taste
_NEAREST = 10


@dataclass(frozen=True)
class MapUsers:
    """Who is on the maps, the same users for every model.

    rows: (n,) of the histories.  clicks: (n,) "about 5 clicks" …, "" for users drawn from all.
    taste: (n,) names of tastes.
    items: (m,) columns of the items whose anchors are shown, most clicked first.  titles: (m,) of them.
    """

    rows: UserIndex
    clicks: Strings
    taste: Strings
    items: ItemIndex
    titles: list[str]


def choose_map_users(
    histories: UserItems, titles: Sequence[str], items: Items | None = None, seed: int = 0
) -> MapUsers:
    """Choose users by clicks and more at random, and name their tastes.

    titles: of every item, by column.  items: the item table in the order of the columns, or None. Taste is
    the value of a categories field that a user clicked more than others do; without one, the cluster of the
    user's clicks.
    """
    order = stream(seed, "users on the map").permutation(histories.shape[0])
    groups = _click_groups(np.diff(histories.indptr), order)
    others = order[groups[order] == ""][:_OTHER_USERS]
    rows = np.sort(np.concatenate([np.flatnonzero(groups != ""), others]))
    shown = np.argsort(-column_counts(histories), kind="stable")[:_ANCHORS]
    tastes = _tastes(histories, rows, titles, items, seed)
    return MapUsers(rows, groups[rows], tastes, shown, [titles[i] for i in shown])


def _click_groups(lengths: ItemIndex, order: UserIndex) -> Strings:
    """Name of the group of each user, (n_users,), "" outside of all.  order: of the users, for ties."""
    groups = np.full(len(lengths), "", dtype="<U24")
    size = min(_USERS_OF_GROUP, len(lengths) // 6)
    for clicks in CLICK_GROUPS:
        distance = np.abs(np.log(lengths[order] / clicks))
        distance[groups[order] != ""] = np.inf
        chosen = order[np.argsort(distance, kind="stable")[:size]]
        groups[chosen] = f"about {np.median(lengths[chosen]):.0f} clicks"
    return groups


def _tastes(
    histories: UserItems, rows: UserIndex, titles: Sequence[str], items: Items | None, seed: int
) -> Strings:
    """The taste of each of the users at ``rows``; the rarer ones are «other»."""
    ones = binary(histories)
    field = None if items is None else _taste_field(items)
    if items is None or field is None:
        tastes = _clusters(ones, titles, seed)[rows]
    else:
        tastes = _Indicators.of(items, field).favourites(ones)[rows]
    names, counts = np.unique(tastes, return_counts=True)
    common = set(names[np.argsort(-counts, kind="stable")[:_TASTES]])
    return np.array([taste if taste in common else "other" for taste in tastes])


def _taste_field(items: Items) -> str | None:
    """The categories field with the most filled items among those of few values."""
    filled = {}
    for name, kind in items.kinds.items():
        if kind == "categories" and 2 <= items.column(name).explode().drop_nulls().n_unique() <= _MOST_VALUES:
            filled[name] = int((~items.is_missing(name)).sum())
    return max(filled, key=lambda name: filled[name]) if filled else None


@dataclass(frozen=True)
class _Indicators:
    """A categories field.  values: its values.  table: (n_items, n_values) 1 where an item has it."""

    values: list[str]
    table: Float64

    @classmethod
    def of(cls, items: Items, field: str) -> "_Indicators":
        column = pl.DataFrame({"row": np.arange(len(items)), "value": items.column(field)})
        listed = column.explode("value").drop_nulls()
        values = sorted(listed["value"].unique().to_list())
        number = {value: i for i, value in enumerate(values)}
        table = np.zeros((len(items), len(values)))
        table[listed["row"].to_numpy(), [number[value] for value in listed["value"]]] = 1
        return cls(values, table)

    def favourites(self, ones: UserItems) -> Strings:
        """The value that each user clicked most above all users' share of it, in standard deviations."""
        totals = np.asarray(ones @ self.table)
        expected = totals.sum(axis=1, keepdims=True) * (totals.sum(axis=0) / totals.sum())
        return np.asarray(np.array(self.values)[((totals - expected) / np.sqrt(expected + 1)).argmax(axis=1)])


def _clusters(ones: UserItems, titles: Sequence[str], seed: int) -> Strings:
    """The cluster of each user's clicks, named by its most typical item."""
    rank = min(20, min(ones.shape) - 1)
    state = stream_seed(seed, "singular vectors of taste")
    left, sizes, _ = randomized_svd(ones.astype(np.float64), rank, random_state=state)
    points = unit_rows(left * sizes)
    state = stream_seed(seed, "clusters of taste")
    clusters = KMeans(min(_TASTES, len(points)), n_init=3, random_state=state).fit_predict(points)
    shares = np.stack([_item_shares(ones[clusters == c]) for c in range(clusters.max() + 1)])
    overall = _item_shares(ones)
    typical = ((shares - overall) / np.sqrt(overall + 1e-4)).argmax(axis=1)
    return np.asarray(np.array([f"like «{titles[int(i)]}»" for i in typical])[clusters])


def _item_shares(ones: csr_array) -> Float64:
    """Share of the users that clicked each item, (n_items,)."""
    return np.asarray(ones.mean(axis=0)).ravel()


@dataclass(frozen=True)
class LatentMap:
    """The map of one model.

    users: x, y of PCA ("pca_x", "pca_y") and t-SNE ("tsne_x", "tsne_y"), clicks, taste; one row per user.
    anchors: the same of the anchors, title, and anchors_x, anchors_y on the PCA plane of the anchors alone;
    no rows without anchors.
    explained: share of the variance of the means that the PCA's plane holds.  same_taste: share of the users'
    ten nearest users on the map, by the whole mean, who have their taste; by_chance: of all users on the map.
    """

    users: pl.DataFrame
    anchors: pl.DataFrame
    explained: float
    same_taste: float
    by_chance: float


def map_latent_space(means: Float32, anchors: Float32 | None, chosen: MapUsers, seed: int = 0) -> LatentMap:
    """Coordinates of the chosen users' means (n_users, latent) and of the anchors (n_items, latent)."""
    users = means[chosen.rows].astype(np.float64)
    shown = np.zeros((0, users.shape[1])) if anchors is None else anchors[chosen.items].astype(np.float64)
    points = np.concatenate([users, shown])
    _, sizes, axes = np.linalg.svd(users - users.mean(axis=0), full_matrices=False)
    pca = _two_columns((points - means.mean(axis=0, dtype=np.float64)) @ axes[:2].T)
    tsne = _tsne(points, pca, seed)
    coordinates = pl.DataFrame(
        {"pca_x": pca[:, 0], "pca_y": pca[:, 1], "tsne_x": tsne[:, 0], "tsne_y": tsne[:, 1]}
    ).cast(pl.Float64)
    n_users, plane = len(users), _anchor_plane(shown)
    return LatentMap(
        coordinates[:n_users].with_columns(clicks=pl.Series(chosen.clicks), taste=pl.Series(chosen.taste)),
        coordinates[n_users:].with_columns(
            title=pl.Series(chosen.titles[: len(shown)], dtype=pl.String),
            anchors_x=pl.Series(plane[:, 0]),
            anchors_y=pl.Series(plane[:, 1]),
        ),
        float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-30)),
        _same_taste_nearby(users, chosen.taste),
        _same_taste_by_chance(chosen.taste),
    )


def _tsne(points: Float64, pca: Float64, seed: int) -> Float32:
    """t-SNE (n, 2) of points (n, latent), from their plane of largest variance (n, 2) on."""
    perplexity = min(30.0, max(2.0, (len(points) - 1) / 4))
    size = pca[:, 0].std()
    start = 1e-4 * pca / size if size > 0 else stream(seed, "start of the map").normal(0, 1e-4, pca.shape)
    state = stream_seed(seed, "t-SNE")
    tsne = TSNE(perplexity=perplexity, init=start.astype(np.float32), random_state=state, max_iter=600)
    return np.asarray(tsne.fit_transform(points))


def _anchor_plane(anchors: Float64) -> Float64:
    """Anchors (n, latent) on their plane of largest variance, (n, 2)."""
    if not len(anchors):
        return np.zeros((0, 2))
    centred = anchors - anchors.mean(axis=0)
    return _two_columns(centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T)


def _two_columns(points: Float64) -> Float64:
    """Points (n, 1 or 2), with zeros where the second column is missing."""
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


def _same_taste_nearby(means: Float64, taste: Strings) -> float:
    """Share of the ten nearest users with a user's taste, mean over users."""
    distances = cdist(means, means)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argpartition(min(_NEAREST, len(taste) - 2), axis=1)
    nearest = nearest[:, : min(_NEAREST, len(taste) - 1)]
    return float(np.take_along_axis(taste[:, None] == taste, nearest, axis=1).mean())


def _same_taste_by_chance(taste: Strings) -> float:
    """Share of all pairs of users who have one taste."""
    same, n = (taste[:, None] == taste).sum(), len(taste)
    return float((same - n) / (n * (n - 1)))
