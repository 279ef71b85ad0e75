"""The item Gram matrix against SciPy's product and its floor, 20,000 users × 6,000 items × 60 clicks."""

import numpy as np
from common import interleaved, report, size, uniform_clicks
from numba import njit

from isotherm.linalg.gram import gram


@njit(cache=True)
def _additions(n: int, row: np.ndarray) -> None:
    """n multiply-adds into a row that stays in the first-level cache, as the inner loop of any Gram pass."""
    width = len(row)
    for i in range(n):
        row[(i * 977) % width] += np.float32(1.0)


def main() -> None:
    n_users, n_items, per_user = size((20_000, 6_000, 60), (200, 100, 10))
    x = uniform_clicks(n_users, n_items, per_user)
    ours, theirs = gram([x], n_items), (x.T @ x).toarray()
    assert np.array_equal(ours, theirs)
    updates = n_users * per_user**2
    row = np.zeros(n_items, dtype=np.float32)
    _additions(1, row)
    seconds = interleaved(
        7,
        ours=lambda: gram([x], n_items),
        scipy=lambda: (x.T @ x).toarray(),
        one_core=lambda: _additions(updates, row),
    )
    floor = seconds["one_core"] / 2  # both cores, nothing but the additions
    report(
        "gram",
        [
            {
                "what": "SciPy (X.T @ X).toarray() / ours",
                "measured": seconds["scipy"] / seconds["ours"],
                "target": ">= 8",
            },
            {
                "what": "ours / floor (n_u² additions a user, on two cores)",
                "measured": seconds["ours"] / floor,
            },
        ],
        shape=[n_users, n_items, per_user],
        updates=updates,
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
