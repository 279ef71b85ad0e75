"""Who helps whom: the latent sharing radius, tested by taking the steps (PIA, thm 2.3).

An SGD step on user v, θ⁺ = θ − η g_v, changes u's loss by −η ⟨g_u, g_v⟩ + O(η²), and

    ⟨g_u, g_v⟩ ≥ ‖g_u‖ (‖g_u‖ − D_uv),   D_uv = L_θz · W₁(q_u, q_v) + Δ_x(u, v),

so that v's step helps u for certain where W₁ < r_share = [‖g_u‖ − Δ_x]₊ / L_θz. g is the gradient, with
respect to the decoder, of the loss averaged over the posterior; Δ_x is the norm of the difference of both
users' gradients at the same points, those of q_v. L_θz is estimated twice: as the largest local value at
points of q_u (the norm of the Jacobian), and as what the gradient of u really changes from q_u to q_v over
their latent distance (finite differences).

Three conditions, each implied by the one before: inside the radius; ‖g_u − g_v‖ < ‖g_u‖, the same without
the two triangle inequalities of D_uv; ⟨g_u, g_v⟩ > 0, which is all that a small step needs.

Distances are taken between points drawn with one noise for both users, as W₁ would pair them. But gradients
at such points agree because of the noise: for random users nearly all of ⟨g_u, g_v⟩ would come from it. So
u has points of independent noise as well, where v's step is measured, and ⟨g_u, g_v⟩ is unbiased.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch

import isotherm.geometry.gradients as g
from isotherm.geometry.distances import w1_bounds, w2
from isotherm.geometry.pairs import Pairs, shared_clicks
from isotherm.geometry.posteriors import Posteriors, antithetic_noise
from isotherm.models.requests.histories import checked_block
from isotherm.models.vae.network.layers import Network
from isotherm.progress import stage
from isotherm.types import Float32, UserIndex, UserItems

_ARRAYS = 14  # items-wide ones at a time, for each pair and point
_LEAST_LIPSCHITZ = 1e-12  # one below it would make a radius infinite
_RATE_PROBES = 256  # about so many set the rate


@dataclass(frozen=True)
class Sharing:
    """What was measured of each pair.

    pairs: one row each: u, v (rows of the histories), kind ("random", "near", "copy"), clicks_u, clicks_v,
    shared, l1, jaccard, overlap (shared / the smaller history), w1_low, w1_high (bounds of W₁), w2,
    latent_distance (E‖z_u − z_v‖ over the points: W₁ of the points at most, and what the radius is held
    against), norm_u, norm_v, inner_product (of the gradients), mismatch (Δ_x), gradient_distance
    (‖g_u − g_v‖), lipschitz (L_θz of u by the Jacobian), lipschitz_secant (L_θz of the pair by
    finite differences), radius, radius_secant (r_share by each), loss_decrease (of u),
    loss_decrease_half (with half the step).
    rate: η, the same for all.  loss: mean loss of the probes.
    """

    pairs: pl.DataFrame
    rate: float
    loss: float


def measure_sharing(
    network: Network,
    histories: UserItems,
    posteriors: Posteriors,
    pairs: Pairs,
    points: int = 2,
    step: float = 1e-3,
    seed: int = 0,
    memory: int = 384 << 20,
) -> Sharing:
    """Gradients, radii and real steps of all pairs, a block of probes at a time.

    points: draws of each posterior; one where the posterior is a point.
    step: η, as the share of its loss that the step of an average probe takes away, to first order.
    memory: bytes for the dense arrays of one block, about; the results do not depend on it.
    """
    decoder = _Decoder(
        g.decoder_layers(network), checked_block(histories, len(network.last_bias)), posteriors, seed
    )
    n_points, latent = points if posteriors.deviation.any() else 1, posteriors.mean.shape[1]
    noise, fresh = antithetic_noise(n_points, latent, seed), antithetic_noise(n_points, latent, seed, 1)
    rate = _rate(decoder, pairs.probes, noise, step)
    frames = []
    with stage("gradients and steps", len(pairs), "pairs") as advance, torch.no_grad():
        for block in _blocks(pairs, memory // (4 * _ARRAYS * histories.shape[1] * n_points)):
            frames.append(_measured(decoder, block, noise, fresh, rate.rate))
            advance(len(block))
    return Sharing(_with_inputs(pl.concat(frames), decoder, noise, pairs), rate.rate, rate.loss)


@dataclass(frozen=True)
class _Decoder:
    """A decoder and its users.  posteriors: of the histories.  seed: of the power iteration."""

    layers: g.Layers
    histories: UserItems
    posteriors: Posteriors
    seed: int

    def clicks(self, rows: UserIndex) -> torch.Tensor:
        """Dense clicks (n_rows, n_items) of these users."""
        return torch.from_numpy(self.histories[rows].toarray())

    def points(self, rows: UserIndex, noise: Float32) -> torch.Tensor:
        """Points z (n_rows, n_points, latent) of these users."""
        return torch.from_numpy(self.posteriors.take(rows).sample(noise))


@dataclass(frozen=True)
class _Rate:
    """rate: η.  loss: mean loss of the probes."""

    rate: float
    loss: float


def _rate(decoder: _Decoder, probes: UserIndex, noise: Float32, step: float) -> _Rate:
    """η at which the step of an average probe takes the share ``step`` of its loss."""
    probes = probes[:: max(1, len(probes) // _RATE_PROBES)]
    x, z = decoder.clicks(probes), decoder.points(probes, noise)
    with torch.no_grad():
        squares = g.user_gradients(decoder.layers, z, x).norms().square()
        loss = g.user_losses(decoder.layers, z, x)
    return _Rate(float(step * loss.mean() / squares.mean()), float(loss.mean()))


def _blocks(pairs: Pairs, at_once: int) -> Iterator[Pairs]:
    """The pairs, at most ``at_once`` at a time: several probes with all partners, or one with some."""
    at_once, n_partners = max(1, at_once), pairs.partners.shape[1]
    n_probes = max(1, at_once // n_partners)
    for first in range(0, len(pairs.probes), n_probes):
        for left in range(0, n_partners, min(at_once, n_partners)):
            yield pairs.block(slice(first, first + n_probes), slice(left, left + min(at_once, n_partners)))


def _measured(decoder: _Decoder, pairs: Pairs, noise: Float32, fresh: Float32, rate: float) -> pl.DataFrame:
    """Everything about the pairs of a block that needs the decoder.

    noise: of u's and v's points.  fresh: of u's points where v's step is measured.
    """
    layers, of_pair = decoder.layers, torch.arange(len(pairs.probes)).repeat_interleave(len(pairs.kinds))
    x_u, x_v = decoder.clicks(pairs.probes), decoder.clicks(pairs.v)
    z_u, z_v = decoder.points(pairs.probes, noise), decoder.points(pairs.v, noise)
    probes = g.user_gradients(layers, z_u, x_u)
    norm_u = probes.norms()[of_pair]
    lipschitz = g.local_lipschitz(layers, z_u, x_u, seed=decoder.seed).amax(1)[of_pair]
    of_u, of_v = probes.take(of_pair), g.user_gradients(layers, z_v, x_v)
    moved_u = g.user_gradients(layers, z_v, x_u[of_pair])  # u's clicks at v's points
    fresh_u = g.user_gradients(layers, decoder.points(pairs.probes, fresh), x_u).take(of_pair)
    distance = (z_u[of_pair] - z_v).norm(dim=-1).mean(1)
    # where u and v are at one point, the local value stands for the pair's
    differ = distance > 1e-5 * (1 + z_u[of_pair].norm(dim=-1).mean(1))
    secant = torch.where(differ, of_u.distances(moved_u).mean(1) / distance, lipschitz)
    columns = {"latent_distance": distance, "norm_u": norm_u, "norm_v": of_v.norms()}
    columns |= _radii(norm_u, (moved_u - of_v).norms(), lipschitz, secant)
    columns |= _steps(layers, fresh_u, of_v, x_u[of_pair], rate)
    norms = norm_u.square() - 2 * columns["inner_product"] + columns["norm_v"].square()
    columns["gradient_distance"] = norms.clamp(min=0).sqrt()
    numbers = {name: column.double().numpy() for name, column in columns.items()}
    return pl.DataFrame({"u": pairs.u, "v": pairs.v} | numbers)


def _radii(
    norm_u: torch.Tensor, mismatch: torch.Tensor, lipschitz: torch.Tensor, secant: torch.Tensor
) -> dict[str, torch.Tensor]:
    """r_share = [‖g_u‖ − Δ_x]₊ / L_θz by both estimates of L_θz, and what it is made of."""
    margin = (norm_u - mismatch).clamp(min=0)
    return {
        "mismatch": mismatch,
        "lipschitz": lipschitz,
        "lipschitz_secant": secant,
        "radius": margin / lipschitz.clamp(min=_LEAST_LIPSCHITZ),
        "radius_secant": margin / secant.clamp(min=_LEAST_LIPSCHITZ),
    }


def _steps(
    layers: g.Layers, of_u: g.Gradients, of_v: g.Gradients, x_u: torch.Tensor, rate: float
) -> dict[str, torch.Tensor]:
    """What v's step, and half of it, does to u's loss, and to first order."""
    return {
        "inner_product": of_u.inner_products(of_v),
        "loss_decrease": -g.loss_changes(layers, of_u, x_u, of_v, rate),
        "loss_decrease_half": -g.loss_changes(layers, of_u, x_u, of_v, rate / 2),
    }


def _with_inputs(frame: pl.DataFrame, decoder: _Decoder, noise: Float32, pairs: Pairs) -> pl.DataFrame:
    """The same with what the clicks and the posteriors say of each pair."""
    u, v = pairs.u, pairs.v
    clicks, shared = np.diff(decoder.histories.indptr), shared_clicks(decoder.histories, u, v)
    first, second = decoder.posteriors.take(u), decoder.posteriors.take(v)
    bounds = w1_bounds(first, second, noise)
    return frame.with_columns(
        kind=pairs.kind,
        clicks_u=clicks[u],
        clicks_v=clicks[v],
        shared=shared,
        l1=clicks[u] + clicks[v] - 2 * shared,
        jaccard=shared / (clicks[u] + clicks[v] - shared),
        overlap=shared / np.minimum(clicks[u], clicks[v]),
        w1_low=bounds.low.astype(float),
        w1_high=bounds.high.astype(float),
        w2=w2(first, second).astype(float),
    )
