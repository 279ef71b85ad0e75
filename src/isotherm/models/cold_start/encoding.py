"""The settings of models that read item metadata: which fields, and how they are encoded."""

from collections.abc import Sequence
from typing import Any, cast, get_args

from isotherm.checks import folder_name, names, one_of, whole
from isotherm.features.encoders import Weighting


class ReadsMetadata:
    """fields: those to use, None for all.  min_count: items that a category or tag needs.  max_words,
    text_weighting (count, binary, tfidf): of the bag of words.  text_model, image_model: local folders of a
    sentence-transformer, whose vectors each text gives besides, and of a CLIP-like model, for image fields.
    """

    fields: Sequence[str] | None
    min_count: int
    max_words: int
    text_weighting: Weighting
    text_model: str | None
    image_model: str | None

    def _set_encoders(
        self,
        fields: Sequence[str] | None,
        min_count: int,
        max_words: int,
        text_weighting: Weighting,
        text_model: str | None,
        image_model: str | None,
    ) -> None:
        self.fields = names("fields", fields)
        self.min_count = whole("min_count", min_count, 1)
        self.max_words = whole("max_words", max_words, 1)
        self.text_weighting = cast(Weighting, one_of("text_weighting", text_weighting, get_args(Weighting)))
        self.text_model = folder_name("text_model", text_model)
        self.image_model = folder_name("image_model", image_model)

    @property
    def _encoders(self) -> dict[str, Any]:
        """The same, as what encodes takes them."""
        names = ("fields", "min_count", "max_words", "text_weighting", "text_model", "image_model")
        return {name: getattr(self, name) for name in names}
