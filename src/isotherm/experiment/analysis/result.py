"""What an analysis gives: every figure of an experiment, as plain objects and as JSON."""

import os
from dataclasses import asdict, dataclass, field
from typing import Any

from isotherm.experiment.analysis.effects import Effect, Interval
from isotherm.experiment.analysis.groups import Heterogeneity
from isotherm.experiment.analysis.options import AnalysisOptions
from isotherm.experiment.analysis.over_time import Novelty, SpillOver
from isotherm.experiment.analysis.sample_ratio import SampleRatio
from isotherm.experiment.analysis.sequences import Look
from isotherm.experiment.analysis.verdict import Verdict
from isotherm.experiment.metrics import Metric
from isotherm.files import finite, write_json


@dataclass(frozen=True)
class ArmResult:
    """An arm as it was served."""

    name: str
    users: int  #: measured
    values: dict[str, float | None]  #: metric -> value without CUPED


@dataclass(frozen=True)
class MetricResult:
    """One metric in one treatment against the control."""

    metric: Metric
    arm: str
    effect: Effect | None  #: with CUPED where the metric has covariates; None where nothing varies
    plain: Effect | None  #: without CUPED
    bootstrap: Interval | None  #: of the relative difference, by users; None where it says nothing
    looks: list[Look]  #: day by day, for peeking
    p_adjusted: float  #: corrected for all goals and arms; of guardrails as it is
    note: str = ""  #: what to know of it

    def to_dict(self, control: str) -> dict[str, Any]:
        """As result.json has it."""
        told = self.effect
        wanted = {"role": self.metric.role, "wanted": self.metric.wanted, "margin": self.metric.margin}
        plain: dict[str, Any] = {"metric": self.metric.name, "arm": self.arm, "against": control, **wanted}
        plain |= {"note": self.note, "looks": [asdict(look) for look in self.looks]}
        if told is None:
            return plain | dict.fromkeys(("control", "treatment", "estimate", "low", "high", "p"))
        sequence = asdict(self.looks[-1].sequence) if self.looks else None
        return plain | {
            "control": told.control,
            "treatment": told.treatment,
            "estimate": told.estimate,
            "difference": told.difference,
            "low": told.relative.low,
            "high": told.relative.high,
            "difference_low": told.absolute.low,
            "difference_high": told.absolute.high,
            "error": told.error,
            "p": told.p,
            "p_adjusted": self.p_adjusted,
            "probability_better": told.posterior.probability_better,
            "prior": {"distribution": "normal", "mean": 0.0, "scale": told.posterior.prior_scale},
            "posterior": asdict(told.posterior),
            "sequence": sequence,
            "bootstrap": None if self.bootstrap is None else asdict(self.bootstrap),
            "cuped": self._cuped(),
        }

    def _cuped(self) -> dict[str, Any] | None:
        if self.plain is None or self.effect is None or not self.metric.covariates:
            return None
        interval = self.plain.relative
        return {
            "variance_kept": self.effect.variance_kept,
            "without": {
                "estimate": self.plain.estimate,
                "low": interval.low,
                "high": interval.high,
                "p": self.plain.p,
            },
        }


@dataclass(frozen=True)
class Result:
    """An experiment, analysed. Where the sample ratio is wrong, ``metrics`` is empty unless asked for."""

    sample_ratio: SampleRatio
    arms: list[ArmResult]
    metrics: list[MetricResult]
    groups: dict[str, list[Heterogeneity]]  #: treatment -> of the first goal
    novelty: dict[str, Novelty]  #: treatment -> of the first goal
    spill_over: dict[str, SpillOver]
    verdict: Verdict
    days: int  #: of the log
    options: AnalysisOptions
    counts: dict[str, int] = field(default_factory=dict)  #: of the log

    @property
    def goal(self) -> MetricResult | None:
        """The first goal in the arm that the verdict is about."""
        found = [each for each in self.metrics if each.metric.name == self.verdict.metric]
        return next((each for each in found if each.arm == self.verdict.arm), None)

    def to_dict(self) -> dict[str, Any]:
        """As result.json has it: what has no value is null."""
        control, goal = self.arms[0].name, self.goal
        told = None if goal is None else goal.effect
        top = {
            "metric": self.verdict.metric,
            "estimate": None if told is None else told.estimate,
            "low": None if told is None else told.relative.low,
            "high": None if told is None else told.relative.high,
            "p": None if told is None else told.p,
            "verdict": self.verdict.action,
        }
        ratio = asdict(self.sample_ratio) | {"mismatch": self.sample_ratio.mismatch}
        whole: dict[str, Any] = finite(
            top
            | {
                "arm": self.verdict.arm,
                "against": control,
                "wait_days": self.verdict.wait_days,
                "words": self.words,
                "days": self.days,
                "sample_ratio": ratio,
                "arms": [asdict(arm) for arm in self.arms],
                "metrics": [each.to_dict(control) for each in self.metrics],
                "groups": {arm: [asdict(each) for each in groups] for arm, groups in self.groups.items()},
                "novelty": {arm: asdict(each) for arm, each in self.novelty.items()},
                "spill_over": {arm: asdict(each) for arm, each in self.spill_over.items()},
                "counts": self.counts,
                "options": asdict(self.options),
            }
        )
        return whole

    @property
    def words(self) -> list[str]:
        """What to know, in plain sentences; the verdict first."""
        of_time = [each.words for each in self.novelty.values()]
        of_time += [each.words for each in self.spill_over.values()]
        return list(dict.fromkeys([*self.verdict.words, self.sample_ratio.words, *of_time]))

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write ``to_dict``. Raises OutputError."""
        write_json(path, self.to_dict())
