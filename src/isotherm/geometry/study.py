"""All of the geometry of one model on one click log, or of several on the same users, pairs and masks."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.checks import between, seeded, whole
from isotherm.data import Interactions, Items
from isotherm.errors import ParameterError
from isotherm.files import write_json
from isotherm.geometry.anchor_shrinkage import AnchorShrinkage, measure_anchor_shrinkage
from isotherm.geometry.collapse import Collapse, measure_collapse
from isotherm.geometry.distances import w1_bounds, w1_sampled, w2
from isotherm.geometry.influence import Influence, summarise_influence
from isotherm.geometry.maps import Map, MapUsers, choose_map_users, map_latent_space
from isotherm.geometry.masking import Contraction, Drift, measure_contraction, measure_drift
from isotherm.geometry.pairs import Pairs, draw_pairs, stacked, subsample_histories
from isotherm.geometry.posteriors import (
    Posteriors,
    antithetic_noise,
    check_latent,
    histories_of,
    keep_probabilities,
)
from isotherm.geometry.sharing import Sharing, measure_sharing
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.objective.masking import Mask
from isotherm.progress import stage
from isotherm.streams import stream, stream_seed
from isotherm.types import Float32

_UNTRAINED_PAIRS = 2000
_TRANSPORT_PAIRS = 100
_TRANSPORT_POINTS = 200
_MASKED_PAIRS = 3000
_LARGEST_STEP = 0.1  # theory is about small ones


@dataclass(frozen=True)
class Transport:
    """W₁ of some pairs between its bounds.

    pairs: a row a pair: low, sampled (optimal transport of 200 points), high, w2, w2_points (of these).
    """

    pairs: pl.DataFrame

    @property
    def ordered(self) -> float:
        """Share of the pairs with sampled W₁ <= W₂ of the same points."""
        return float(self.pairs.select((pl.col("sampled") <= pl.col("w2_points") * (1 + 1e-5)).mean()).item())


@dataclass(frozen=True)
class Geometry:
    """One model's geometry.

    model: its repr.  epochs: of its training.  influence: of the trained decoder, at steps of rate η from a
    mean loss.  untrained: of the same network before training, fewer pairs.  The others: see their classes.
    """

    model: str
    epochs: int
    influence: Influence
    rate: float
    loss: float
    untrained: Influence
    transport: Transport
    contraction: Contraction
    drift: Drift
    pull: AnchorShrinkage
    collapse: Collapse
    map: Map

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: every figure of the report, no users."""
        pairs, between = self.influence.pairs, self.transport.pairs
        c, d, m = self.collapse, self.drift, self.contraction
        return {
            "model": self.model,
            "epochs": self.epochs,
            "distances": {
                kind: {
                    name: _spread(rows[name])
                    for name in ("w1_low", "w1_high", "w2", "l1", "jaccard", "shared")
                }
                for kind, rows in _by_kind(pairs)
            }
            | {
                "w1_sampled_over_low": _spread(between["sampled"] / between["low"].clip(1e-12)),
                "w1_sampled_over_w2": _spread(between["sampled"] / between["w2"].clip(1e-12)),
                "w1_at_most_w2": self.transport.ordered,
            },
            "sharing": {
                "step": self.rate,
                "loss": self.loss,
                "steepness": {name: _spread(pairs[name]) for name in ("steepness", "secant")},
                "gradient_norm": _spread(pairs["norm_u"]),
                "mismatch": _spread(pairs.filter(pl.col("kind") == "random")["mismatch"]),
                "radius": {kind: _spread(rows["radius"]) for kind, rows in _by_kind(pairs)},
                "trained": _influence(self.influence),
                "untrained": _influence(self.untrained),
            },
            "masking": {
                "keep": d.keep,
                "neighbours": d.k,
                "drift": _spread(d.drift),
                "drift_from_clean": _spread(d.from_clean),
                "variance_across_masks": _spread(d.variance),
                "variance_between_users": d.spread,
                "distance_to_centroid": None if d.to_centroid is None else _spread(d.to_centroid),
                "distance_to_fitted_centroid": _spread(d.to_fitted),
                "l1_mean": _mean(m.pairs["l1"]),
                "contracts": _mean(m.pairs["contracts"]),
                "expands": _mean(m.pairs["expands"]),
                "within_bounds": m.holds,
            },
            "anchors": {"weight": self.pull.weight, "curvature": self.pull.largest, "tau": self.pull.tau()},
            "collapse": {
                "verdict": c.verdict,
                "state": c.state,
                "kl": c.kl,
                "information": c.information,
                "information_at_most": c.most,
                "aggregated_gap": c.gap,
                "active_units": c.active,
                "units": c.latent,
                "effective_rank": c.rank,
            },
        }


