"""Metadata -> item vectors: a class for each kind of field, with ``fit`` and ``transform``.

base           what all encoders have in common
categories     categories and tags: multi-hot, weights
text           bags of words
stop_words     words that say nothing
numbers        numbers, and given vectors
local_model    encoders that are large models in a local folder, and what they have encoded before
sentences      texts by a sentence-transformer
images         pictures by a CLIP-like model
vector_cache   vectors kept on disk by content
"""

from isotherm.data.kinds import Kind
from isotherm.features.encoders.base import Encoder
from isotherm.features.encoders.categories import CategoryEncoder, TagEncoder
from isotherm.features.encoders.images import ImageEncoder
from isotherm.features.encoders.numbers import NumberEncoder, VectorEncoder
from isotherm.features.encoders.text import TextEncoder

#: The encoder of each kind of field; texts may have a second one, of ``sentences``.
ENCODERS: dict[Kind, type[Encoder]] = {
    "categories": CategoryEncoder,
    "tags": TagEncoder,
    "text": TextEncoder,
    "number": NumberEncoder,
    "vector": VectorEncoder,
    "image": ImageEncoder,
}
