"""Example users for a report: what they clicked, which new items they are shown, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from isotherm.data import Items, Split
from isotherm.models.base import Recommender
from isotherm.models.requests.explanation import Explanation

_REASONS = 3
_LEAST_CLICKS = 10


@dataclass(frozen=True)
class Reason:
    """One part of a score, as a share of all that speaks for the item."""

    label: str
    share: float


@dataclass(frozen=True)
class ShownItem:
    """A recommended item with its reasons; ``clicked`` tells whether the user's hidden clicks hold it."""

    title: str
    detail: str
    clicked: bool
    by_item: list[Reason]
    by_field: list[Reason]
    certainty: float | None = None


@dataclass(frozen=True)
class ExampleUser:
    """A user, the clicked items that speak most for what is shown, and the shown items."""

    user: Any
    n_clicks: int
    shown: list[ShownItem]


def example_users(
    model: Recommender, split: Split, items: Items, users: int = 6, k: int = 3, seed: int = 0
) -> list[ExampleUser]:
    """Some test users of a fitted model (seeded), each with the k best new items and exact reasons.

    Where nothing is cold the best items of all kinds are shown.
    """
    lengths = np.diff(split.histories.matrix.indptr)
    ready = np.flatnonzero(lengths >= min(_LEAST_CLICKS, lengths.max()))
    rows = np.sort(np.random.default_rng(seed).permutation(ready)[:users])
    cold = np.flatnonzero(split.cold)
    candidates = split.train.items.take(cold) if len(cold) else None
    lists = model.recommend(split.histories.users.take(rows), k, candidates=candidates)
    examples = []
    for row in rows:
        user = split.histories.users.values[int(row)]
        targets = split.targets.indices[split.targets.indptr[row] : split.targets.indptr[row + 1]]
        hidden = set(split.train.items.take(targets))
        shown = [
            _shown(model.explain(user, item), items, item in hidden)
            for item in lists.filter(pl.col("user_id") == user)["item_id"]
        ]
        examples.append(ExampleUser(user, int(lengths[row]), shown))
    return examples


def _shown(explanation: Explanation, items: Items, clicked: bool) -> ShownItem:
    row = int(items.ids.known_rows([explanation.item], "item")[0])
    by_item = _reasons(explanation.by_item["item_id"].to_list(), explanation.by_item["share"])
    by_item = [Reason(title_of(items, reason.label), reason.share) for reason in by_item]
    fields = explanation.by_field
    by_field = [] if fields is None else _reasons(_with_values(fields), fields["share"])
    return ShownItem(
        title_of(items, explanation.item),
        _detail(items, row),
        clicked,
        by_item,
        by_field,
        explanation.certainty,
    )


def _with_values(fields: pl.DataFrame) -> list[str]:
    """Each field, with what the item has in common with the clicked ones."""
    rows = fields["field", "in_common"].rows()
    return [field if values is None else f"{field} ({values})" for field, values in rows]


def _reasons(labels: Sequence[Any], shares: pl.Series) -> list[Reason]:
    """The largest positive parts, as shares of all positive ones."""
    values = shares.to_numpy()
    total = float(values[values > 0].sum()) or 1.0
    best = np.argsort(-values, kind="stable")[:_REASONS]
    return [Reason(labels[i], float(values[i]) / total) for i in best if values[i] > 0]


def title_of(items: Items, item: Any) -> str:
    """An item's title where the table has one, else its id."""
    return items.title(int(items.ids.known_rows([item], "item")[0]))


def _detail(items: Items, row: int) -> str:
    """Numbers and categories of an item in a few words."""
    words = []
    for name, kind in items.kinds.items():
        value = items.column(name)[row]
        if value is None or name == items.title_field:
            continue
        if kind == "number":
            words.append(f"{value:g}")
        elif kind == "categories" and len(value):
            words.append(", ".join(value.head(4)))
        elif kind == "tags" and len(value):
            words.append(", ".join(value.struct.field("value").head(4)))
    return " · ".join(words)
