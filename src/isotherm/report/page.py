"""One self-contained HTML page: no script, no network, figures inline."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from isotherm.evaluation import Evaluation, Interval, RampUp
from isotherm.files import text_writer, write_atomically
from isotherm.report.examples import ExampleUser
from isotherm.report.figures import (
    group_points,
    importance_bars,
    kernel_bars,
    metric_bars,
    ramp_lines,
    tradeoff_points,
)
from isotherm.version import __version__

_SETS = {
    "cold": "new items among new items",
    "warm": "known items among known items",
    "all": "everything in one list",
}

_OF_LISTS = ("diversity", "calibration-js", "calibration-kl", "novelty", "coverage", "gini")
_GROUPINGS = {
    "clicks": ("By how much is known of a user", "clicks of the history"),
    "item-age": ("By how long an item has been there", "first click of the item to find"),
}

_ALIGNMENT_CAPTION = (
    "Weight of each field, and of each pair of fields, in the learned item similarity. Pairs are products of "
    "two similarities, so a large weight can go with a small effect."
)
_KERNEL_CAPTION = (
    "Share of each field in what likens one item to another: for the taste of one user, and for the number "
    "of people who click. The amount of a field is how much of it an item has."
)


class Page(ABC):
    """A page: what it says is ``html``."""

    @abstractmethod
    def html(self) -> str:
        """The page."""

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the page whole or not at all."""
        write_atomically(path, text_writer(self.html()))


@dataclass(frozen=True)
class Report(Page):
    """What a report shows.

    highlight: the model that the page is about.  importance: what marec or kernel-ridge learned, or None.
    """

    title: str
    source: str
    evaluation: Evaluation
    k: int
    highlight: str
    examples: Sequence[ExampleUser] = field(default_factory=list)
    importance: Any = None

    def html(self) -> str:
        """The page."""
        metrics = [f"hr@{self.k}", f"ndcg@{self.k}"]
        return render(
            "report.html",
            report=self,
            version=__version__,
            split=self.evaluation.split,
            metrics=metrics,
            rows=self._rows(metrics),
            sets=_SETS,
            verdict=self._verdict(metrics[0]),
            bars=metric_bars(self.evaluation, metrics, self.highlight),
            importance=self._importance(),
            comparisons=self._comparisons(),
            lists=self._lists(metrics[1]),
            groups=self._groups(metrics[0]),
        )

    def _lists(self, metric: str) -> dict[str, Any] | None:
        """What the lists of all candidates are like; None where metadata says nothing of them."""
        results = self.evaluation.models
        known = [f"{name}@{self.k}" for name in _OF_LISTS]
        names = [name for name in known if any(name in result.metrics["all"] for result in results.values())]
        diversity = f"diversity@{self.k}"
        if diversity not in names:
            return None
        rows = [
            (model, [_shown(result.metrics["all"].get(name)) for name in names])
            for model, result in results.items()
        ]
        figure = tradeoff_points(self.evaluation, diversity, metric, self.highlight)
        return {"names": names, "rows": rows, "figure": figure}

    def _groups(self, metric: str) -> list[dict[str, Any]]:
        """A figure and a table for each grouping."""
        found = []
        for by in dict.fromkeys(by for result in self.evaluation.models.values() for by in result.groups):
            title, of = _GROUPINGS[by]
            first = next(iter(self.evaluation.models.values())).groups[by]["all"]
            rows = [
                {
                    "label": label,
                    "users": group.users,
                    "span": self._span(by, label),
                    "cells": [
                        _shown(result.groups[by]["all"][label].metrics[metric])
                        for result in self.evaluation.models.values()
                    ],
                }
                for label, group in first.items()
            ]
            figure = group_points(self.evaluation, by, metric)
            found.append({"title": title, "of": of, "metric": metric, "rows": rows, "figure": figure})
        return found

    def _span(self, by: str, label: str) -> str:
        """From when to when the items of a group had their first click."""
        facts = self.evaluation.split.get("groups", {}).get(by, {}).get(label, {})
        return f"{facts['first']} to {facts['last']}" if "first" in facts else ""

    def _importance(self) -> dict[str, Any] | None:
        """The figure of what the metadata is worth, what it shows, and the same as a table."""
        if self.importance is None:
            return None
        if "taste" in self.importance.columns:
            figure, caption = kernel_bars(self.importance), _KERNEL_CAPTION
            shown = self.importance.with_columns(
                pl.col("taste", "popularity").map_elements(_percent, pl.String)
            )
        else:
            figure, caption = importance_bars(self.importance), _ALIGNMENT_CAPTION
            shown = self.importance.sort(pl.col("weight").abs(), descending=True).with_columns(
                pl.col("with").fill_null(""), pl.col("weight").map_elements("{:+.4g}".format, pl.String)
            )
        return {"figure": figure, "caption": caption, "names": shown.columns, "rows": shown.rows()}

    def _rows(self, metrics: list[str]) -> list[dict[str, Any]]:
        """Table rows, set by set; the best value of a column is marked."""
        rows = []
        for candidates in _SETS:
            tested = {
                name: result.metrics[candidates]
                for name, result in self.evaluation.models.items()
                if candidates in result.metrics
            }
            best = {metric: max((_mean(values[metric]) for values in tested.values()), default=0.0)
                    for metric in metrics}  # fmt: skip
            rows += [
                {
                    "candidates": candidates,
                    "first": number == 0,
                    "count": len(tested),
                    "model": name,
                    "cells": [(values[metric], _mean(values[metric]) == best[metric]) for metric in metrics],
                    "seconds": self.evaluation.models[name].seconds,
                }
                for number, (name, values) in enumerate(tested.items())
            ]
        return rows

    def _verdict(self, metric: str) -> str:
        """The result in one sentence a set, from the paired comparisons."""
        sentences = []
        for candidates, words in _SETS.items():
            scores = {
                name: _mean(result.metrics[candidates][metric])
                for name, result in self.evaluation.models.items()
                if candidates in result.metrics
            }
            if scores:
                top = max(scores.values())
                best = [name for name, score in scores.items() if score == top]
                verb = "leads" if len(best) == 1 else "lead"
                sentences.append(f"{words}: {' and '.join(best)} {verb} with {metric} {top:.3f}")
        text = "; ".join(sentences) + "."
        return text[:1].upper() + text[1:]

    def _comparisons(self) -> list[Any]:
        """Comparisons of the highlighted model with each other one, seen from its side."""
        rows = []
        for c in self.evaluation.comparisons:
            if self.highlight not in (c.first, c.second) or not c.metric.startswith("hr@"):
                continue
            d, mine = c.difference, c.first == self.highlight
            rows.append(
                {
                    "candidates": c.candidates,
                    "other": c.second if mine else c.first,
                    "difference": d if mine else Interval(0 - d.mean, 0 - d.high, 0 - d.low),
                    "p": c.p_holm,
                }
            )
        order = list(_SETS)
        return sorted(rows, key=lambda row: order.index(str(row["candidates"])))


