"""Wasserstein distances between users' posteriors: W₂ in closed form, W₁ by bounds and by optimal transport.

For diagonal Gaussians W₂² = ‖μ_u − μ_v‖² + ‖σ_u − σ_v‖² (Dowson and Landau 1982), and

    ‖μ_u − μ_v‖  ≤  W₁  ≤  E‖z_u − z_v‖ (z drawn with the same noise)  ≤  W₂:

the mean of any coupling bounds W₁ from above, Jensen's inequality from below.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from isotherm.geometry.posteriors import Posteriors
from isotherm.memory import users_per_block
from isotherm.ranking.topk import top_k
from isotherm.types import Float32, Float64, Int32, Int64


def w2(first: Posteriors, second: Posteriors) -> Float32:
    """W₂ of each user of ``first`` to the user of ``second`` in the same place, (n,) float32."""
    return _lengths(first.points - second.points)


def w2_matrix(first: Posteriors, second: Posteriors) -> Float64:
    """W₂ of each user of ``first`` to each of ``second``, (n, m) float64."""
    return np.asarray(cdist(first.points, second.points))


def nearest_users(posteriors: Posteriors, k: int, asked: Int64 | None = None) -> tuple[Int32, Float32]:
    """The k users nearest by W₂, nearest first, and how far: (n_asked, k) int32 and float32.

    asked: rows of the users to answer for, None for all. Nobody is their own neighbour. Memory is a block of
    users × all users. Ties go to the lower row.
    """
    points, asked = posteriors.points, np.arange(len(posteriors)) if asked is None else asked
    k = min(k, len(points) - 1)
    points = points - points.mean(axis=0)
    halves = 0.5 * np.square(points).sum(axis=1)
    found = np.empty((len(asked), k), np.int32)
    size = users_per_block(len(points))
    for first in range(0, len(asked), size):
        rows = asked[first : first + size]
        nearness = points[rows] @ points.T - halves
        nearness[np.arange(len(rows)), rows] = -np.inf
        found[first : first + size] = top_k(nearness, k)[0]
    return found, np.stack([w2(posteriors.take(asked), posteriors.take(each)) for each in found.T], axis=1)


def w1_bounds(first: Posteriors, second: Posteriors, noise: Float32) -> tuple[Float32, Float32]:
    """Lower and upper bound (n,) of W₁ of users in the same place: between means, and E‖z_u − z_v‖ or W₂.

    noise: (n_draws, latent) that the expectation is taken over; where few draws put it above W₂, W₂ stands.
    """
    means, deviations = first.mean - second.mean, first.deviation - second.deviation
    total = np.zeros(len(means), np.float32)
    for draw in noise:
        total += _lengths(means + deviations * draw)
    return _lengths(means), np.minimum(total / np.float32(len(noise)), w2(first, second))


def w1_sampled(first: Posteriors, second: Posteriors, noise: Float32) -> Float64:
    """W₁ (n,) between clouds of points of users in the same place, by exact optimal transport.

    noise: (n_draws, latent), the same for both clouds, so that equal posteriors are at distance zero; the
    estimate is at most ``w1_bounds``' upper one. Takes n_draws³ steps a pair.
    """
    found = np.empty(len(first))
    pairs = zip(first.drawn(noise), second.drawn(noise), strict=True)
    for place, (z, other) in enumerate(pairs):
        costs = cdist(z, other)
        found[place] = costs[linear_sum_assignment(costs)].mean()
    return found


def _lengths(rows: Float32) -> Float32:
    """Euclidean norm of each row."""
    return np.asarray(np.linalg.norm(rows, axis=1), dtype=np.float32)
