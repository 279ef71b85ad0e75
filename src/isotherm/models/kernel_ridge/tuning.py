"""The numbers of kernel ridge that are chosen on pseudo-cold items rather than learned with the kernels."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from isotherm.features.metadata import EncodedItems
from isotherm.linalg.csr import select_columns
from isotherm.models.cold_start.calibration import WarmAndCold, mean_ndcg, top_items
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.kernel_ridge.ridge import Ridge, bands
from isotherm.models.kernel_ridge.warm_up import MANY_CLICKS, Old, Ramp, WarmUp, chosen_warm_up, newness
from isotherm.ranking.topk import hide
from isotherm.types import Float32, Float64, Int64

RIDGES = (0.25, 0.5, 1.0, 2.0)  # r
DENOISING = (0.0, 0.3, 0.6, 0.9)  # a
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)  # b, in units of the learned one
_CAUTION = (0.0, 0.5, 1.0, 2.0)
_ENOUGH = 21
_FLOOR = 0.1  # of the mean clicks an item: added before the logarithm, so that rare items are no outliers

Floats = Float32


@dataclass
class Scales:
    """The numbers that turn two predictions into weight columns at the scale of EASE's.

    sharpness (t) times the mean history length, share (b), denoising (a), ridge (r); slope and level: the
    regression of EASE's scores on the raw ones, a click; caution: the power of the certainty;
    loudness: how loudly cold items speak among warm ones.
    """

    sharpness: float = 1.0
    share: float = 1.0
    denoising: float = 0.3
    ridge: float = 1.0
    slope: float = 1.0
    level: float = 0.0
    caution: float = 0.0
    loudness: float = 1.0

    def raw(
        self,
        solved: Float32,
        denoised: Float32,
        popularity: Float32,
        length: float,
        clicks: Float32 | float = 1.0,
    ) -> Float32:
        """t·((1 − a)·Z + a·B·Z) + b·g, of weight columns or of sums over a history of so many ``clicks``.

        length: the mean history length, in which t is measured.
        """
        a, t = self.denoising, self.sharpness * length
        mixed: Float32 = np.float32(t * (1 - a)) * solved
        mixed += np.float32(t * a) * denoised
        mixed += (np.float32(self.share) * popularity) * clicks
        return mixed

    def at_ease(self, raw: Float32, certainty: Float32) -> Float32:
        """Weight columns at EASE's scale, in place."""
        raw *= np.float32(self.slope)
        raw += np.float32(self.level)
        raw *= self.factor(certainty)
        return raw

    def factor(self, certainty: Float32) -> Float32:
        """What an item's certainty makes of its column."""
        return np.float32(self.loudness) * certainty ** np.float32(self.caution)


@dataclass(frozen=True)
class Candidate:
    """A ridge fitted on the kept items; Z, B·Z (n_kept, n_hidden), certainty (n_hidden,) of the hidden."""

    fitted: Ridge
    solved: Floats
    denoised: Floats
    certainty: Floats


