"""All of the geometry of one model on one click log, or of several on the same users, pairs and masks."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.checks import between, seeded, whole
from isotherm.data import Interactions, Items
from isotherm.errors import ParameterError
from isotherm.files import write_json
from isotherm.geometry.anchors import AnchorShrinkage, measure_anchor_shrinkage
from isotherm.geometry.collapse import Collapse, measure_collapse
from isotherm.geometry.contraction import Contraction, measure_contraction
from isotherm.geometry.drift import Drift, measure_drift
from isotherm.geometry.influence import Influence, summarise_influence
from isotherm.geometry.maps import LatentMap, MapUsers, choose_map_users, map_latent_space
from isotherm.geometry.pairs import RANDOM, Pairs, draw_pairs, stack_users, subsample_histories
from isotherm.geometry.posteriors import Posteriors, check_is_vae, histories_of, keep_probabilities
from isotherm.geometry.sharing import measure_sharing
from isotherm.geometry.statistics import mean_and_quantiles
from isotherm.geometry.transport import Transport, measure_transport
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.objective.masking import Mask
from isotherm.progress import stage
from isotherm.streams import stream, stream_seed
from isotherm.types import Float32, UserItems

_UNTRAINED_PAIRS = 2000
_MASKED_PAIRS = 3000
_LARGEST_STEP = 0.1  # theory is about small ones


@dataclass(frozen=True)
class StudyOptions:
    """How many users, pairs, masks and draws a study takes. Raises ParameterError.

    Parameters:
        users (>= 10; default 20_000): users to look at, drawn from all where there are more.
        pairs (>= 20; default 20_000): pairs of them, about.
        mask (a mask or None; default None): what histories are masked with; None: the first model's mask.
        masks (>= 2; default 8): how many masks.
        neighbours (>= 1; default 10): nearest users looked at, k of the drift.
        points (>= 1; default 2): draws of each posterior.
        step (in (0, 0.1]; default 1e-3): of the tested SGD steps, as the share of its loss that the step of
            an average user takes away.
        seed (>= 0; default 0): of all that is drawn.
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
        least = {"users": 10, "pairs": 20, "masks": 2, "neighbours": 1, "points": 1}
        for name, bound in least.items():
            object.__setattr__(self, name, whole(name, getattr(self, name), bound))
        object.__setattr__(self, "seed", seeded("seed", self.seed))
        object.__setattr__(self, "step", between("step", self.step, 0, _LARGEST_STEP, "(]"))