def _shown(value: Interval | float | None) -> str:
    return "" if value is None else f"{_mean(value):.3f}"


def _mean(value: Interval | float) -> float:
    return value.mean if isinstance(value, Interval) else value


@dataclass(frozen=True)
class RampReport(Page):
    """The page of a ramp-up: one figure, one table."""

    title: str
    source: str
    ramp: RampUp
    k: int

    def html(self) -> str:
        """The page."""
        metric = f"hr@{self.k}"
        steps = self.ramp.split["steps"]
        rows = [
            {
                "candidates": candidates,
                "model": name,
                "first": number == 0,
                "cells": [values[n][candidates][metric].mean for n in steps],
            }
            for candidates in ("cold", "all")
            for number, (name, values) in enumerate(self.ramp.values.items())
        ]
        return render(
            "ramp_up.html",
            title=self.title,
            source=self.source,
            split=self.ramp.split,
            steps=steps,
            rows=rows,
            metric=metric,
            verdict=self._verdict(metric),
            figure=ramp_lines(self.ramp, metric),
            version=__version__,
        )

    def _verdict(self, metric: str) -> str:
        """Who is best before the first click and after the last step."""
        first, last = self.ramp.split["steps"][0], self.ramp.split["steps"][-1]
        said = []
        for n in (first, last):
            name, value = max(
                ((name, values[n]["cold"][metric].mean) for name, values in self.ramp.values.items()),
                key=lambda each: each[1],
            )
            said.append(f"{n} clicks {name} ranks new items best ({metric} {value:.3f})")
        return f"With {'; with '.join(said)}."


def render(template: str, **values: Any) -> str:
    """A page from a template of this room."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("isotherm.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return str(environment.get_template(template).render(**values))


def _percent(share: float) -> str:
    return f"{share:.1%}"
