"""The page of an experiment: the verdict, what it stands on, and in the demo the truth beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scipy import stats

from isotherm.experiment.analysis import Result
from isotherm.report.experiment import figures, tables
from isotherm.report.experiment.labels import metric_label, verdict_label
from isotherm.report.page import Page, render
from isotherm.version import __version__


@dataclass(frozen=True)
class KnownTruth:
    """The truth of a simulated experiment.

    by_metric: relative differences.  inside: whether that of the goal is inside the interval.  right:
    whether the verdict is.
    """

    by_metric: Mapping[str, float]
    inside: bool
    right: bool


@dataclass(frozen=True)
class ExperimentReport(Page):
    """The page of an analysed experiment."""

    title: str
    source: str  #: of the log, in words
    result: Result
    truth: KnownTruth | None = None
    facts: list[tuple[str, str]] = field(default_factory=list)  #: of the simulation: what, how much

    def html(self) -> str:
        """The page."""
        result, goal = self.result, self.result.goal
        effect = None if goal is None else goal.effect
        return render(
            "experiment.html",
            report=self,
            result=result,
            effect=effect,
            truth=self.truth,
            known=self._known.get(result.verdict.metric),
            head=verdict_label(result.verdict, result.options.longest),
            metric=metric_label(result.verdict.metric),
            arms=tables.arms_table(result),
            metrics=tables.metrics_table(result),
            looks=tables.looks_table(result),
            counts=tables.counts_table(result),
            groups=self._groups(),
            novelty=result.novelty.get(result.verdict.arm),
            spill_over=result.spill_over.get(result.verdict.arm),
            notes=[each for each in result.metrics if each.note],
            charts=self._charts(),
            label=metric_label,
            version=__version__,
        )

    @property
    def _known(self) -> Mapping[str, float]:
        """Metric -> its true relative difference, of those that are known."""
        return {} if self.truth is None else self.truth.by_metric

    def _groups(self) -> list[dict[str, Any]]:
        """Of the arm that the verdict is about; those with two groups at least."""
        found = []
        for each in self.result.groups.get(self.result.verdict.arm, []):
            if len(each.groups) > 1:
                chart = figures.group_bars(each)
                found.append({"of": each, "table": tables.groups_table(each), "chart": chart})
        return found

    def _charts(self) -> dict[str, str]:
        """Name in the templates -> SVG; empty where there is nothing to draw."""
        result, goal = self.result, self.result.goal
        novelty = result.novelty.get(result.verdict.arm)
        quantile = float(stats.norm.ppf((1 + result.options.level) / 2))
        return {
            "effects": figures.effect_bars(result.metrics, self._known, len(result.arms) > 2),
            "looks": figures.look_lines(
                goal.looks if goal is not None else [], self._known.get(result.verdict.metric)
            ),
            "novelty": figures.day_bars(novelty.days if novelty is not None else [], quantile),
        }