class Trial:
    """Pseudo-cold items before a fitted model and before one that never saw them.

    known: metadata of all items.  user_items: all clicks.  weights: EASE's with all of them.
    kept_weights, inverse_diagonal: EASE's on what is kept.  taste, popularity: what fits the two ridges to
    items and those of them that teach.
    """

    def __init__(
        self,
        pseudo: PseudoColdSplit,
        known: EncodedItems,
        user_items: csr_array,
        weights: Floats,
        kept_weights: Floats,
        inverse_diagonal: Floats,
        taste: Callable[[EncodedItems, Int64, float], Ridge],
        popularity: Callable[[EncodedItems, Int64], Ridge],
    ) -> None:
        self._pseudo, self._user_items, self._weights = pseudo, user_items, weights
        self._kept_weights, self._inverse_diagonal = kept_weights, inverse_diagonal
        self._kept, self._hidden = known.take(pseudo.kept_items), known.take(pseudo.hidden_items)
        self._kept_clicks, self._histories = pseudo.kept_clicks, pseudo.histories
        self._length, self._full_length = mean_length(self._kept_clicks), mean_length(user_items)
        self._lengths = _row_sums(self._histories)
        self._targets = select_columns(pseudo.targets, pseudo.hidden_items)
        self._taste, self._teachers = taste, teachers(self._kept_clicks)
        self._logs = log_clicks(self._kept_clicks, self._teachers)
        self._popularity = popularity(self._kept, self._teachers)
        self._expected = self._popularity.rows(self._hidden) @ self._popularity.solve(self._logs)

    def candidate(self, ridge: float) -> Candidate:
        """The hidden items' columns under one r."""
        fitted = self._taste(self._kept, self._teachers, ridge)
        solved, certainty = fitted.columns(self._hidden)
        return Candidate(fitted, solved, self._kept_weights @ solved, certainty)

    def qualities(self, scales: Scales, candidate: Candidate) -> Float64:
        """ndcg@10 of the hidden items among themselves for each a and b: (n_denoising, n_shares)."""
        plain = self._histories @ candidate.solved
        denoised = self._histories @ candidate.denoised
        found = np.empty((len(DENOISING), len(SHARES)))
        for i, a in enumerate(DENOISING):
            for j, b in enumerate(SHARES):
                tried = replace(scales, denoising=a, share=b * scales.share)
                scores = tried.raw(plain, denoised, self._expected, self._length, self._lengths)
                found[i, j] = mean_ndcg(scores, self._targets)
        return found

    def levelled(self, scales: Scales, candidate: Candidate) -> tuple[Scales, Scales]:
        """With slope and level (EASE's scores regressed on the raw ones), caution and loudness.

        First for a model of all clicks, then for this trial's own: they differ in loudness.
        """
        pseudo, kept = self._pseudo, self._pseudo.kept_items
        raw = scales.raw(candidate.solved, candidate.denoised, self._expected, self._length)
        histories = self._user_items[pseudo.test_users]
        ease = (histories @ self._weights[:, pseudo.hidden_items]) / _row_sums(histories)
        predicted = (self._histories @ raw) / self._lengths
        spread = predicted - predicted.mean()
        slope = float(np.vdot(spread, ease) / max(float(np.vdot(spread, spread)), 1e-30))
        if slope <= 0:
            slope = float(ease.std() / max(float(predicted.std()), 1e-15))
        slope = max(slope, 1e-12)
        scales = replace(scales, slope=slope, level=float(ease.mean() - slope * predicted.mean()))
        every = np.arange(len(self._weights))
        warm = top_items(self._histories, self._kept_weights, kept, hide_seen=True)
        fitted_warm = top_items(histories, self._weights, every, hide_seen=True)
        spread_out = np.zeros((len(every), raw.shape[1]), dtype=np.float32)
        spread_out[kept] = candidate.solved
        fitted_raw = scales.raw(spread_out, self._weights @ spread_out, self._expected, self._full_length)
        best_quality, found, loud_here = -1.0, scales, 1.0
        for caution in _CAUTION:
            tried = replace(scales, caution=caution)
            cold, fitted_cold = (
                top_items(h, tried.at_ease(columns.copy(), candidate.certainty), pseudo.hidden_items)
                for h, columns in ((self._histories, raw), (histories, fitted_raw))
            )
            lists = WarmAndCold(warm, cold)
            scale = lists.best_scale(pseudo.targets)
            if scale.ndcg > best_quality * (1 + 1e-3):
                best_quality, loud_here = scale.ndcg, scale.relative * lists.level_ratio()
                ratio = WarmAndCold(fitted_warm, fitted_cold).level_ratio()
                found = replace(tried, loudness=scale.relative * ratio)
        return found, replace(found, loudness=loud_here)

    def warm_up(self, scales: Scales, candidate: Candidate, places: csr_array) -> WarmUp:
        """The pace at which hidden items leave their metadata as they get clicks.

        scales: this trial's own.  places: the clicks (n_users, n_items) CSR, each with its place, from 1, in
        its item's order.
        """
        raw = scales.raw(candidate.solved, candidate.denoised, self._expected, self._length)
        ramp = Ramp(
            prior=scales.at_ease(raw, candidate.certainty),
            hidden_clicks=places[:, self._pseudo.hidden_items],
            kept_clicks=self._kept_clicks,
            weights=self._kept_weights,
            inverse_diagonal=self._inverse_diagonal,
            tested=self._pseudo.test_users,
        )
        scores = np.asarray(self._histories @ self._kept_weights, dtype=np.float32)
        hide(scores, self._histories)
        clicks = np.asarray(self._kept_clicks.sum(axis=0), dtype=np.float32).ravel()
        few = np.flatnonzero(clicks < MANY_CLICKS)
        prior = np.empty((len(scores), len(few)), dtype=np.float32)
        for band in bands(len(few)):
            queries = self._kept.take(few[band])
            columns = left_out_columns(
                scales, candidate.fitted, self._popularity, self._logs, self._kept_weights, self._length,
                queries, few[band],
            )  # fmt: skip
            prior[:, band] = self._histories @ columns
        targets = select_columns(self._pseudo.targets, self._pseudo.kept_items)
        return chosen_warm_up(ramp, Old(scores, few, clicks[few], newness(clicks)[few], prior, targets))


def left_out_columns(
    scales: Scales,
    taste: Ridge,
    popularity: Ridge,
    logs: Floats,
    denoiser: Floats,
    length: float,
    queries: EncodedItems,
    rows: Int64,
) -> Floats:
    """Columns (n, len(rows)) of items of the catalogue as though they had never been clicked."""
    solved, certainty = taste.left_out(queries, rows)
    expected = logs @ popularity.left_out(queries, rows)[0]
    columns = scales.at_ease(scales.raw(solved, denoiser @ solved, expected, length), certainty)
    columns[rows, np.arange(len(rows))] = 0
    return columns


def mean_length(user_items: csr_array) -> float:
    """Mean clicks of the users who have any."""
    lengths = _row_sums(user_items)
    return float(lengths[lengths > 0].mean())


def teachers(user_items: csr_array) -> Int64:
    """The items whose clicks the kernels learn from: half of all at least, and all of more than 20 clicks.

    An item with few clicks may be an old one that nobody wants or a new one that nobody was shown: what it
    has to say about the likes of it is small, and where it is new it is wrong.
    """
    clicks = np.asarray(user_items.sum(axis=0)).ravel()
    return np.flatnonzero(clicks >= min(_ENOUGH, float(np.median(clicks))))


def log_clicks(user_items: csr_array, teaching: Int64) -> Floats:
    """log(clicks + a tenth of the mean) of each item, centred over the teachers: (n_items,)."""
    clicks = np.asarray(user_items.sum(axis=0), dtype=np.float64).ravel()
    logs = np.log(clicks + _FLOOR * clicks[teaching].mean())
    return np.asarray(logs - logs[teaching].mean(), dtype=np.float32)


def _row_sums(user_items: csr_array) -> Floats:
    """(n_users, 1)."""
    return np.asarray(user_items.sum(axis=1), dtype=np.float32).reshape(-1, 1)
