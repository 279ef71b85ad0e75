"""The page of an evaluation: how well each model ranks, what its lists are like, whom it serves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from isotherm.evaluation import Comparison, Evaluation, ModelResult
from isotherm.evaluation.over_folds import fold_labels
from isotherm.evaluation.paired import compared, corrected
from isotherm.evaluation.warnings import FEW_USERS, far_apart
from isotherm.report.evaluation_figures import (
    group_points,
    importance_bars,
    metric_bars,
    new_share_bars,
    tradeoff_points,
)
from isotherm.report.examples import ExampleUser
from isotherm.report.page import Page, render
from isotherm.version import __version__

_SETS = {
    "cold": "new items among new items",
    "warm": "known items among known items",
    "all": "everything in one list",
}

#: setting of a split -> words before its value
_SETTINGS = {
    "holdout": "holdout",
    "train_share": "share of the clicks before the cut",
    "warm_holdout": "warm_holdout",
    "cuts": "cuts",
    "cut": "cut",
    "cut_date": "which is",
    "horizon": "horizon",
    "end": "until",
    "end_date": "which is",
    "next_k": "to find the next",
    "fold_in": "fold_in",
    "fold_in_order": "fold_in_order",
    "negatives": "negatives",
    "seed": "seed",
}
_LIST_MEASURES = ("diversity", "calibration-js", "calibration-kl", "novelty", "coverage", "gini")
_GROUPINGS = {
    "history": ("By how much is known of a user", "clicks of the history"),
    "users": ("Returning and new users", "whether a user has clicks in training"),
    "item-age": ("By how long an item has been there", "first click of the item to find"),
}

_IMPORTANCE_CAPTION = (
    "How much each field moves the scores of new items, as its share of what all fields do; the pairs of "
    "fields that a model knows count half for each."
)


@dataclass(frozen=True)
class Report(Page):
    """The page of an evaluation: tables and figures of metrics, lists and groups, and examples."""

    title: str
    source: str  #: of the clicks, in words
    evaluation: Evaluation
    k: int  #: length of the lists
    highlight: str  #: the model that the page is about
    examples: Sequence[ExampleUser] = field(default_factory=list)
    importance: pl.DataFrame | None = None  #: what marec or kernel-ridge says of the metadata's fields

    def html(self) -> str:
        """The page."""
        metrics = [f"hr@{self.k}", f"ndcg@{self.k}"]
        return render(
            "report.html",
            report=self,
            version=__version__,
            split=self.evaluation.split,
            metrics=metrics,
            plain_metrics=self._plain_metrics(),
            few_users=FEW_USERS,
            rows=self._ranking_rows(metrics),
            sets=_SETS,
            verdict=self._verdict(metrics[0]),
            bars=metric_bars(self.evaluation, metrics, self.highlight),
            new_items=self._new_items(metrics),
            importance=self._importance_figure(),
            comparisons=self._comparisons(metrics[0]),
            lists=self._list_measures(metrics[1]),
            over_folds=self._over_folds(metrics[1]),
            settings=_SETTINGS,
            groups=self._group_tables(metrics[0]),
        )

    def _over_folds(self, metric: str) -> dict[str, Any] | None:
        """One metric fold by fold, or cut by cut; None where there is one."""
        folds = self.evaluation.split.get("folds")
        if folds is None:
            return None
        rows = []
        for candidates in _SETS:
            for number, (name, result) in enumerate(self._tested(candidates).items()):
                figures = result.folds[candidates][metric]
                values = [*figures.values, figures.mean, figures.spread]
                cells = ["" if value is None else f"{value:.4f}" for value in values]
                rows.append({"candidates": candidates, "first": number == 0, "model": name, "cells": cells})
        users = [fold["candidates"]["all"]["users"] for fold in folds]
        title = "At each cut in time" if "cut" in folds[0] else "One by one"
        return {"title": title, "folds": list(zip(fold_labels(folds), users, strict=True)), "rows": rows}

    def _plain_metrics(self) -> list[str]:
        """Shown without intervals."""
        return [f"{name}@{self.k}" for name in ("hit_rate", "recall")]

    def _new_items(self, metrics: list[str]) -> dict[str, Any] | None:
        """How often each model shows new items, and how often they are clicked; None where there are none."""
        clicks = self.evaluation.split["candidates"]["all"].get("new_item_share")
        if clicks is None:
            return None
        rows = []
        for name, result in self.evaluation.models.items():
            shown = result.mean("all", f"new_share@{self.k}")
            rows.append(
                {
                    "model": name,
                    "shown": shown,
                    "apart": clicks < 1 and far_apart(shown, clicks),
                    "coverage": result.mean("all", f"coverage@{self.k}"),
                    "cold": [
                        result.mean("cold", metric) if "cold" in result.metrics else None
                        for metric in metrics
                    ],
                }
            )
        figure = new_share_bars(self.evaluation, self.k, clicks, self.highlight)
        return {"clicks": clicks, "metrics": metrics, "rows": rows, "figure": figure}

    def _list_measures(self, metric: str) -> dict[str, Any] | None:
        """What the lists of all candidates are like; None where metadata says nothing of them."""
        results = self.evaluation.models
        measures = [f"{name}@{self.k}" for name in _LIST_MEASURES]
        names = [name for name in measures if any(name in each.metrics["all"] for each in results.values())]
        diversity = f"diversity@{self.k}"
        if diversity not in names:
            return None
        rows = [(model, [_three_digits(result, name) for name in names]) for model, result in results.items()]
        figure = tradeoff_points(self.evaluation, diversity, metric, self.highlight)
        return {"names": names, "rows": rows, "figure": figure}

    def _group_tables(self, metric: str) -> list[dict[str, Any]]:
        """A figure and a table for each grouping."""
        tables = []
        for by in dict.fromkeys(by for result in self.evaluation.models.values() for by in result.groups):
            title, of = _GROUPINGS[by]
            first = next(iter(self.evaluation.models.values())).groups[by]["all"]
            described = self.evaluation.split.get("groups", {}).get(by, {})
            rows = [
                {
                    "label": label,
                    **described.get(label, {}),
                    "users": group.users,
                    "span": self._span(by, label),
                    "cells": [
                        f"{result.groups[by]['all'][label].metrics[metric].mean:.3f}"
                        for result in self.evaluation.models.values()
                    ],
                }
                for label, group in first.items()
            ]
            figure = group_points(self.evaluation, by, metric)
            asked = all("new_item_share" in row for row in rows)
            tables.append(
                {"title": title, "of": of, "metric": metric, "rows": rows, "figure": figure, "asked": asked}
            )
        return tables

    def _span(self, by: str, label: str) -> str:
        """From when to when the items of a group had their first click."""
        facts = self.evaluation.split.get("groups", {}).get(by, {}).get(label, {})
        return f"{facts['first']} to {facts['last']}" if "first" in facts else ""

    def _importance_figure(self) -> dict[str, Any] | None:
        """The figure of what the metadata is worth, what it shows, and the same as a table."""
        if self.importance is None:
            return None
        shown = self.importance.select("field", pl.col("share").map_elements(_percent, pl.String))
        figure = importance_bars(self.importance)
        return {
            "figure": figure,
            "caption": _IMPORTANCE_CAPTION,
            "names": shown.columns,
            "rows": shown.rows(),
        }

    def _ranking_rows(self, metrics: list[str]) -> list[dict[str, Any]]:
        """Table rows, set by set; the best value of a column is marked."""
        rows = []
        for candidates in _SETS:
            results = self._tested(candidates)
            best = {
                metric: max((result.mean(candidates, metric) for result in results.values()), default=0.0)
                for metric in metrics
            }
            rows += [
                {
                    "candidates": candidates,
                    "first": number == 0,
                    "count": len(results),
                    "model": name,
                    "cells": [
                        (result.metrics[candidates][metric], result.mean(candidates, metric) == best[metric])
                        for metric in metrics
                    ],
                    "plain": [result.mean(candidates, metric) for metric in self._plain_metrics()],
                    "seconds": result.seconds,
                }
                for number, (name, result) in enumerate(results.items())
            ]
        return rows

    def _tested(self, candidates: str) -> dict[str, ModelResult]:
        """The models that were measured on a candidate set."""
        models = self.evaluation.models
        return {name: result for name, result in models.items() if candidates in result.metrics}

    def _verdict(self, metric: str) -> str:
        """The result in one sentence a set, from the paired comparisons."""
        sentences = []
        for candidates, words in _SETS.items():
            results = self._tested(candidates)
            scores = {name: result.mean(candidates, metric) for name, result in results.items()}
            if scores:
                top = max(scores.values())
                best = [name for name, score in scores.items() if score == top]
                verb = "leads" if len(best) == 1 else "lead"
                sentences.append(f"{words}: {' and '.join(best)} {verb} with {metric} {top:.3f}")
        text = "; ".join(sentences) + "."
        return text[:1].upper() + text[1:]

    def _comparisons(self, metric: str) -> list[Comparison]:
        """The highlighted model against each other one, p_holm corrected for these alone."""
        rows = []
        for candidates in _SETS:
            values = {name: each.values_of(candidates) for name, each in self._tested(candidates).items()}
            own = values.pop(self.highlight, None)
            if own is not None:
                pairs = (((self.highlight, own), other) for other in values.items())
                rows += [compared(candidates, metric, *pair) for pair in pairs]
        return corrected([row for row in rows if row is not None])


def _three_digits(result: ModelResult, metric: str) -> str:
    """A metric among all candidates; nothing where it says nothing of the model."""
    return f"{result.mean('all', metric):.3f}" if metric in result.metrics["all"] else ""


def _percent(share: float) -> str:
    return f"{share:.1%}"
