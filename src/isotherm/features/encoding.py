"""The settings of item metadata: which fields are read, and how each becomes vectors."""

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias, cast, get_args

from isotherm.checks import folder_name, names, one_of, whole
from isotherm.parameters import Part, hyperparameters

Weighting: TypeAlias = Literal["count", "binary", "tfidf"]  #: what a word of a text counts
TextWeighting: TypeAlias = Weighting | Literal["auto"]
_TEXT_WEIGHTINGS = ("auto", *get_args(Weighting))


class Encoding(Part):
    """Which metadata fields of the items a model reads, and how they become vectors.

    >>> from isotherm import Encoding, MARec
    >>> MARec(encoding=Encoding(fields=["genres", "year"], min_count=3)).encoding.fields
    ['genres', 'year']

    Parameters:
        fields (names of item fields or None; default None): the fields to use; None: all.
        min_count (>= 1; default 2): items that must have a category or tag for it to be a feature.
        max_words (>= 1; default 2000): size of a text field's vocabulary: its most frequent words.
        text_weighting (auto, count, binary or tfidf; default auto): what a word of a text counts. auto is
            tfidf in kernel-ridge and count in the other models.
        text_model (a folder, all-minilm-l6-v2 or None; default None): a sentence-transformer; its vectors
            of each text field are one field more.
        image_model (a folder or None; default None): a CLIP-like model, for image fields; without it they
            are left out.
    """

    name: ClassVar[str] = "encoding"

    def __init__(
        self,
        *,
        fields: Sequence[str] | None = None,
        min_count: int = 2,
        max_words: int = 2000,
        text_weighting: TextWeighting = "auto",
        text_model: str | None = None,
        image_model: str | None = None,
    ) -> None:
        self.fields = names("encoding.fields", fields)
        self.min_count = whole("encoding.min_count", min_count, 1)
        self.max_words = whole("encoding.max_words", max_words, 1)
        self.text_weighting = cast(
            TextWeighting, one_of("encoding.text_weighting", text_weighting, _TEXT_WEIGHTINGS)
        )
        self.text_model = folder_name("encoding.text_model", text_model)
        self.image_model = folder_name("encoding.image_model", image_model)

    def weighting(self, auto: Weighting) -> Weighting:
        """The text weighting in use, where ``auto`` is the model's choice."""
        return auto if self.text_weighting == "auto" else self.text_weighting

    def resolved(self, auto: Weighting) -> "Encoding":
        """The same settings with a text weighting, which is ``auto`` where it is left to the model."""
        return type(self)(**{**hyperparameters(self), "text_weighting": self.weighting(auto)})
