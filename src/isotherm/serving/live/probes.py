"""Whether a loaded model answers as it must, before it goes on the air."""

import time
from collections.abc import Sequence

import numpy as np

from isotherm.errors import ModelFolderError
from isotherm.models.scorer import evenly
from isotherm.serving.catalogue.items import Id
from isotherm.serving.catalogue.snapshot import Snapshot
from isotherm.serving.live.filters import history_of, shown_items
from isotherm.serving.live.lists import best_items, scores_of
from isotherm.serving.live.requests import Asker, Rules

_N, _K = 20, 20


def probe_histories(snapshot: Snapshot, n: int = _N) -> list[list[tuple[Id, float]]]:
    """The histories of some fitted users, at even distances."""
    histories = snapshot.model.histories_of(evenly(np.arange(len(snapshot.model.users_)), n))
    lists = []
    for row in range(histories.shape[0]):
        entries = slice(histories.indptr[row], histories.indptr[row + 1])
        items = snapshot.model.items_.take(histories.indices[entries]).to_list()
        lists.append(list(zip(items, histories.data[entries].tolist(), strict=True)))
    return lists


def check_answers(snapshot: Snapshot, histories: Sequence[Sequence[tuple[Id, float]]]) -> int:
    """How many histories are answered. Raises ModelFolderError where the model knows none of their items,
    where one is answered by nothing though there are items to show, or by scores that are not finite."""
    now, n_known = time.time(), 0
    for history in histories:
        clicks = history_of(snapshot, Asker(history=history), "ignore")
        shown, _ = shown_items(snapshot, Rules(), clicks.seen, now)
        top = best_items(snapshot, scores_of(snapshot, clicks.clicks)[0], _K, shown, Rules())
        if shown.any() and not top.columns.size:
            raise ModelFolderError("the model answers a probe with an empty list; it stays off the air")
        n_known += bool(clicks.clicks.nnz)
    if any(len(history) for history in histories) and not n_known:
        raise ModelFolderError(
            "the model knows no item of any probe: was it fitted on another catalogue? it stays off the air"
        )
    return len(histories)
