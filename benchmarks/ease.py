"""EASE: the solve against numpy.linalg.inv and the GEMM floor, the fit against irspack, and its memory."""

import numpy as np
from common import gemm_flops, interleaved, peak_memory, report, size, uniform_clicks
from irspack.recommenders import DenseSLIMRecommender
from scipy.sparse import csr_matrix

from isotherm import EASE, Interactions, progress
from isotherm.linalg.cholesky import invert_in_place
from isotherm.linalg.gram import gram

SHAPE = size((20_000, 6_000, 60), (200, 100, 10))


def fit_setup(n_users: int, n_items: int, per_user: int):
    """A fit of EASE, ready to run, kernels compiled."""
    progress.watch_with("silent")
    small = Interactions.from_csr(uniform_clicks(100, 80, 10))
    EASE(l2=500.0).fit(small)
    clicks = Interactions.from_csr(uniform_clicks(n_users, n_items, per_user))
    return lambda: EASE(l2=500.0).fit(clicks).n_items


def main() -> None:
    progress.watch_with("silent")
    n_items = SHAPE[1]
    x = uniform_clicks(*SHAPE)
    clicks = Interactions.from_csr(x)
    regularized = gram([x], n_items)
    regularized.flat[:: n_items + 1] += 500
    work = np.empty_like(regularized)

    def ours() -> None:
        work[...] = regularized
        invert_in_place(work)

    solve = interleaved(
        5,
        ours=ours,
        copy=lambda: work.__setitem__(..., regularized),
        numpy=lambda: np.linalg.inv(regularized),
    )
    seconds = solve["ours"] - solve["copy"]
    floor = n_items**3 / gemm_flops()
    theirs = csr_matrix(x, dtype=np.float64)
    fit = interleaved(
        3,
        ours=lambda: EASE(l2=500.0).fit(clicks),
        irspack=lambda: DenseSLIMRecommender(theirs, reg=500).learn(),
    )
    their_weights = DenseSLIMRecommender(theirs, reg=500).learn().W
    ours_weights = EASE(l2=500.0).fit(clicks).weights_.warm
    difference = float(np.abs(ours_weights - their_weights).max())
    memory, _ = peak_memory(fit_setup, *SHAPE)
    report(
        "ease",
        [
            {
                "what": "numpy.linalg.inv (float32) / our solve",
                "measured": solve["numpy"] / seconds,
                "target": ">= 4",
            },
            {
                "what": "our solve / floor (n³ flops at the GEMM rate)",
                "measured": seconds / floor,
                "target": "<= 2",
            },
            {
                "what": "irspack DenseSLIM fit / our fit",
                "measured": fit["irspack"] / fit["ours"],
                "target": ">= 2",
            },
            {
                "what": "peak memory of fit / (items² × 4 bytes)",
                "measured": memory / (4 * n_items**2),
                "target": "<= 2.2",
            },
            {"what": "largest difference to irspack's weights", "measured": difference},
        ],
        shape=list(SHAPE),
        seconds={
            "solve": seconds,
            "inv": solve["numpy"],
            "floor": floor,
            **{f"fit {k}": v for k, v in fit.items()},
        },
    )


if __name__ == "__main__":
    main()
