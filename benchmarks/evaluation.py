"""Evaluation of 10,000 users × 20,000 items from a dense scorer against the matrix products alone."""

import numpy as np
from common import interleaved, report, size, uniform_clicks
from scipy.sparse import csr_array

from isotherm import Interactions, progress
from isotherm.data.splits import mixed
from isotherm.evaluation.candidates import candidate_sets
from isotherm.evaluation.lists import ranked_lists
from isotherm.evaluation.measures import measure_lists
from isotherm.linalg.csr import row_blocks
from isotherm.memory import users_per_block
from isotherm.models.base import Recommender

N_USERS, N_ITEMS, RANK, PER_USER = size((10_000, 20_000, 200, 60), (200, 100, 8, 20))


class Factors(Recommender):
    """A dense scorer: user factors · item factors, as any matrix factorization scores."""

    name = "factors"

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.items = rng.standard_normal((RANK, N_ITEMS)).astype(np.float32)
        self.users = rng.standard_normal((512, RANK)).astype(np.float32)

    def _fit(self, clicks, items, options) -> None:
        """Nothing to learn."""

    def _score(self, user_items: csr_array) -> np.ndarray:
        """(n_users, n_items) float32."""
        rows = np.resize(self.users, (user_items.shape[0], RANK))
        return rows @ self.items


def main() -> None:
    progress.watch_with("silent")
    split = mixed(Interactions.from_csr(uniform_clicks(N_USERS, N_ITEMS, PER_USER)), seed=0)
    model, sets = Factors(), candidate_sets(split)
    model.users_, model.items_, model.clicks_ = split.train.users, split.train.items, split.train.matrix

    def products() -> None:
        for block in row_blocks(split.histories.matrix, users_per_block(N_ITEMS)):
            model.score(block)

    def evaluation(some) -> None:
        lists = ranked_lists(model, split, some, 25)
        measure_lists(lists, split, some, [10, 25], 0)

    evaluation(sets)
    seconds = interleaved(
        7,
        products=products,
        ranking=lambda: ranked_lists(model, split, sets[:1], 25),
        one=lambda: evaluation(sets[:1]),
        three=lambda: evaluation(sets),
    )
    ratio = {name: value / seconds["products"] for name, value in seconds.items()}
    report(
        "evaluation",
        [
            {"what": "all candidates: ranking / products", "measured": ratio["ranking"], "target": "<= 1.5"},
            {
                "what": "all candidates: 12 metrics and intervals too",
                "measured": ratio["one"],
                "target": "<= 1.5",
            },
            {"what": "cold, warm and all: the same, three rankings", "measured": ratio["three"]},
        ],
        shape=[split.histories.n_users, N_ITEMS],
        rank=RANK,
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
