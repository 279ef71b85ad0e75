"""The page of a ramp-up: how models rank new items after each number of first clicks."""

from dataclasses import dataclass

from isotherm.evaluation import RampUp
from isotherm.report.evaluation_figures import ramp_lines
from isotherm.report.page import Page, render
from isotherm.version import __version__


@dataclass(frozen=True)
class RampReport(Page):
    """The page of a ramp-up: one figure, one table."""

    title: str
    source: str  #: of the clicks, in words
    ramp: RampUp
    k: int  #: length of the lists

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
        clauses = []
        for n in (first, last):
            name, value = max(
                ((name, values[n]["cold"][metric].mean) for name, values in self.ramp.values.items()),
                key=lambda each: each[1],
            )
            clauses.append(f"{n} clicks {name} ranks new items best ({metric} {value:.3f})")
        return f"With {'; with '.join(clauses)}."
