"""Kernel ridge: brand-new items by a Gaussian process over items, its kernel learned from their metadata.

Two predictions for an item j, from its metadata alone, with Z_j = (K + r·I)⁻¹·k_j (derived in
docs/kernel-ridge.md):

* taste: what each user would click, a ridge regression of clicks that EASE has denoised on the kernel K,
  ŷ_·j = X·M·Z_j with M = (1 − a)·I + a·B and B EASE's weights;
* popularity: what everybody would click, g_j, a ridge regression of log-clicks with a kernel of its own.

A new item's weight column is c_j = t·M·Z_j + b·g_j·1: a score is a sum over the user's clicks, and is split
exactly over them and over fields. The kernels are learned from leave-one-out rankings (``kernel_learning``);
r, a and b, the level of cold scores beside warm ones and how much it heeds their certainty are what ranks
pseudo-cold items best, and so is the pace at which an item that gets clicks moves from its metadata to its
own evidence (``warm_up``).
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.checks import at_least, seeded, whole
from isotherm.data import Interactions, Items
from isotherm.data.items import Kind
from isotherm.data.splits import column_positions
from isotherm.errors import ParameterError
from isotherm.features.encoding import Encoding
from isotherm.features.kernels import MetadataKernel
from isotherm.features.metadata import EncodedItems
from isotherm.linalg.csr import select_columns, with_data
from isotherm.models.cold_start.cold_items import ColdItems
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.fitting import FitOptions
from isotherm.models.kernel_ridge.kernel_weights import learn_weights
from isotherm.models.kernel_ridge.ridge import ExactRidge, LandmarkRidge, Ridge, bands, empty_ridge
from isotherm.models.kernel_ridge.tuning import (
    DENOISING,
    RIDGES,
    SHARES,
    Scales,
    Trial,
    left_out_columns,
    log_clicks,
    mean_length,
    teachers,
)
from isotherm.models.kernel_ridge.warm_up import WarmUp, loudness, newness
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights, ItemItem
from isotherm.models.scorer import AddsItems, Contributions
from isotherm.parameters import part_of
from isotherm.progress import Advance, stage
from isotherm.state import Dense, Inner, Plain
from isotherm.streams import stream
from isotherm.types import Float32, Float64, Int64
from isotherm.untrusted import Number, numbers

_TUNING_USERS = 3_000
_LISTENERS = 1_000  # users by whom the loudness of a column is measured
_SAMPLE_BYTES = 2**30
_CONSTANT = "all items alike"


def _empty_items(model: "KernelRidge", sizes: Mapping[str, int]) -> EncodedItems:
    return EncodedItems.empty(model.kernel_.encoded)


class KernelRidge(ItemItem, AddsItems):
    """EASE for warm items, kernel ridge on learned metadata kernels for new ones, a smooth way between.

    backbone: EASE.  encoding: the metadata fields, and their vectors.  shrinkage (δ, in units of a field's
    median squared norm): of the metadata kernels.  sample_items, sample_users, steps: what
    the kernels are learned on, and for how long.  draws: of pseudo-cold items, to choose by.  exact_items:
    the most items that may teach the kernel ridge exactly; past it ``landmarks`` of them stand for all
    (Nyström).  seed: of the samples and the pseudo-cold items.
    """

    name: ClassVar[str] = "kernel-ridge"
    needs_items: ClassVar[bool] = True
    parts: ClassVar[Mapping[str, Any]] = {"encoding": {"encoding": Encoding}}

    weights_: DenseWeights
    kernel_: MetadataKernel
    taste_weights_: Float64  #: μ, one a term of kernel_.terms, and the constant
    popularity_weights_: Float64  #: ν, the same for popularity
    scales_: Scales
    warm_up_: WarmUp
    length_: float  #: mean clicks of a user
    exact_: bool  #: whether every item that teaches is a landmark
    landmarks_: EncodedItems  #: the items that new ones are compared with
    taste_: Ridge
    popularity_solved_: Float32  #: (n_landmarks,) α of the popularity's ridge
    cold_: ColdItems  #: the items without clicks, each with its certainty

    learned = (
        Inner("kernel_", lambda model, _: MetadataKernel()),
        Plain("scales_", numbers(Scales, Number()), asdict, lambda given: Scales(**given)),
        Plain("warm_up_", numbers(WarmUp, Number(above=0)), asdict, lambda given: WarmUp(**given)),
        Plain("length_", Number(above=0)),
        Plain("exact_", bool),
        Dense("taste_weights_", np.float64, ("n_weights",), least=0),
        Dense("popularity_weights_", np.float64, ("n_weights",), least=0),
        Inner("landmarks_", _empty_items, {"n": "n_landmarks"}),
        Dense("popularity_solved_", np.float32, ("n_landmarks",)),
        Inner("weights_", DenseWeights.empty, {"n_rows": "n_warm"}),
        Inner(
            "taste_",
            lambda model, _: empty_ridge(model.exact_),
            {"n_warm": "n_warm", "n_landmarks": "n_landmarks"},
        ),
        Inner("cold_", lambda model, _: ColdItems.empty(model.kernel_.encoded, certainty=True)),
    )

    def __init__(
        self,
        *,
        backbone: EASE | None = None,
        encoding: Encoding | None = None,
        shrinkage: float = 0.3,
        sample_items: int = 1_500,
        sample_users: int = 800,
        steps: int = 30,
        draws: int = 3,
        exact_items: int = 20_000,
        landmarks: int = 4_000,
        seed: int = 0,
    ) -> None:
        self.backbone = EASE() if backbone is None else backbone
        if not isinstance(self.backbone, EASE):
            raise ParameterError(f"kernel-ridge: backbone must be an EASE model, not {backbone!r}")
        if self.backbone.collective:
            raise ParameterError("kernel-ridge reads metadata its own way: backbone.collective must be 0")
        self.encoding = part_of(self, "encoding", encoding, Encoding)
        self.shrinkage = at_least("shrinkage", shrinkage, 0)
        self.sample_items = whole("sample_items", sample_items, 1)
        self.sample_users = whole("sample_users", sample_users, 1)
        self.steps = whole("steps", steps, 0)
        self.draws = whole("draws", draws, 1)
        self.exact_items = whole("exact_items", exact_items, 0)
        self.landmarks = whole("landmarks", landmarks, 1)
        self.seed = seeded("seed", seed)

    def fit_memory(self, clicks: Interactions) -> float:
        return self.backbone.fit_memory(clicks)

    @property
    def n_weights(self) -> int:
        """Of μ: one a term, and the constant."""
        return len(self.kernel_.terms) + 1

    def restored(self) -> None:
        """Compare with the landmarks again."""
        self._compare()
        self.taste_.compare_with(self._terms_index.weighted(self.taste_weights_), len(self.weights_.rows))

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        assert items is not None
        self.kernel_ = MetadataKernel(self.encoding, shrinkage=self.shrinkage).fit(items)
        self._solve(clicks, items, learn=True)

    def _refit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        """Solve anew for newer clicks and items; encoders, both kernels' weights, scales, pace are held."""
        assert items is not None
        self._solve(clicks, items, learn=False)

    def _solve(self, clicks: Interactions, items: Items, learn: bool) -> None:
        encoded = self.kernel_.encode(items)
        counts = clicks.item_clicks()
        warm, cold = np.flatnonzero(counts), np.flatnonzero(counts == 0)
        known, user_items = encoded.take(warm), select_columns(clicks.matrix, warm)
        if learn:
            with stage("learn what the metadata is worth"):
                self._learn(user_items, known)
        weights = self.backbone.solve(user_items).weights
        if learn:
            with stage("choose scales on pseudo-cold items", self.draws) as advance:
                self._choose(user_items, self._places(user_items, clicks), known, weights, advance)
        teaching = teachers(user_items)
        logs = log_clicks(user_items, teaching)
        self.length_ = mean_length(user_items)
        self.landmarks_ = known.take(self._landmark_rows(teaching))
        self.exact_ = len(teaching) <= self.exact_items
        self._compare()
        self.taste_ = self._ridge(known, teaching, self.taste_weights_, self.scales_.ridge)
        popularity = self._ridge(known, teaching, self.popularity_weights_, 1.0)
        self.popularity_solved_ = popularity.solve(logs)
        self.weights_ = DenseWeights.among(clicks.n_items, warm, weights)
        self._overlay(user_items, known, popularity, logs)
        self.cold_ = ColdItems(cold, encoded.take(cold), np.empty(0, dtype=np.float32))
        if len(cold):
            columns, certainty = self._cold_columns(self.cold_.encoded)
            self.cold_ = replace(self.cold_, certainty=certainty)
            self.weights_ = self.weights_.appended(clicks.n_items, cold, columns)

    def _compare(self) -> None:
        """Be ready to compare new items with the landmarks."""
        self._terms_index = self.kernel_.index(self.landmarks_)
        self._popularity = self._terms_index.weighted(self.popularity_weights_)

    def _learn(self, user_items: csr_array, known: EncodedItems) -> None:
        """μ, ν, t and b on a sample of items and users."""
        rng = stream(self.seed, "sample to learn from")
        teaching = teachers(user_items)
        affordable = int(np.sqrt(_SAMPLE_BYTES / (4 * len(self.kernel_.terms))))
        n = min(self.sample_items, affordable, len(teaching))
        sample = np.sort(rng.permutation(teaching)[:n])
        part = select_columns(user_items, sample)
        users = np.flatnonzero(np.diff(part.indptr) > 1)
        users = np.sort(rng.permutation(users)[: self.sample_users])
        terms = self.kernel_.index(known.take(sample)).by_term(known.take(sample))
        learned = learn_weights(terms, part[users], log_clicks(user_items, teaching)[sample], self.steps)
        self.taste_weights_, self.popularity_weights_ = learned.taste, learned.popularity
        self.scales_ = Scales(sharpness=learned.sharpness, share=learned.share)

    def _places(self, user_items: csr_array, clicks: Interactions) -> csr_array:
        """Each click's place, from 1, among those of its item: by time where the log has it, else drawn."""
        rng = stream(self.seed, "places of clicks")
        places = column_positions(user_items, rng, clicks.timestamps) + 1
        return with_data(user_items, places.astype(np.float32))

    def _choose(
        self,
        user_items: csr_array,
        places: csr_array,
        known: EncodedItems,
        weights: Float32,
        advance: Advance,
    ) -> None:
        """What the kernels leave open: what ranks pseudo-cold items best."""
        self.warm_up_ = WarmUp()
        trials = (self._trial(user_items, known, weights, self.seed + draw) for draw in range(self.draws))
        first, qualities = None, []
        for trial in trials:
            if trial is None:
                return
            first = first or trial
            qualities.append([trial.qualities(self.scales_, trial.candidate(r)) for r in RIDGES])
            advance(1)
        assert first is not None
        mean = np.mean(qualities, axis=0)
        r, a, b = np.unravel_index(mean.argmax(), mean.shape)
        candidate = first.candidate(RIDGES[r])
        self.scales_, own = first.levelled(
            replace(
                self.scales_,
                ridge=RIDGES[r],
                denoising=DENOISING[a],
                share=SHARES[b] * self.scales_.share,
            ),
            candidate,
        )
        self.warm_up_ = first.warm_up(own, candidate, places)

    def _trial(self, user_items: csr_array, known: EncodedItems, weights: Float32, seed: int) -> Trial | None:
        """Pseudo-cold items before this model's parts; None where no user can be tested."""
        pseudo = PseudoColdSplit.draw(user_items, seed, _TUNING_USERS)
        if pseudo is None:
            return None
        inverse = self.backbone.solve(pseudo.kept_clicks)
        return Trial(
            pseudo,
            known,
            user_items,
            weights,
            inverse.weights,
            inverse.diagonal,
            taste=lambda items, teaching, r: self._ridge(items, teaching, self.taste_weights_, r),
            popularity=lambda items, teaching: self._ridge(items, teaching, self.popularity_weights_, 1.0),
        )

    def _ridge(self, known: EncodedItems, teaching: Int64, weights: Float64, ridge: float) -> Ridge:
        """Over the items that teach: exact up to ``exact_items``, past them on landmarks."""
        landmarks = known.take(self._landmark_rows(teaching))
        kernel = self.kernel_.index(landmarks).weighted(weights)
        if len(teaching) <= self.exact_items:
            return ExactRidge.fitted(kernel, landmarks, ridge, len(known), teaching)
        return LandmarkRidge.fitted(kernel, known.take(teaching), landmarks, ridge, len(known), teaching)

    def _landmark_rows(self, teaching: Int64) -> Int64:
        """The items that stand for all that teach: themselves while they are few."""
        if len(teaching) <= self.exact_items:
            return teaching
        return teaching[_sampled(len(teaching), self.landmarks, stream(self.seed, "landmarks"))]

    def _cold_columns(self, queries: EncodedItems) -> tuple[Float32, Float32]:
        """Weight columns of never-clicked items (n_warm, n_queries), and their certainty."""
        solved, certainty = self.taste_.columns(queries)
        popularity = self._popularity.to(queries) @ self.popularity_solved_
        denoised = self._denoiser @ solved
        raw = self.scales_.raw(solved, denoised, popularity, self.length_)
        return np.ascontiguousarray(self.scales_.at_ease(raw, certainty)), certainty

    @property
    def _denoiser(self) -> Float32:
        """B, EASE's weights of the warm items."""
        return self.weights_.warm

    def _overlay(self, user_items: csr_array, known: EncodedItems, popularity: Ridge, logs: Float32) -> None:
        """Replace the columns of items with few clicks by what lies between metadata and own evidence."""
        counts = np.asarray(user_items.sum(axis=0)).ravel()
        new = newness(counts)
        few = np.flatnonzero(~self.warm_up_.settled(counts, new))
        columns = np.empty((len(known), len(few)), dtype=np.float32)
        for band in bands(len(few)):
            rows, queries = few[band], known.take(few[band])
            columns[:, band] = left_out_columns(
                self.scales_, self.taste_, popularity, logs, self._denoiser, self.length_, queries, rows
            )
        listeners = user_items[_sampled(user_items.shape[0], _LISTENERS, stream(self.seed, "listeners"))]
        own = self._denoiser[:, few]
        of_prior, of_own = self.warm_up_.shares(
            loudness(listeners @ columns), loudness(listeners @ own), counts[few], new[few]
        )
        columns *= of_prior
        columns += own * of_own
        if len(few):
            self.weights_ = self.weights_.replaced(self.weights_.rows[few], columns)

    @property
    def item_kinds(self) -> dict[str, Kind]:
        """Kinds of the item fields in use."""
        return dict(self._fitted().kernel_.kinds_)

    def append_items(self, items: Items, n_items: int) -> None:
        """New items get the columns of never-clicked ones: a solve with the kept factor."""
        queries = self.kernel_.encode(items)
        new = np.arange(self.n_items, n_items)
        columns, certainty = self._cold_columns(queries)
        self.weights_ = self.weights_.appended(n_items, new, columns)
        self.cold_ = self.cold_.appended(ColdItems(new, queries, certainty))

    def certainty(self) -> pl.DataFrame:
        """How sure the model is of each never-clicked item: item_id, certainty in [0, 1], surest first.

        The share of the item's prior variance that the metadata of the clicked items explains.
        """
        cold = self._fitted().cold_
        frame = pl.DataFrame({"item_id": self.items_.take(cold.columns), "certainty": cold.certainty})
        return frame.sort("certainty", descending=True, maintain_order=True)

    def importance(self) -> pl.DataFrame:
        """What in the metadata predicts clicks: field, and its share of both kernels, taste and popularity.

        A share is that of the variance over the clicked items: the weight times the mean K_f(i, i).
        """
        index = self._fitted()._terms_index
        own = index.own_by_term().mean(axis=1, dtype=np.float64)
        shares = [
            weights[:-1] * own / max(float(weights[:-1] @ own), 1e-30)
            for weights in (self.taste_weights_, self.popularity_weights_)
        ]
        frame = pl.DataFrame({"field": self.kernel_.terms, "taste": shares[0], "popularity": shares[1]})
        return frame.sort("taste", descending=True, maintain_order=True)

    def contributions(self, history: csr_array, column: int) -> Contributions:
        """Each click's weight, and what metadata gives to a never-clicked item."""
        by_click = super().contributions(history, column).by_click
        return Contributions(by_click, self._by_field(history, column), self._certainty_of(column))

    def _certainty_of(self, column: int) -> float | None:
        position, certainty = self.cold_.position(column), self.cold_.certainty
        return None if position is None or certainty is None else float(certainty[position])

    def _by_field(self, history: csr_array, column: int) -> pl.DataFrame | None:
        position, certainty = self.cold_.position(column), self.cold_.certainty
        if position is None or certainty is None:
            return None
        scales = self.scales_
        clicks = select_columns(history, self.weights_.rows)
        a, n_clicks = np.float32(scales.denoising), float(clicks.sum())
        denoised = (1 - a) * clicks.toarray()[0] + a * (clicks @ self._denoiser)[0]
        factor = float(scales.factor(certainty[[position]])[0])
        terms = self._terms_index.by_term(self.cold_.encoded.take(np.array([position])))[:, 0]
        shares = np.zeros(len(terms))
        constant = factor * scales.level * n_clicks
        for strength, weights, solved in (
            (scales.sharpness * self.length_, self.taste_weights_, self.taste_.solve(denoised)),
            (scales.share * n_clicks, self.popularity_weights_, self.popularity_solved_),
        ):
            shares += (factor * scales.slope * strength) * weights[:-1] * (terms @ solved)
            constant += factor * scales.slope * strength * weights[-1] * float(solved.sum())
        names = [*self.kernel_.terms, _CONSTANT]
        shares = np.append(shares, constant)
        order = np.argsort(-np.abs(shares), kind="stable")
        return pl.DataFrame({"field": [names[i] for i in order], "share": shares[order].astype(np.float32)})


def _sampled(n: int, most: int, rng: np.random.Generator) -> Int64:
    """At most ``most`` of range(n), ascending."""
    return np.sort(rng.permutation(n)[:most])
