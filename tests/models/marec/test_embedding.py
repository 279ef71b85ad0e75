"""The embedding model as a part of MARec."""

from isotherm import (
    MARec,
)
from isotherm.models.marec.embedding import Siamese


def test_a_learned_embedding_stands_beside_the_fields_or_alone(clicks, items):
    beside = MARec(embedding=Siamese(width=8, heads=2), beta=1.0).fit(clicks, items)
    assert ("learned embedding",) in beside.similarity_.terms
    assert ("genres", "learned embedding") in beside.similarity_.terms
    alone = MARec(embedding=Siamese(alone=True, width=8, heads=2), beta=1.0).fit(clicks, items)
    assert alone.importance()["field"].to_list() == ["learned embedding"]
    fields = alone.explain("u03", "i27").by_field
    assert fields["field"].to_list() == ["learned embedding"]
