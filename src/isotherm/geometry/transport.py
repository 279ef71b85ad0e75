"""W₁ by optimal transport between its bounds, for some pairs: how much is lost by taking W₂ for it."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from isotherm.geometry.distances import w1_bounds, w1_sampled, w2
from isotherm.geometry.pairs import COPY
from isotherm.geometry.posteriors import Posteriors, antithetic_noise
from isotherm.streams import stream_seed

_PAIRS = 100
_POINTS = 200


@dataclass(frozen=True)
class Transport:
    """W₁ of some pairs between its bounds.

    pairs: a row per pair: low, sampled (optimal transport of 200 points), high, w2, w2_points (of these).
    """

    pairs: pl.DataFrame

    @property
    def at_most_w2(self) -> float:
        """Share of the pairs with sampled W₁ <= W₂ of the same points."""
        return float(self.pairs.select((pl.col("sampled") <= pl.col("w2_points") * (1 + 1e-5)).mean()).item())


def measure_transport(posteriors: Posteriors, pairs: pl.DataFrame, seed: int = 0) -> Transport:
    """Of a hundred of the random and near pairs.  pairs: of ``Sharing``.  posteriors: of all users."""
    users = pairs.filter(pl.col("kind") != COPY)
    drawn = users.sample(_PAIRS, seed=stream_seed(seed, "pairs of the transport"), with_replacement=True)
    first, second = (posteriors.take(drawn[name].to_numpy()) for name in ("u", "v"))
    noise = antithetic_noise(_POINTS, posteriors.mean.shape[1], seed)
    bounds = w1_bounds(first, second, noise)
    differences = first.sample(noise) - second.sample(noise)
    squares = np.square(differences, dtype=np.float64).sum(axis=2).mean(axis=1)
    return Transport(
        pl.DataFrame(
            {
                "low": bounds.low.astype(float),
                "sampled": w1_sampled(first, second, noise),
                "high": bounds.high.astype(float),
                "w2": w2(first, second).astype(float),
                "w2_points": np.sqrt(squares),
            }
        )
    )
