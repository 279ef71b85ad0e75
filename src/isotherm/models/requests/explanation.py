"""Why a user is shown an item: what each click, and each metadata field, contributes to the score."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from isotherm.features.metadata_terms import summed_by_field
from isotherm.models.requests.catalogue import Catalogue
from isotherm.models.requests.explanation_text import sentences
from isotherm.models.scorer import Contributions
from isotherm.types import UserItems


@dataclass(frozen=True)
class Explanation:
    """Why a user is shown an item: exact additive shares of its score, largest first.

    by_item: item_id, title, share, percent, of each item of the user's history. Shares add up to the score;
    one below 0 speaks against the item. percent: of all that speaks for it, so that they add up to 100; null
    for what speaks against it. title is null where nothing is known.
    by_field: field, in_common, share, percent, where the model scores the item by its metadata (mostly items
    without clicks), else None: each field of the item table, with what products of two fields give halved
    between both. in_common: values of the field that the item shares with the clicked ones; else null.
    by_term: term, share, as the model has them: each field and each pair of fields apart.
    certainty: in [0, 1], how much of such an item its metadata explains; None where the model does not say.
    answered_by: "model", or "popularity" where the history says nothing and popular items are shown: the
    score is then the item's number of clicks, and by_item is empty.
    title, item_clicks: of the item; without clicks it is ``new``.
    """

    user: Any
    item: Any
    score: float
    by_item: pl.DataFrame
    by_field: pl.DataFrame | None = None
    by_term: pl.DataFrame | None = None
    certainty: float | None = None
    answered_by: Literal["model", "popularity"] = "model"
    title: str | None = None
    item_clicks: int = 0

    @property
    def new(self) -> bool:
        """Whether nobody had clicked the item in the log of the fit."""
        return self.item_clicks == 0

    def text(self, verb: str = "clicked") -> str:
        """The explanation in plain English, on one line.

        verb: what users do to items, in the past tense: watched, bought, read.

        >>> import polars as pl
        >>> from isotherm import ContentKNN, Interactions, Items
        >>> log = pl.DataFrame({"user_id": ["ann", "bob"], "item_id": [1, 2]})
        >>> films = {"item_id": [1, 2, 3], "title": ["Alien", "Emma", "Dune"]}
        >>> films["genre"] = ["space", "love", "space"]
        >>> items = Items.from_frame(pl.DataFrame(films), kinds={"title": "text"})
        >>> model = ContentKNN().fit(Interactions.from_frame(log), items)
        >>> why = model.explain("ann", 3)
        >>> print(*why.text(verb="watched").split(". "), sep=". \\n")
        Because you watched “Alien”; same genre (space).
        Nobody has watched “Dune” yet: this rests on its metadata alone.
        """
        return " ".join(sentences(self, verb))


def explanation_of(
    user: Any, column: int, history: UserItems, contributions: Contributions, known: Catalogue
) -> Explanation:
    """The contributions to the score of the item at ``column`` with ids and words, largest first."""
    by_click = contributions.by_click
    order = np.argsort(-by_click, kind="stable")
    rows = history.indices[order]
    by_item = _clicked(known, rows, by_click[order])
    by_field = by_term = None
    if contributions.by_term is not None:
        speaking = by_click[order] > 0
        by_field = _by_field(contributions, known, column, rows[speaking], by_click[order][speaking])
        by_term = _largest_first("term", [term.name for term in contributions.terms], contributions.by_term)
    return Explanation(
        user,
        known.items.values[column],
        float(by_click.sum()),
        by_item,
        by_field,
        by_term,
        contributions.certainty,
        title=known.labels.titles[column],
        item_clicks=int(known.clicks[column]),
    )


def popularity_explanation(user: Any, column: int, known: Catalogue) -> Explanation:
    """Where the history says nothing: the item's number of clicks."""
    return Explanation(
        user,
        known.items.values[column],
        float(known.clicks[column]),
        _clicked(known, np.arange(0), np.empty(0, dtype=np.float32)),
        answered_by="popularity",
        title=known.labels.titles[column],
        item_clicks=int(known.clicks[column]),
    )


def percents(shares: pl.Series) -> pl.Series:
    """Percent of all that is above 0, Float64: they add up to 100; null for what is below 0."""
    exact = shares.cast(pl.Float64)
    total = float(exact.filter(exact > 0).sum())
    return (100 * exact / (total or 1.0)).set(exact < 0, None).rename("percent")


def _clicked(known: Catalogue, rows: Any, shares: Any) -> pl.DataFrame:
    """The items of a history with their shares."""
    frame = pl.DataFrame(
        {"item_id": known.items.take(rows), "title": known.labels.titles.gather(rows), "share": shares}
    )
    return frame.with_columns(percents(frame["share"]))


def _largest_first(name: str, labels: list[str], shares: Any) -> pl.DataFrame:
    """Those of the largest effect first, whatever its sign."""
    order = np.argsort(-np.abs(shares), kind="stable")
    return pl.DataFrame({name: [labels[i] for i in order], "share": shares[order].astype(np.float32)})


def _by_field(
    contributions: Contributions, known: Catalogue, column: int, clicked: Any, weights: Any
) -> pl.DataFrame:
    """Terms under their fields, and what the item has in common with the clicked ones that speak for it."""
    fields, shares = summed_by_field(contributions.terms, np.asarray(contributions.by_term))
    frame = _largest_first("field", fields, shares)
    common = [known.labels.in_common(name, column, clicked, weights) for name in frame["field"]]
    words = pl.Series("in_common", [", ".join(values) or None for values in common], dtype=pl.String)
    return frame.select("field", words, "share", percents(frame["share"]))