@dataclass(frozen=True)
class Study:
    """Models by name, in the order given, and what they were looked at with.

    users, items, clicks: how many the looked-at histories hold.
    left_out: users of the log without a known click.
    """

    models: dict[str, Geometry]
    users: int
    items: int
    clicks: int
    left_out: int
    n_pairs: int
    seed: int
    keep: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        facts = {
            name: getattr(self, name) for name in ("users", "items", "clicks", "left_out", "seed", "keep")
        }
        return facts | {
            "pairs": self.n_pairs,
            "models": {name: g.to_dict() for name, g in self.models.items()},
        }

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write ``to_dict`` whole or not at all."""
        write_json(path, self.to_dict())


@dataclass(frozen=True)
class StudyOptions:
    """How closely to look.

    users: to look at, drawn from all where there are more.  pairs: of them, about, at least 20.
    mask: what histories are masked with, None for the first model's own.  masks: how many.
    neighbours: k of the drift.  points: draws of each posterior.
    step: of the tested SGD steps, as the share of its loss that an average user's own step takes away.
    seed: of all that is drawn.
    Raises ParameterError.
    """

    users: int = 20_000
    pairs: int = 20_000
    mask: Mask | None = None
    masks: int = 8
    neighbours: int = 10
    points: int = 2
    step: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in {
            "users": 10,
            "pairs": 20,
            "masks": 2,
            "neighbours": 1,
            "points": 1,
        }.items():
            object.__setattr__(self, name, whole(name, getattr(self, name), least))
        object.__setattr__(self, "seed", seeded("seed", self.seed))
        object.__setattr__(self, "step", between("step", self.step, 0, _LARGEST_STEP, "(]"))


def study_models(
    models: Mapping[str, Any],
    clicks: Interactions,
    items: Items | None = None,
    options: StudyOptions | None = None,
) -> Study:
    """Look at fitted multvae, multdae or recvae models over the same items, with the same users and pairs.

    models: by the names to call them.  clicks: the histories of the users to look at.  items: for the tastes
    and the titles on the maps. Raises UnsupportedError, InteractionsError or ParameterError.
    """
    options = options or StudyOptions()
    first = next(iter(models.values()))
    histories, rows = histories_of(first, clicks)
    _check_alike(models)
    if histories.shape[0] > options.users:
        drawn = stream(options.seed, "users looked at").permutation(histories.shape[0])[: options.users]
        histories = csr_array(histories[np.sort(drawn)])
    keep = keep_probabilities(first, options.mask)
    table = None if items is None else items.of(first.items_)
    titles = [str(item) if table is None else table.title(i) for i, item in enumerate(first.items_.values)]
    on_map = choose_map_users(histories, titles, table, options.seed)
    found = {}
    for name, model in models.items():
        with stage(f"geometry of {name}"):
            clean = Posteriors.of(model.network_, histories)
            pairs = draw_pairs(clean, options.pairs, options.seed)
            found[name] = _geometry(model, histories, clean, pairs, keep, on_map, options)
    return Study(
        found,
        histories.shape[0],
        histories.shape[1],
        histories.nnz,
        clicks.n_users - len(rows),
        next(iter(found.values())).influence.pairs.height,
        options.seed,
        float(keep[histories.indices].mean()),
    )


def _check_alike(models: Mapping[str, Any]) -> None:
    """All are VAEs over the items of the first."""
    (first, model), *others = models.items()
    for name, other in others:
        check_latent(other)
        if not other.items_.values.equals(model.items_.values):
            raise ParameterError(
                f"{name} and {first} were fitted on different items; fit both on the same clicks"
            )


def _geometry(
    model: VAERecommender,
    histories: csr_array,
    clean: Posteriors,
    pairs: Pairs,
    keep: Float32,
    on_map: MapUsers,
    options: StudyOptions,
) -> Geometry:
    """Of one model, its users at the places ``clean``."""
    seed = options.seed
    both = stacked(histories, subsample_histories(histories, pairs.probes, seed))
    paired = pairs.with_twins(histories.shape[0])

    def measured(network: Network, pairs: Pairs) -> Sharing:
        return measure_sharing(
            network, both, Posteriors.of(network, both), pairs, options.points, options.step, seed
        )

    trained = measured(model.network_, paired)
    fresh = model.new_network(model.n_items).eval().requires_grad_(False)
    untrained = measured(fresh, paired.thinned(_UNTRAINED_PAIRS))
    return Geometry(
        repr(model),
        model.progress_.best_epoch or model.progress_.epoch,
        summarise_influence(trained, seed),
        trained.rate,
        trained.loss,
        summarise_influence(untrained, seed),
        _transport(clean, trained.pairs, seed),
        _contraction(both, keep, trained.pairs, seed),
        measure_drift(model, histories, clean, keep, options.neighbours, options.masks, seed),
        measure_anchor_shrinkage(model, histories, clean, seed=seed),
        measure_collapse(clean, seed=seed),
        map_latent_space(clean.mean, model.anchors_, on_map, seed),
    )


def _transport(clean: Posteriors, pairs: pl.DataFrame, seed: int) -> Transport:
    """Of some random and near pairs."""
    some = pairs.filter(pl.col("kind") != "twin").sample(
        _TRANSPORT_PAIRS, seed=stream_seed(seed, "pairs of the transport"), with_replacement=True
    )
    first, second = (clean.take(some[name].to_numpy()) for name in ("u", "v"))
    drawn = antithetic_noise(_TRANSPORT_POINTS, clean.mean.shape[1], seed)
    low, high = w1_bounds(first, second, drawn)
    cloud = first.drawn(drawn) - second.drawn(drawn)
    squares = np.square(cloud, dtype=np.float64).sum(axis=2).mean(axis=1)
    return Transport(
        pl.DataFrame(
            {
                "low": low.astype(float),
                "sampled": w1_sampled(first, second, drawn),
                "high": high.astype(float),
                "w2": w2(first, second).astype(float),
                "w2_points": np.sqrt(squares),
            }
        )
    )


def _contraction(histories: csr_array, keep: Float32, pairs: pl.DataFrame, seed: int) -> Contraction:
    """Of at most ``_MASKED_PAIRS`` of the pairs."""
    some = pairs.sample(min(_MASKED_PAIRS, pairs.height), seed=stream_seed(seed, "masked pairs"))
    return measure_contraction(histories, keep, some["u"].to_numpy(), some["v"].to_numpy(), seed=seed)


def _by_kind(pairs: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    return [(str(kind), rows) for (kind,), rows in pairs.group_by("kind", maintain_order=True)]


def _mean(values: pl.Series) -> float:
    return float(values.to_numpy().mean())


def _spread(values: Any) -> dict[str, float]:
    """Mean and quantiles."""
    array = np.asarray(values, dtype=np.float64)
    low, middle, high = np.quantile(array, [0.05, 0.5, 0.95])
    return {"mean": float(array.mean()), "p5": float(low), "median": float(middle), "p95": float(high)}


def _influence(found: Influence) -> dict[str, Any]:
    return {
        "kinds": {
            kind: {name: asdict(value) for name, value in row.items()} for kind, row in found.kinds.items()
        },
        "tests": {name: asdict(test) for name, test in found.tests.items()},
        "remainder_ratio": found.order,
        "drop_over_first_order": found.first_order,
        "rank_correlation": asdict(found.correlation),
        "curve": found.curve.to_dicts(),
        "regions": found.regions.to_dicts(),
        "by_l1_and_shared": found.by_shared.to_dicts(),
        "by_l1_and_jaccard": found.by_jaccard.to_dicts(),
        "by_clicks": found.by_clicks.to_dicts(),
    }
