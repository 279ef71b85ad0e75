"""The terms that a prediction from metadata is the sum of, summed up under the fields of the item table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from isotherm.types import Array, Float64

BASE_LEVEL = "base level of every new item"  #: the term that is the same for all items


@dataclass(frozen=True)
class MetadataTerm:
    """One term.

    name: as the model has it.  fields: of the item table, one or two; a term of no field is its own.
    """

    name: str
    fields: tuple[str, ...]


def summed_by_field(terms: Sequence[MetadataTerm], shares: Array) -> tuple[list[str], Float64]:
    """The fields, and what the terms' shares (n_terms, …) come to under each, (n_fields, …) float64.

    A term of two fields, a product of their similarities, counts half for each, as in the Shapley value: it
    is nothing without either.

    >>> import numpy as np
    >>> from isotherm.features.metadata_terms import MetadataTerm, summed_by_field
    >>> terms = [MetadataTerm("genre", ("genre",)), MetadataTerm("genre × year", ("genre", "year"))]
    >>> fields, shares = summed_by_field(terms, np.array([1.0, 0.5]))
    >>> dict(zip(fields, shares.tolist()))
    {'genre': 1.25, 'year': 0.25}
    """
    fields = list(dict.fromkeys(field for term in terms for field in term.fields))
    sums = np.zeros((len(fields), *np.shape(shares)[1:]))
    for term, share in zip(terms, shares, strict=True):
        for field in term.fields:
            sums[fields.index(field)] += share / len(term.fields)
    return fields, sums


def importance_of_fields(terms: Sequence[MetadataTerm], contributions: Array) -> pl.DataFrame:
    """How much each field moves a prediction: field, share (they sum to 1), percent; largest first.

    contributions: what each term gives to the prediction of each user for each item, (n_terms, n_users,
    n_items). With c_f(u, j) their sum under field f and c̄_f(u) its mean over the items, the share is

        Σ_uj |c_f(u, j) − c̄_f(u)| / Σ_g Σ_uj |c_g(u, j) − c̄_g(u)|.

    What is the same for all items ranks none, and counts nothing: the base level is left out. All shares are
    0 where nothing varies.
    """
    fields, by_field = summed_by_field(terms, contributions)
    by_field -= by_field.mean(axis=2, keepdims=True)
    moved = np.abs(by_field).sum(axis=(1, 2))
    shares = moved / max(float(moved.sum()), 1e-300)
    frame = pl.DataFrame({"field": fields, "share": shares, "percent": 100 * shares})
    frame = frame.filter(pl.col("field") != BASE_LEVEL)
    return frame.sort("share", descending=True, maintain_order=True)
