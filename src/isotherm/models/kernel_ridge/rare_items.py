"""Weight columns of items with few clicks, between what metadata and what their own clicks say of them."""

from dataclasses import dataclass

import numpy as np

from isotherm.kernels import kernel
from isotherm.models.kernel_ridge.columns import LeftOutPredictor, Scales, Users
from isotherm.models.kernel_ridge.warm_up import Evidence, WarmUp, new_item_scores, score_rms
from isotherm.progress import stage
from isotherm.threads import run_bands
from isotherm.types import Array, ItemIndex, ItemWeights


@dataclass(frozen=True, eq=False)
class RareItems:
    """items: (m,) of n clicked ones.  columns: their weights, (n, m)."""

    items: ItemIndex
    columns: ItemWeights


def blended(
    left_out: LeftOutPredictor,
    scales: Scales,
    warm_up: WarmUp,
    clicks: Array,
    ease_weights: ItemWeights,
    users: Users,
    mean_length: float,
) -> RareItems:
    """The columns of all items that are not settled yet.

    Where an item's direction is that of its clicks only their scale is blended, and metadata has no column.
    clicks: (n,) of each item.  ease_weights: B, (n, n).  users: some, by whose scores a column's root mean
    square is measured.  mean_length: n̄.
    """
    new_scores = new_item_scores(clicks)
    rare = np.flatnonzero(~warm_up.settled(clicks, new_scores))
    if not len(rare):
        return RareItems(rare, np.empty((len(clicks), 0), dtype=np.float32))
    by_clicks = warm_up.follows_clicks(clicks[rare])
    rare = np.concatenate([rare[~by_clicks], rare[by_clicks]])
    metadata_scores = left_out.scores(scales, users, mean_length)[:, rare]
    rms = score_rms(metadata_scores), score_rms(users.scores[:, rare])
    factors = warm_up.factors(Evidence(*rms, clicks[rare], new_scores[rare]))
    columns = np.zeros((len(clicks), len(rare)), dtype=np.float32)
    of_metadata = rare[: np.count_nonzero(~by_clicks)]
    with stage("predict items of few clicks", len(of_metadata), "items") as advance:
        for band, band_columns in left_out.columns(scales, of_metadata, ease_weights, mean_length):
            columns[:, band[0] : band[-1] + 1] = band_columns
            advance(len(band))
    run_bands(
        _blend, len(columns), columns, len(of_metadata), factors.metadata, ease_weights, rare, factors.ease,
        smallest=16,
    )  # fmt: skip
    return RareItems(rare, columns)


@kernel
def _blend(
    first: int,
    last: int,
    columns: Array,
    n_of_metadata: int,
    of_metadata: Array,
    ease: Array,
    items: Array,
    of_ease: Array,
) -> None:
    """columns = columns·of_metadata + ease·of_ease; those behind the first are of ease alone."""
    for i in range(first, last):
        row, weights = columns[i], ease[i]
        for j in range(n_of_metadata):
            row[j] = row[j] * of_metadata[j] + weights[items[j]] * of_ease[j]
        for j in range(n_of_metadata, len(row)):
            row[j] = weights[items[j]] * of_ease[j]
