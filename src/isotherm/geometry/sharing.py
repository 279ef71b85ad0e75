"""Who helps whom: the latent sharing radius, tested by taking the steps (PIA, thm 2.3).

An SGD step on user v, θ⁺ = θ − η g_v, changes u's loss by −η ⟨g_u, g_v⟩ + O(η²), and

    ⟨g_u, g_v⟩ ≥ ‖g_u‖ (‖g_u‖ − D_uv),   D_uv = L_θz · W₁(q_u, q_v) + Δ_x(u, v),

so that v's step helps u for certain where W₁ < r_share = [‖g_u‖ − Δ_x]₊ / L_θz. g is the gradient, with
respect to the decoder, of the loss averaged over the posterior; Δ_x is the norm of the difference of both
users' gradients at the same points, those of q_v. L_θz is estimated twice: as the largest local value at
points of q_u (the norm of the Jacobian), and as what the gradient of u really changes from q_u to q_v for
each unit of latent way (finite differences).

Three conditions, each implied by the one before: inside the radius; ‖g_u − g_v‖ < ‖g_u‖, the same without
the two triangle inequalities of D_uv; ⟨g_u, g_v⟩ > 0, which is all that a small step needs.

Distances are taken between points drawn with one noise for both users, as W₁ would pair them. But gradients
at such points agree because of the noise: for random users nearly all of ⟨g_u, g_v⟩ would come from it. So
u has points of independent noise as well, where v's step is measured, and ⟨g_u, g_v⟩ is unbiased.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from scipy.sparse import csr_array

import isotherm.geometry.gradients as g
from isotherm.geometry.distances import w1_bounds, w2
from isotherm.geometry.pairs import Pairs, shared_clicks
from isotherm.geometry.posteriors import Posteriors, antithetic_noise
from isotherm.models.requests.histories import checked_block
from isotherm.models.vae.network.layers import Network
from isotherm.progress import stage
from isotherm.types import Float32, Int64

_ARRAYS = 14  # items-wide ones at a time, for each pair and point
_FLAT = 1e-12  # a slope below it would make a radius infinite


@dataclass(frozen=True)
class Sharing:
    """What was measured of each pair.

    pairs: one row a pair: u, v (rows of the histories), kind ("random", "near", "twin"), clicks_u, clicks_v,
    shared, l1, jaccard, overlap (shared / the smaller history), w1_low, w1_high (bounds of W₁), w2,
    way (E‖z_u − z_v‖ over the points: W₁ of the points at most, and what the radius is held against), norm_u,
    norm_v, inner (of the gradients), mismatch (Δ_x), apart (‖g_u − g_v‖), steepness (L_θz of u by the
    Jacobian), secant (L_θz of the pair by finite differences), radius, radius_secant (r_share by each), drop
    (how much u's loss fell), drop_half (with half the step).
    rate: η, the same for all.  loss: mean loss of the probes.
    """

    pairs: pl.DataFrame
    rate: float
    loss: float


def measure_sharing(
    network: Network,
    histories: csr_array,
    posteriors: Posteriors,
    pairs: Pairs,
    points: int = 2,
    step: float = 1e-3,
    seed: int = 0,
    memory: int = 384 << 20,
) -> Sharing:
    """Gradients, radii and real steps of all pairs, a block of probes at a time.

    points: draws of each posterior; one where the posterior is a point.
    step: η, as the share of its loss that an average probe's own step takes away, to first order.
    memory: bytes for the dense arrays of one block, about; the results do not depend on it.
    """
    histories = checked_block(histories, len(network.last_bias))
    layers = g.decoder_layers(network)
    n_points, latent = points if posteriors.deviation.any() else 1, posteriors.mean.shape[1]
    drawn, fresh = antithetic_noise(n_points, latent, seed), antithetic_noise(n_points, latent, seed, part=1)
    at_once = max(1, memory // (4 * _ARRAYS * histories.shape[1] * len(drawn)))  # pairs
    partners = min(at_once, pairs.partners.shape[1])
    block = max(1, at_once // pairs.partners.shape[1])  # probes; one where not all of its partners fit
    rate, loss = _rate(layers, histories, posteriors, pairs.probes, drawn, step)
    parts = []
    with stage("gradients and steps", len(pairs)) as advance, torch.no_grad():
        for first in range(0, len(pairs.probes), block):
            for left in range(0, pairs.partners.shape[1], partners):
                some = pairs.some(slice(first, first + block), slice(left, left + partners))
                parts.append(_measured(layers, histories, posteriors, some, drawn, fresh, rate, seed))
                advance(len(some))
    return Sharing(_with_inputs(pl.concat(parts), histories, posteriors, drawn, pairs), rate, loss)


def _dense(histories: csr_array, rows: Int64) -> torch.Tensor:
    return torch.from_numpy(histories[rows].toarray())


def _points(posteriors: Posteriors, rows: Int64, drawn: Float32) -> torch.Tensor:
    return torch.from_numpy(posteriors.take(rows).drawn(drawn))


def _rate(
    layers: g.Layers,
    histories: csr_array,
    posteriors: Posteriors,
    probes: Int64,
    drawn: Float32,
    step: float,
) -> tuple[float, float]:
    """η at which the own step of an average probe takes the share ``step`` of its loss, and that loss."""
    probes = probes[:: max(1, len(probes) // 256)]
    x, z = _dense(histories, probes), _points(posteriors, probes, drawn)
    with torch.no_grad():
        squares = g.user_gradients(layers, z, x).norms().square()
        loss = g.user_losses(layers, z, x)
    return float(step * loss.mean() / squares.mean()), float(loss.mean())


def _measured(
    layers: g.Layers,
    histories: csr_array,
    posteriors: Posteriors,
    pairs: Pairs,
    drawn: Float32,
    fresh: Float32,
    rate: float,
    seed: int,
) -> pl.DataFrame:
    """Everything about the pairs of a block that needs the decoder.

    drawn: noise of u's and v's points.  fresh: of u's points where v's step is measured.
    """
    u, v = pairs.u, pairs.v
    back = torch.repeat_interleave(torch.arange(len(pairs.probes)), pairs.partners.shape[1])
    x_u, x_v = _dense(histories, pairs.probes), _dense(histories, v)
    z_u, z_v = _points(posteriors, pairs.probes, drawn), _points(posteriors, v, drawn)
    probes = g.user_gradients(layers, z_u, x_u)
    norm_u, steep = probes.norms()[back], g.local_lipschitz(layers, z_u, x_u, seed=seed).amax(1)[back]
    own, theirs = probes.take(back), g.user_gradients(layers, z_v, x_v)
    moved = g.user_gradients(layers, z_v, x_u[back])  # u's clicks at v's points
    elsewhere = g.user_gradients(layers, _points(posteriors, pairs.probes, fresh), x_u).take(back)
    inner, norm_v = elsewhere.inner(theirs), theirs.norms()
    way = (z_u[back] - z_v).norm(dim=-1).mean(1)
    # where u and v are at one place, the local value stands for the way
    moves = way > 1e-5 * (1 + z_u[back].norm(dim=-1).mean(1))
    secant = torch.where(moves, own.apart(moved).mean(1) / way, steep)
    mismatch = (moved - theirs).norms()
    room = (norm_u - mismatch).clamp(min=0)
    clicks = x_u[back]
    values = {
        "way": way,
        "norm_u": norm_u,
        "norm_v": norm_v,
        "inner": inner,
        "mismatch": mismatch,
        "apart": (norm_u.square() - 2 * inner + norm_v.square()).clamp(min=0).sqrt(),
        "steepness": steep,
        "secant": secant,
        "radius": room / steep.clamp(min=_FLAT),
        "radius_secant": room / secant.clamp(min=_FLAT),
        "drop": -g.loss_changes(layers, elsewhere, clicks, theirs, rate),
        "drop_half": -g.loss_changes(layers, elsewhere, clicks, theirs, rate / 2),
    }
    return pl.DataFrame({"u": u, "v": v} | {name: value.double().numpy() for name, value in values.items()})


def _with_inputs(
    frame: pl.DataFrame,
    histories: csr_array,
    posteriors: Posteriors,
    drawn: Float32,
    pairs: Pairs,
) -> pl.DataFrame:
    """The same with what the clicks and the posteriors say of each pair."""
    u, v = pairs.u, pairs.v
    clicks = np.diff(histories.indptr)
    shared = shared_clicks(histories, u, v)
    either = clicks[u] + clicks[v] - shared
    first, second = posteriors.take(u), posteriors.take(v)
    low, high = w1_bounds(first, second, drawn)
    return frame.with_columns(
        kind=pairs.kind,
        clicks_u=clicks[u],
        clicks_v=clicks[v],
        shared=shared,
        l1=clicks[u] + clicks[v] - 2 * shared,
        jaccard=shared / either,
        overlap=shared / np.minimum(clicks[u], clicks[v]),
        w1_low=low.astype(float),
        w1_high=high.astype(float),
        w2=w2(first, second).astype(float),
    )
