"""What a model knows of the items it answers with: their ids, titles and numbers of clicks."""

from dataclasses import dataclass
from typing import Self

import polars as pl

from isotherm.data import IdMap
from isotherm.data.item_labels import ItemLabels
from isotherm.models.scorer import Scorer
from isotherm.types import Array, Int64


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The n items.  clicks: (n,) users who clicked each in the log of the fit."""

    items: IdMap
    labels: ItemLabels
    clicks: Int64

    @classmethod
    def of(cls, model: Scorer) -> Self:
        """Those of a fitted model."""
        return cls(model.items_, model.labels_, model.item_clicks())

    def told(self, rows: Array) -> dict[str, pl.Series]:
        """Columns for people, of the items at ``rows``: title (null where unknown), new (without a click)."""
        return {
            "title": self.labels.titles.gather(rows),
            "new": pl.Series(self.clicks[rows] == 0, dtype=pl.Boolean),
        }
