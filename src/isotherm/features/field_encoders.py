"""The fitted encoders of an item table: which fields are in use, and how each becomes vectors."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from isotherm.data.items import Items
from isotherm.data.kinds import FieldType, Kind
from isotherm.errors import ItemsError, brief
from isotherm.features.encoded_items import EncodedItems
from isotherm.features.encoders import ENCODERS
from isotherm.features.encoders.base import Encoder
from isotherm.features.encoders.sentences import SentenceEncoder
from isotherm.features.encoding import Encoding, Weighting
from isotherm.features.field_errors import field_of_another_kind, missing_field
from isotherm.features.field_vectors import FieldForm
from isotherm.untrusted import DamagedError, Each, expect

_log = logging.getLogger(__name__)
MEANING = "meaning of "  #: beginning of the name of a text field's vectors by ``text_model``


@dataclass(frozen=True)
class FieldEncoder:
    """A fitted encoder, and the item field whose column it encodes."""

    source: str
    encoder: Encoder


@dataclass(frozen=True)
class FieldEncoders:
    """The encoders of an item table; a text field may be the source of two.

    schema: item field -> how it is read, of those in use.  fields: encoded field -> its encoder.
    """

    schema: Mapping[str, FieldType]
    fields: Mapping[str, FieldEncoder]

    @classmethod
    def fitted(
        cls, items: Items, encoding: Encoding | None = None, auto_weighting: Weighting = "count"
    ) -> "FieldEncoders":
        """Learn vocabularies and ranges. Fields without any value are left out, and the log says so.

        encoding: the settings; None: the default ones.  auto_weighting: of texts, where that is open.
        Raises ItemsError where no field is left, ParameterError where a model's folder cannot be read.

        >>> import polars as pl
        >>> from isotherm import Encoding, Items
        >>> from isotherm.features.field_encoders import FieldEncoders
        >>> frame = pl.DataFrame({"item_id": [1, 2], "genres": [["a", "b"], ["a"]], "year": [1999.0, 2001.0]})
        >>> encoders = FieldEncoders.fitted(Items.from_frame(frame), Encoding(min_count=1))
        >>> {name: form.width for name, form in encoders.forms.items()}
        {'genres': 2, 'year': 1}
        >>> encoders.encode(Items.from_frame(frame)).fields["genres"].array.toarray()
        array([[1., 1.],
               [1., 0.]], dtype=float32)
        """
        return cls.fit_encode(items, encoding, auto_weighting)[0]

    @classmethod
    def fit_encode(
        cls, items: Items, encoding: Encoding | None = None, auto_weighting: Weighting = "count"
    ) -> tuple["FieldEncoders", EncodedItems]:
        """The same, and the vectors of ``items``: each field is read once."""
        encoding = (encoding or Encoding()).resolved(auto_weighting)
        kinds = _usable_kinds(items if encoding.fields is None else items.only(encoding.fields), encoding)
        _warn_of_items_without_metadata(items, kinds)
        encoders: dict[str, FieldEncoder] = {}
        for name, kind in kinds.items():
            encoders[name] = FieldEncoder(name, ENCODERS[kind].configured(encoding))
            if kind == "text" and encoding.text_model is not None:
                encoders[MEANING + name] = FieldEncoder(name, SentenceEncoder.configured(encoding))
        columns = {name: items.column(name) for name in kinds}
        vectors = {
            name: field.encoder.fit_transform(columns[field.source]) for name, field in encoders.items()
        }
        return cls({name: items.schema[name] for name in kinds}, encoders), EncodedItems(vectors)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Item field -> kind, of those in use."""
        return {name: each.kind for name, each in self.schema.items()}

    def encode(self, items: Items) -> EncodedItems:
        """Vectors of ``items``. Raises ItemsError where a field is missing or of another kind."""
        columns = {name: self._column(items, name) for name in self.kinds}
        return EncodedItems(
            {name: field.encoder.transform(columns[field.source]) for name, field in self.fields.items()}
        )

    def _column(self, items: Items, name: str) -> pl.Series:
        """A field's column; the kind of a field without any value does not matter."""
        if name not in items.kinds:
            raise missing_field(name, self.kinds)
        kind, kind_now = self.kinds[name], items.kinds[name]
        if kind_now == kind:
            return items.column(name)
        if items.missing()[name] < 1:
            raise field_of_another_kind(name, kind, kind_now)
        return ENCODERS[kind].empty_column(name, len(items))

    @property
    def forms(self) -> dict[str, FieldForm]:
        """What ``encode`` makes of each encoded field, in order."""
        return {name: field.encoder.form for name, field in self.fields.items()}

    def source_of(self, name: str) -> str:
        """The field of the item table that an encoded field comes from; what is encoded elsewhere, itself."""
        return self.fields[name].source if name in self.fields else name

    @property
    def content_fields(self) -> list[str]:
        """Encoded fields of texts, images and given vectors: what an item is, not what it is filed under."""
        contents = ("text", "vector", "image")
        return [name for name, field in self.fields.items() if self.kinds[field.source] in contents]

    def state(self) -> dict[str, Any]:
        """Plain JSON from which ``from_state`` builds the encoders again."""
        return {
            "schema": {name: each.state() for name, each in self.schema.items()},
            "encoders": {name: field.encoder.state() for name, field in self.fields.items()},
            "sources": {name: field.source for name, field in self.fields.items()},
        }

    @classmethod
    def from_state(cls, state: Any) -> "FieldEncoders":
        """The inverse of ``state``. Raises DamagedError where it is not what ``state`` makes."""
        state = expect(state, {"schema": dict, "encoders": Each(dict), "sources": Each(str)}, "metadata")
        schema = {
            name: FieldType.from_state(each, f"schema of {brief(name)}")
            for name, each in state["schema"].items()
        }
        kinds, sources = {name: each.kind for name, each in schema.items()}, state["sources"]
        direct = {name for name, source in sources.items() if name == source}
        if not direct or direct != set(kinds) or list(state["encoders"]) != list(sources):
            raise DamagedError("metadata: schema, encoders and sources name other fields")
        encoders: dict[str, FieldEncoder] = {}
        for name, source in sources.items():
            if name != source and (name != MEANING + source or kinds.get(source) != "text"):
                raise DamagedError(f"metadata: there is no text field for {brief(name)}")
            encoder_type = ENCODERS[kinds[source]] if name == source else SentenceEncoder
            encoder = encoder_type.from_state(state["encoders"][name], f"encoder of {brief(name)}")
            encoders[name] = FieldEncoder(source, encoder)
        return cls(schema, encoders)


def _usable_kinds(items: Items, encoding: Encoding) -> dict[str, Kind]:
    """Kinds of the fields that have a value. Raises ItemsError where there is none."""
    missing = items.missing()
    kinds: dict[str, Kind] = {}
    for name, kind in items.kinds.items():
        if missing[name] == 1:
            _log.warning("field %r has no value on any item and is left out", name)
        elif kind == "image" and encoding.image_model is None:
            _log.warning("field %r holds images and is left out: set encoding.image_model to use it", name)
        else:
            kinds[name] = kind
    if not kinds:
        raise ItemsError(
            "the item table has no field with a value that can be used; metadata is what a new item is "
            "known by (images need encoding.image_model)"
        )
    return kinds


def _warn_of_items_without_metadata(items: Items, kinds: Mapping[str, Kind]) -> None:
    """Log how many items have no value in any field in use."""
    has_metadata = np.zeros(len(items), dtype=bool)
    for name in kinds:
        has_metadata |= ~items.is_missing(name)
    if not has_metadata.all():
        _log.warning(
            "%s of %s items have no metadata at all: as new items they are recommended to nobody",
            f"{int((~has_metadata).sum()):,}",
            f"{len(items):,}",
        )
