"""MARec at cuts in time: what a backbone fitted and aligned before each shows to the users after it."""

from collections.abc import Callable, Sequence

import numpy as np

from isotherm.features.encoded_items import EncodedItems
from isotherm.linalg.csr import column_counts, row_blocks
from isotherm.linalg.gram import gram
from isotherm.models.cold_start.calibration import user_ndcgs
from isotherm.models.cold_start.item_trend import popularity_trend
from isotherm.models.cold_start.new_item_share import CutInTime, lists_by_factors, sampled_histories
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.marec.backbones.base import AlignedBackbone
from isotherm.models.marec.warm_clicks import WarmClicks

#: from clicks, and the metadata of all items of their catalogue, to the backbone
Align = Callable[[WarmClicks, EncodedItems], AlignedBackbone]


def cut_in_time(
    split: PseudoColdSplit, encoded: EncodedItems, align: Align, powers: Sequence[float], seed: int
) -> list[CutInTime]:
    """What is shown at one cut, for each power of the items' trend.

    encoded: metadata of the clicked items, the catalogue here.
    """
    clicks, kept, hidden = split.kept_clicks, split.kept_items, split.hidden_items
    product = gram(row_blocks(clicks, clicks.shape[0]), len(kept))
    n_items, counts = split.train.shape[1], column_counts(clicks)
    aligned = align(WarmClicks(n_items, kept, hidden, counts, clicks, product), encoded)
    assert split.train_times is not None
    trend = popularity_trend(clicks, split.train_times)
    factors = [None, *((trend**power).astype(np.float32) for power in powers)]
    sample = sampled_histories(split.train, seed)
    alone, *tested = lists_by_factors(aligned.scores, split.known, kept, hidden, factors)
    _, *fitted = lists_by_factors(aligned.scores, sample, kept, hidden, factors)
    reference = user_ndcgs(alone.lists.warm.columns, split.targets)
    return [
        CutInTime(*lists, split.targets, reference, len(hidden), split.new_item_share)
        for lists in zip(fitted, tested, strict=True)
    ]