@dataclass(frozen=True)
class Geometry:
    """The geometry of one model: one field a measurement, as the JSON and the page have them.

    model: its repr.  epochs: of its training.  influence: of the trained decoder.  untrained: of the same
    network before training, fewer pairs.  The others: see their classes.
    """

    model: str
    epochs: int
    influence: Influence
    untrained: Influence
    transport: Transport
    contraction: Contraction
    drift: Drift
    anchors: AnchorShrinkage
    collapse: Collapse
    map: LatentMap

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: every figure of the report, no users."""
        return {
            "model": self.model,
            "epochs": self.epochs,
            "distances": self._distances(),
            "sharing": self._sharing(),
            "masking": self._masking(),
            "anchors": self.anchors.to_dict(),
            "collapse": self.collapse.to_dict(),
        }

    def _distances(self) -> dict[str, Any]:
        sampled = self.transport.pairs
        names = ("w1_low", "w1_high", "w2", "l1", "jaccard", "shared")
        return {
            kind: {name: mean_and_quantiles(rows[name]) for name in names}
            for kind, rows in _by_kind(self.influence.pairs).items()
        } | {
            "w1_sampled_over_low": mean_and_quantiles(sampled["sampled"] / sampled["low"].clip(1e-12)),
            "w1_sampled_over_w2": mean_and_quantiles(sampled["sampled"] / sampled["w2"].clip(1e-12)),
            "w1_at_most_w2": self.transport.at_most_w2,
        }

    def _sharing(self) -> dict[str, Any]:
        pairs = self.influence.pairs
        return {
            "step": self.influence.sharing.rate,
            "loss": self.influence.sharing.loss,
            "local_lipschitz": {
                "jacobian": mean_and_quantiles(pairs["lipschitz"]),
                "secant": mean_and_quantiles(pairs["lipschitz_secant"]),
            },
            "gradient_norm": mean_and_quantiles(pairs["norm_u"]),
            "mismatch": mean_and_quantiles(pairs.filter(kind=RANDOM)["mismatch"]),
            "radius": {kind: mean_and_quantiles(rows["radius"]) for kind, rows in _by_kind(pairs).items()},
            "trained": self.influence.to_dict(),
            "untrained": self.untrained.to_dict(),
        }

    def _masking(self) -> dict[str, Any]:
        d, pairs = self.drift, self.contraction.pairs
        learned = None if d.to_centroid is None else mean_and_quantiles(d.to_centroid)
        means = {"l1_mean": "l1", "contracts": "contracts", "expands": "expands"}
        return {
            "keep": d.keep,
            "neighbours": d.neighbours,
            "drift": mean_and_quantiles(d.drift),
            "drift_from_clean": mean_and_quantiles(d.from_clean),
            "variance_across_masks": mean_and_quantiles(d.mask_variance),
            "variance_between_users": d.user_variance,
            "distance_to_centroid": learned,
            "distance_to_fitted_centroid": mean_and_quantiles(d.to_fitted_centroid),
            "within_bounds": self.contraction.within_bounds,
        } | {name: float(pairs[column].to_numpy().mean()) for name, column in means.items()}


def _by_kind(pairs: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {str(kind): rows for (kind,), rows in pairs.group_by("kind", maintain_order=True)}


@dataclass(frozen=True)
class Study:
    """Models by name, in the order given, and the histories that they were studied with.

    users, items, clicks: how many the histories hold.  left_out: users of the log without a known click.
    n_pairs: pairs of users.  keep: mean probability that a mask keeps a click.
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
        names = ("users", "items", "clicks", "left_out", "seed", "keep")
        models = {name: geometry.to_dict() for name, geometry in self.models.items()}
        return {name: getattr(self, name) for name in names} | {"pairs": self.n_pairs, "models": models}

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write ``to_dict`` whole or not at all."""
        write_json(path, self.to_dict())


def study_models(
    models: Mapping[str, Any],
    clicks: Interactions,
    items: Items | None = None,
    options: StudyOptions | None = None,
) -> Study:
    """Study fitted multvae, multdae or recvae models over the same items, with the same users and pairs.

    models: by the names to call them.  clicks: the histories of the users to look at.  items: for the tastes
    and the titles on the maps. Raises UnsupportedError, InteractionsError or ParameterError.
    """
    options = options or StudyOptions()
    first = next(iter(models.values()))
    known = histories_of(first, clicks)
    _check_alike(models)
    histories = _drawn_users(known.user_items, options)
    inputs = _Inputs(
        histories,
        keep_probabilities(first, options.mask),
        _map_users(first, histories, items, options.seed),
        options,
    )
    geometries = {}
    for name, model in models.items():
        with stage(f"geometry of {name}"):
            geometries[name] = inputs.geometry_of(model)
    return Study(
        models=geometries,
        users=histories.shape[0],
        items=histories.shape[1],
        clicks=histories.nnz,
        left_out=clicks.n_users - len(known.users),
        n_pairs=next(iter(geometries.values())).influence.pairs.height,
        seed=options.seed,
        keep=float(inputs.keep[histories.indices].mean()),
    )


def _check_alike(models: Mapping[str, Any]) -> None:
    """All are VAEs over the items of the first."""
    (first, model), *others = models.items()
    for name, other in others:
        check_is_vae(other)
        if not other.items_.values.equals(model.items_.values):
            raise ParameterError(
                f"{name} and {first} were fitted on different items; fit both on the same clicks"
            )


def _drawn_users(histories: UserItems, options: StudyOptions) -> UserItems:
    n_users = histories.shape[0]
    if n_users <= options.users:
        return histories
    rows = stream(options.seed, "users looked at").permutation(n_users)[: options.users]
    return csr_array(histories[np.sort(rows)])


def _map_users(model: VAERecommender, histories: UserItems, items: Items | None, seed: int) -> MapUsers:
    ids, table = model.items_, None if items is None else items.of(model.items_)
    titles = [str(item) if table is None else table.title(i) for i, item in enumerate(ids.values)]
    return choose_map_users(histories, titles, table, seed)


@dataclass(frozen=True)
class _Inputs:
    """What all models of a study are looked at with.

    keep: (n_items,) probability that a mask keeps a click.
    """

    histories: UserItems
    keep: Float32
    map_users: MapUsers
    options: StudyOptions

    def geometry_of(self, model: VAERecommender) -> Geometry:
        """All measurements of one model."""
        histories, options, seed = self.histories, self.options, self.options.seed
        clean = Posteriors.of(model.network_, histories)
        pairs = draw_pairs(clean, options.pairs, seed)
        with_copies = stack_users(histories, subsample_histories(histories, pairs.probes, seed))
        pairs = pairs.with_copies(histories.shape[0])
        influence = self._influence(model.network_, with_copies, pairs)
        untrained = model.new_network(model.n_items).eval().requires_grad_(False)
        return Geometry(
            model=repr(model),
            epochs=model.progress_.best_epoch or model.progress_.epoch,
            influence=influence,
            untrained=self._influence(untrained, with_copies, pairs.subset(_UNTRAINED_PAIRS)),
            transport=measure_transport(clean, influence.sharing.pairs, seed),
            contraction=self._contraction(with_copies, influence.sharing.pairs),
            drift=measure_drift(model, histories, clean, self.keep, options.neighbours, options.masks, seed),
            anchors=measure_anchor_shrinkage(model, histories, clean, seed=seed),
            collapse=measure_collapse(clean, seed=seed),
            map=map_latent_space(clean.mean, model.anchors_, self.map_users, seed),
        )

    def _influence(self, network: Network, histories: UserItems, pairs: Pairs) -> Influence:
        options, posteriors = self.options, Posteriors.of(network, histories)
        sharing = measure_sharing(
            network, histories, posteriors, pairs, options.points, options.step, options.seed
        )
        return summarise_influence(sharing, options.seed)

    def _contraction(self, histories: UserItems, pairs: pl.DataFrame) -> Contraction:
        """Of at most ``_MASKED_PAIRS`` of the pairs."""
        seed = self.options.seed
        n_pairs = min(_MASKED_PAIRS, pairs.height)
        drawn = pairs.sample(n_pairs, seed=stream_seed(seed, "masked pairs"))
        return measure_contraction(
            histories, self.keep, drawn["u"].to_numpy(), drawn["v"].to_numpy(), seed=seed
        )
