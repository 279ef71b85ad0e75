"""Positive semi-definite similarities of items, one per field: what a Gaussian process over items is made of.

K(i, j) = Σ_f μ_f K_f(i, j). A category, text or vector field is a product of vectors whose norms are shrunk,
zᵢ·zⱼ / (√(‖zᵢ‖² + δ)·√(‖zⱼ‖² + δ)): unlike eq. 3 of MARec it is never indefinite, so that K + I always has a
Cholesky factor. Text is tf-idf, given vectors are whitened. A number field is 1 − |difference| over its range
(Brownian motion's covariance, turned around), and so is the *amount* of metadata that an item has in a field:
well-known items tend to have more tags, words and actors, and some fields are missing for a reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isotherm.data.items import Items
from isotherm.data.kinds import Kind
from isotherm.features.encoded_items import EncodedItems
from isotherm.features.encoding import Encoding
from isotherm.features.field_encoders import MEANING, FieldEncoders
from isotherm.features.field_vectors import FieldForm, FieldVectors, Numbers
from isotherm.features.kernel_index import KernelIndex
from isotherm.features.kernel_scaling import KernelScaling, empty_scaling, fitted_scaling
from isotherm.features.metadata_terms import MetadataTerm
from isotherm.state import Field, Inner, Plain, Stateful
from isotherm.untrusted import DamagedError, Each, Number

AMOUNT = "amount of "  #: beginning of the name of the kernel of how much an item has of a field


@dataclass(frozen=True)
class AmountRange:
    """The least and the largest log-amount of a field among the items of a fit; the largest is above."""

    least: float
    largest: float

    def encode(self, vectors: FieldVectors) -> Numbers:
        """How much of the field each item has, from 0 to 1."""
        amounts = (vectors.log_amounts - self.least) / (self.largest - self.least)
        return Numbers(np.clip(amounts, 0, 1).astype(np.float32))


class MetadataKernel(Stateful):
    """Fitted encoders of an item table, each followed by the scaling that makes it a kernel.

    scalings: by encoded field.  amounts: by encoded field, of those whose amount varies.
    """

    def __init__(
        self,
        encoders: FieldEncoders,
        scalings: Mapping[str, KernelScaling],
        amounts: Mapping[str, AmountRange],
    ) -> None:
        self.encoders, self.scalings, self.amounts = encoders, dict(scalings), dict(amounts)

    @classmethod
    def fitted(
        cls, items: Items, encoding: Encoding | None = None, *, shrinkage: float = 0.3
    ) -> "MetadataKernel":
        """Learn vocabularies, ranges and scales.

        encoding: the fields to use and the options of their encoders; texts are tf-idf where that is open.
        shrinkage: δ, in units of a field's median squared norm.
        Raises ItemsError where no field has a value.

        >>> import polars as pl
        >>> from isotherm import Items
        >>> from isotherm.features.metadata_kernel import MetadataKernel
        >>> frame = pl.DataFrame({"item_id": [1, 2, 3], "genres": [["a", "b"], ["a"], ["b"]]})
        >>> kernel = MetadataKernel.fitted(Items.from_frame(frame))
        >>> kernel.terms
        ['genres', 'amount of genres']
        >>> encoded = kernel.encode(Items.from_frame(frame))
        >>> kernel.index(encoded).by_term(encoded).shape
        (2, 3, 3)
        """
        return cls.fit_encode(items, encoding, shrinkage=shrinkage)[0]

    @classmethod
    def fit_encode(
        cls, items: Items, encoding: Encoding | None = None, *, shrinkage: float = 0.3
    ) -> tuple["MetadataKernel", EncodedItems]:
        """The same, and what ``encode`` makes of ``items``: each field is read once."""
        encoders, encoded = FieldEncoders.fit_encode(items, encoding, auto_weighting="tfidf")
        fields = encoded.fields
        scalings = {name: fitted_scaling(vectors, shrinkage) for name, vectors in fields.items()}
        kernel = cls(encoders, scalings, _amount_ranges(fields))
        return kernel, kernel._scaled(fields)

    @classmethod
    def empty(cls) -> "MetadataKernel":
        """To be filled with what a saved model holds."""
        return cls(FieldEncoders({}, {}), {}, {})

    @property
    def kinds(self) -> dict[str, Kind]:
        """Item field -> kind, of those in use."""
        return dict(self.encoders.kinds)

    @property
    def forms(self) -> dict[str, FieldForm]:
        """What ``encode`` makes, by term."""
        return self.encoders.forms | {AMOUNT + name: FieldForm(Numbers) for name in self.amounts}

    @property
    def terms(self) -> list[str]:
        """The kernels, in the order of μ: the fields, then the amounts of those whose amount varies."""
        return list(self.forms)

    @property
    def named_terms(self) -> list[MetadataTerm]:
        """``terms``, each with the field of the item table that it belongs to."""
        fields = [*self.encoders.forms, *self.amounts]
        return [
            MetadataTerm(name, (self.encoders.source_of(field),))
            for name, field in zip(self.terms, fields, strict=True)
        ]

    def encode(self, items: Items) -> EncodedItems:
        """Scaled vectors of ``items``, by term. Raises ItemsError as ``FieldEncoders.encode`` does."""
        return self._scaled(self.encoders.encode(items).fields)

    def _scaled(self, fields: Mapping[str, FieldVectors]) -> EncodedItems:
        """Of encoded fields, and the amounts of them."""
        scaled = {name: self.scalings[name].scaled(vectors) for name, vectors in fields.items()}
        amounts = {AMOUNT + name: limits.encode(fields[name]) for name, limits in self.amounts.items()}
        return EncodedItems(scaled | amounts)

    def index(self, catalogue: EncodedItems) -> KernelIndex:
        """Ready to compare items with this catalogue."""
        return KernelIndex(catalogue)

    @property
    def learned(self) -> Iterator[Field]:
        """Encoders, ranges of amounts and, for each encoded field, its scaling."""
        yield Plain("encoders", dict, FieldEncoders.state, FieldEncoders.from_state)
        yield Plain("amounts", Each((Number(), Number())), _as_lists, _as_ranges)
        self._check_amounts()
        for number, (name, form) in enumerate(self.encoders.forms.items()):
            yield Inner(f"{number}:{name}", lambda *_, form=form: empty_scaling(form))

    def learned_value(self, name: str) -> Any:
        """An attribute, or the scaling of a numbered field."""
        _, numbered, field = name.partition(":")
        return self.scalings[field] if numbered else getattr(self, name)

    def set_learned_value(self, name: str, value: Any) -> None:
        """Take it back."""
        _, numbered, field = name.partition(":")
        if numbered:
            self.scalings[field] = value
        else:
            setattr(self, name, value)

    def _check_amounts(self) -> None:
        """Raise DamagedError where amounts are not of fields, or a range is empty."""
        if not set(self.amounts) <= {name for name in self.encoders.forms if not name.startswith(MEANING)}:
            raise DamagedError("kernel: amounts are of other fields than the encoders")
        if not all(limits.least < limits.largest for limits in self.amounts.values()):
            raise DamagedError("kernel: a least amount is above the largest")


def _amount_ranges(fields: Mapping[str, FieldVectors]) -> dict[str, AmountRange]:
    """Ranges of the fields whose amount varies; a second encoding of a text has the text's amount."""
    ranges: dict[str, AmountRange] = {}
    for name, vectors in fields.items():
        amounts = vectors.log_amounts
        has_amount = name.startswith(MEANING) or AMOUNT + name in fields  # a field of that very name
        if not has_amount and amounts.min() < amounts.max():
            ranges[name] = AmountRange(float(amounts.min()), float(amounts.max()))
    return ranges


def _as_lists(amounts: Mapping[str, AmountRange]) -> dict[str, list[float]]:
    return {name: [limits.least, limits.largest] for name, limits in amounts.items()}


def _as_ranges(amounts: Mapping[str, list[float]]) -> dict[str, AmountRange]:
    return {name: AmountRange(least, largest) for name, (least, largest) in amounts.items()}
