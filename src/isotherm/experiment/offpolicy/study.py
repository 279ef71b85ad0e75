"""What a new policy would have got, from a log: all estimates, their intervals, and what to make of them."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from isotherm.checks import above, is_text, one_of, seeded
from isotherm.errors import ParameterError
from isotherm.experiment.offpolicy.estimators import (
    PER,
    Terms,
    chosen_threshold,
    doubly_robust,
    ips,
    logged_mean,
    snips,
    switch,
)
from isotherm.experiment.offpolicy.intervals import Estimate, bootstrap_interval, delta_interval
from isotherm.experiment.offpolicy.logged import Logged
from isotherm.experiment.offpolicy.rewards import Predictions, cross_fitted
from isotherm.experiment.offpolicy.targets import Target
from isotherm.experiment.offpolicy.weights import (
    LISTS,
    Overlap,
    OverlapRules,
    Weights,
    check_overlap,
    importance_weights,
    measure_overlap,
)
from isotherm.files import finite

METHODS = ("ips", "snips", "doubly-robust", "switch")
_SURE = 0.05


@dataclass(frozen=True)
class OffPolicyOptions:
    """How a new policy is estimated. Raises ParameterError.

    Parameters:
        lists ("item-position", "cascade" or "list"; default "item-position"): what the reward of an item
            depends on in its list; see ``weights``.
        per ("impression" or "list"; default "impression"): what rewards are divided by.
        clip (> 0 or None; default None): the largest weight; larger ones are set to it.
        threshold (> 0 or "auto"; default "auto"): of switch; "auto" takes the least estimated bound of its
            mean squared error.
        method (one of METHODS or "auto"; default "auto"): the estimate that the verdict is about; "auto" is
            doubly-robust where there are predictions, else snips.
        interval ("delta" or "bootstrap"; default "delta"): both with users as units.
        rules (OverlapRules; default OverlapRules()): when nothing is estimated.
        seed (>= 0; default 0): of folds and of the bootstrap.
    """

    lists: str = "item-position"
    per: str = "impression"
    clip: float | None = None
    threshold: float | str = "auto"
    method: str = "auto"
    interval: str = "delta"
    rules: OverlapRules = field(default_factory=OverlapRules)
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("lists", self.lists, LISTS)
        one_of("per", self.per, PER)
        one_of("method", self.method, (*METHODS, "auto"))
        one_of("interval", self.interval, ("delta", "bootstrap"))
        object.__setattr__(self, "seed", seeded("seed", self.seed))
        if self.clip is not None:
            object.__setattr__(self, "clip", above("clip", self.clip, 0))
        if not is_text(self.threshold, "auto"):
            object.__setattr__(self, "threshold", above("threshold", self.threshold, 0))


@dataclass(frozen=True)
class OffPolicyResult:
    """What a new policy would have got.

    method: of ``estimate``.  estimates: by method, with a model of rewards where it could be had.  logged:
    what the logged policy got.  difference: the new policy less the logged one, its interval and p paired by
    user.  threshold: of switch, None for none or where nothing is left out.
    """

    method: str
    estimates: Mapping[str, Estimate]
    logged: Estimate
    difference: Estimate
    overlap: Overlap
    threshold: float | None
    options: OffPolicyOptions

    @property
    def estimate(self) -> Estimate:
        """What the new policy would have got, by ``method``."""
        return self.estimates[self.method]

    @property
    def verdict(self) -> str:
        """better, worse or undecided: on which side of 0 the interval of the difference is, if on one."""
        if self.difference.p is None or self.difference.p >= _SURE:
            return "undecided"
        return "better" if self.difference.estimate > 0 else "worse"

    @property
    def words(self) -> str:
        """The verdict in a sentence."""
        found, logged = self.estimate, self.logged.estimate
        told = f"The new policy would get {found.estimate:.4g} (95%: {found.low:.4g} to {found.high:.4g})"
        told += {"impression": " an impression", "list": " a list"}[self.options.per]
        if self.overlap.clipped:
            told += (
                f" (clipping took {self.overlap.lost:.0%} of the weight, which pulls this away from the new "
                "policy and its interval does not show it)"
            )
        if self.verdict == "undecided":
            return f"{told}; the log cannot tell that from the {logged:.4g} that was logged."
        return f"{told}, {self.verdict} than the {logged:.4g} that was logged; confirm it by an experiment."

    def to_dict(self) -> dict[str, Any]:
        """As JSON; ends that are not finite are null."""
        whole: dict[str, Any] = finite(
            {
                "metric": f"reward per {self.options.per}",
                "estimate": self.estimate.estimate,
                "low": self.estimate.low,
                "high": self.estimate.high,
                "p": self.difference.p,
                "verdict": self.verdict,
                "words": self.words,
                "method": self.method,
                "difference": asdict(self.difference),
                "logged": asdict(self.logged),
                "estimates": {name: asdict(each) for name, each in self.estimates.items()},
                "overlap": self.overlap.to_dict(),
                "threshold": self.threshold,
                "options": asdict(self.options),
            }
        )
        return whole


def estimate(
    log: Logged,
    target: Target,
    options: OffPolicyOptions | None = None,
    predictions: Predictions | None = None,
) -> OffPolicyResult:
    """What ``target`` would have got in the place of the policy that wrote ``log``.

    predictions: of a model of rewards; None for the means of items at positions, fitted across users.
    Raises OverlapError, with words and a cure, where the log says too little of the target, and
    ParameterError where a method is asked for that needs the probabilities of items that were not shown.

    >>> import polars as pl
    >>> from isotherm.experiment.offpolicy import Column, OffPolicyOptions, OverlapRules, estimate, log_of
    >>> rows = {"item_id": ["a", "b"] * 200, "reward": [1.0, 0.0] * 200, "propensity": [0.5] * 400}
    >>> log = log_of(pl.DataFrame(rows))
    >>> found = estimate(log, Column([0.9, 0.1] * 200), OffPolicyOptions(method="ips"))
    >>> round(found.estimate.estimate, 3), found.verdict
    (0.9, 'better')
    """
    options = options or OffPolicyOptions()
    weights = importance_weights(log, target.probabilities(log), options.lists, options.clip)
    overlap = measure_overlap(log, weights)
    check_overlap(log, weights, overlap, options.rules)
    if predictions is None and len(log.user_ids) > 1:
        predictions = cross_fitted(log, target, min(5, len(log.user_ids)), seed=options.seed)
    terms, threshold = _terms(log, weights, predictions, options)
    method = _method(options.method, terms)
    logged = logged_mean(log, options.per)
    moved = terms[method].influence - logged.influence
    difference = delta_interval(terms[method].value - logged.value, moved, abs(logged.value))
    return OffPolicyResult(
        method=method,
        estimates={name: _interval(each, options) for name, each in terms.items()},
        logged=_interval(logged, options),
        difference=difference,
        overlap=overlap,
        threshold=threshold,
        options=options,
    )


def _terms(
    log: Logged, weights: Weights, predictions: Predictions | None, options: OffPolicyOptions
) -> tuple[dict[str, Terms], float | None]:
    """Method -> estimate; the threshold of switch."""
    per = options.per
    terms = {"ips": ips(log, weights, per), "snips": snips(log, weights, per)}
    if predictions is None:
        return terms, None
    threshold = options.threshold
    if isinstance(threshold, str):
        threshold = chosen_threshold(log, weights, predictions, per)
    terms["doubly-robust"] = doubly_robust(log, weights, predictions, per)
    terms["switch"] = switch(log, weights, predictions, threshold, per)
    return terms, threshold if math.isfinite(threshold) else None


def _method(asked: str, terms: Mapping[str, Terms]) -> str:
    if asked == "auto":
        return "doubly-robust" if "doubly-robust" in terms else "snips"
    if asked not in terms:
        raise ParameterError(
            f"method={asked!r} needs what the new policy shows beside the logged items; give a model as the "
            "target, or take ips or snips"
        )
    return asked


def _interval(terms: Terms, options: OffPolicyOptions) -> Estimate:
    if options.interval == "bootstrap":
        return bootstrap_interval(terms, options.seed)
    found = delta_interval(terms.value, terms.influence)
    return Estimate(found.estimate, found.low, found.high, found.error)
