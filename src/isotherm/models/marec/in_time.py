"""MARec at cuts in time: what a backbone fitted and aligned before each shows to the users after it."""

from collections.abc import Callable

from isotherm.features.encoded_items import EncodedItems
from isotherm.linalg.csr import column_counts, row_blocks
from isotherm.linalg.gram import gram
from isotherm.models.cold_start.calibration import user_ndcgs
from isotherm.models.cold_start.new_item_share import CutInTime, lists_by, sampled_histories
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.marec.backbones.base import AlignedBackbone
from isotherm.models.marec.warm_clicks import WarmClicks

#: from clicks, and the metadata of all items of their catalogue, to the backbone
Align = Callable[[WarmClicks, EncodedItems], AlignedBackbone]


def cut_in_time(split: PseudoColdSplit, encoded: EncodedItems, align: Align, seed: int) -> CutInTime:
    """What new items do at one cut.  encoded: metadata of the clicked items, the catalogue here."""
    clicks, kept, hidden = split.kept_clicks, split.kept_items, split.hidden_items
    product = gram(row_blocks(clicks, clicks.shape[0]), len(kept))
    n_items, counts = split.train.shape[1], column_counts(clicks)
    aligned = align(WarmClicks(n_items, kept, hidden, counts, clicks, product), encoded)
    tested = lists_by(aligned.scores, split.known, kept, hidden)
    return CutInTime(
        lists_by(aligned.scores, sampled_histories(split.train, seed), kept, hidden),
        tested,
        split.targets,
        user_ndcgs(tested.lists.warm.columns, split.targets),
        len(hidden),
        split.new_item_share,
    )
