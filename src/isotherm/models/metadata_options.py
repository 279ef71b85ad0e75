"""The settings of models that read item metadata: which fields, and how they are encoded."""

from collections.abc import Sequence
from typing import Any

from isotherm.features.encoders import Weighting
from isotherm.models.parameters import one_of, whole


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
        self.fields = [fields] if isinstance(fields, str) else fields
        self.min_count = whole("min_count", min_count, 1)
        self.max_words = whole("max_words", max_words, 1)
        self.text_weighting = one_of("text_weighting", text_weighting, ("count", "binary", "tfidf"))
        self.text_model = None if text_model is None else str(text_model)
        self.image_model = None if image_model is None else str(image_model)

    @property
    def _encoders(self) -> dict[str, Any]:
        """The same, as what encodes takes them."""
        names = ("fields", "min_count", "max_words", "text_weighting", "text_model", "image_model")
        return {name: getattr(self, name) for name in names}
