"""Wasserstein distances between users' posteriors: W₂ in closed form, W₁ by bounds and by optimal transport.

For diagonal Gaussians W₂² = ‖μ_u − μ_v‖² + ‖σ_u − σ_v‖² (Dowson and Landau 1982), and

    ‖μ_u − μ_v‖  ≤  W₁  ≤  E‖z_u − z_v‖ (z drawn with the same noise)  ≤  W₂:

the mean of any coupling bounds W₁ from above, Jensen's inequality from below.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from isotherm.geometry.posteriors import Posteriors
from isotherm.memory import users_per_block
from isotherm.ranking.topk import top_k
from isotherm.types import Float32, Float64, Int32, UserIndex


def w2(first: Posteriors, second: Posteriors) -> Float32:
    """W₂ of each user of ``first`` to the user of ``second`` in the same row, (n,) float32.

    >>> import numpy as np
    >>> from isotherm.geometry import Posteriors, w2
    >>> first = Posteriors(np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32))
    >>> second = Posteriors(np.full((1, 2), 3, np.float32), np.full((1, 2), 5, np.float32))
    >>> w2(first, second)  # the root of 2 · 3² + 2 · 4²
    array([7.071068], dtype=float32)
    """
    return _row_norms(first.w2_coordinates - second.w2_coordinates)


def w2_matrix(first: Posteriors, second: Posteriors) -> Float64:
    """W₂ of each user of ``first`` to each of ``second``, (n, m) float64."""
    return np.asarray(cdist(first.w2_coordinates, second.w2_coordinates))


@dataclass(frozen=True)
class Neighbours:
    """The users nearest to some users, nearest first.

    rows: (n_asked, k) int32.  distances: (n_asked, k) float32, W₂.
    """

    rows: Int32
    distances: Float32


def nearest_users(posteriors: Posteriors, k: int, asked: UserIndex | None = None) -> Neighbours:
    """The k users nearest by W₂ (fewer where there are not so many).

    asked: rows of the users to answer for, None for all. Nobody is their own neighbour. Memory is a block of
    users × all users. Ties go to the lower row.
    """
    points, asked = posteriors.w2_coordinates, np.arange(len(posteriors)) if asked is None else asked
    k = min(k, len(points) - 1)
    points = points - points.mean(axis=0)
    halves = 0.5 * np.square(points).sum(axis=1)
    nearest = np.empty((len(asked), k), np.int32)
    size = users_per_block(len(points))
    for first in range(0, len(asked), size):
        rows = asked[first : first + size]
        similarities = points[rows] @ points.T - halves  # −‖difference‖² / 2, plus what a row shares
        similarities[np.arange(len(rows)), rows] = -np.inf
        nearest[first : first + size] = top_k(similarities, k).columns
    users = posteriors.take(asked)
    return Neighbours(nearest, np.stack([w2(users, posteriors.take(column)) for column in nearest.T], axis=1))


@dataclass(frozen=True)
class Bounds:
    """low, high: (n,) between which W₁ lies."""

    low: Float32
    high: Float32


def w1_bounds(first: Posteriors, second: Posteriors, noise: Float32) -> Bounds:
    """Bounds of W₁ of users in the same row: the distance of the means, and E‖z_u − z_v‖ or W₂.

    noise: (n_draws, latent) that the expectation is taken over; where few draws put it above W₂, W₂ stands.
    """
    means, deviations = first.mean - second.mean, first.deviation - second.deviation
    total = np.zeros(len(means), np.float32)
    for draw in noise:
        total += _row_norms(means + deviations * draw)
    return Bounds(_row_norms(means), np.minimum(total / np.float32(len(noise)), w2(first, second)))


def w1_sampled(first: Posteriors, second: Posteriors, noise: Float32) -> Float64:
    """W₁ (n,) between clouds of points of users in the same row, by exact optimal transport.

    noise: (n_draws, latent), the same for both clouds, so that equal posteriors are at distance zero; the
    estimate is at most the upper bound of ``w1_bounds``. Takes n_draws³ steps a pair.
    """
    distances = np.empty(len(first))
    for pair, (z_u, z_v) in enumerate(zip(first.sample(noise), second.sample(noise), strict=True)):
        costs = cdist(z_u, z_v)
        distances[pair] = costs[linear_sum_assignment(costs)].mean()
    return distances


def _row_norms(rows: Float32) -> Float32:
    """Euclidean norm of each row."""
    return np.asarray(np.linalg.norm(rows, axis=1), dtype=np.float32)
