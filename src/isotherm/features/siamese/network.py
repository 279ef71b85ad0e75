"""The network of the Siamese embedding: projections, cross-attention, two dense layers (MARec, §1.1).

Each field is projected to a token of ``width`` numbers. The tokens of texts and dense vectors are the queries
of one layer of cross-attention, those of categories, tags and numbers its keys and values; two dense layers
make the embedding, of unit length.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from isotherm.state.torch_modules import StatefulModule
from isotherm.types import ItemFeatures


class SiameseNetwork(StatefulModule):
    """Features of items by field -> vectors of unit length.

    widths: field -> number of its features.  content_fields: those whose tokens are queries; where they are
    none or all, the tokens of all fields are both queries and keys.  width, heads: of the attention.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        content_fields: Sequence[str],
        width: int,
        heads: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.query_fields = [name for name in widths if name in content_fields] or list(widths)
        self.key_fields = [name for name in widths if name not in content_fields] or list(widths)
        self.project = nn.ModuleDict(
            {
                module_name: nn.EmbeddingBag(max(widths[name], 1), width, mode="sum")
                for name, module_name in _module_names(widths).items()
            }
        )
        self._projections = _module_names(widths)
        self.empty_key = nn.Parameter(torch.zeros(width))  # what an item without any other key attends to
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.dense = nn.Sequential(nn.Linear(2 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self._draw_weights(width, generator)

    @torch.no_grad()
    def _draw_weights(self, width: int, generator: torch.Generator) -> None:
        """Normal projections, Xavier's uniform elsewhere (Glorot and Bengio 2010), biases of zero."""
        for name, parameter in self.named_parameters():
            if name.startswith("project."):
                parameter.normal_(0, width**-0.5, generator=generator)
            elif name.endswith("bias"):
                parameter.zero_()
            elif parameter.ndim > 1:
                bound = (6 / sum(parameter.shape)) ** 0.5
                parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, fields: Mapping[str, ItemFeatures]) -> Tensor:
        """(n_items, width) of unit length.  fields: field -> features, CSR (n_items, n_features)."""
        tokens = {name: self._token(name, features) for name, features in fields.items()}
        queries = torch.stack([tokens[name] for name in self.query_fields], 1)
        keys = torch.stack([tokens[name] for name in self.key_fields], 1)
        is_known = torch.stack([_is_known(fields[name]) for name in self.key_fields], 1)
        attended = self.norm(queries + self._attend(queries, keys, is_known)).mean(1)
        known = is_known.float()[:, :, None]
        mean_key = (keys * known).sum(1) / known.sum(1).clamp(min=1)
        return nn.functional.normalize(self.dense(torch.cat([attended, mean_key], 1)), dim=1)

    def _attend(self, queries: Tensor, keys: Tensor, is_known: Tensor) -> Tensor:
        """What the queries get of the known keys and the empty one, (n_items, n_queries, width)."""
        empty_key = self.empty_key.expand(len(keys), 1, -1)
        is_unknown = torch.cat([~is_known, torch.zeros(len(keys), 1, dtype=torch.bool)], 1)
        keys = torch.cat([keys, empty_key], 1)
        attended: Tensor = self.attention(
            queries, keys, keys, key_padding_mask=is_unknown, need_weights=False
        )[0]
        return attended

    def _token(self, name: str, features: ItemFeatures) -> Tensor:
        """Sum of a field's feature vectors by weight, (n_items, width)."""
        token: Tensor = self.project[self._projections[name]](
            torch.from_numpy(features.indices.astype(np.int64)),
            torch.from_numpy(features.indptr[:-1].astype(np.int64)),
            per_sample_weights=torch.from_numpy(features.data.astype(np.float32)),
        )
        return token


def _is_known(features: ItemFeatures) -> Tensor:
    """(n_items,), whether an item has a feature."""
    return torch.from_numpy(np.diff(features.indptr) > 0)


def _module_names(fields: Mapping[str, int]) -> dict[str, str]:
    """Field -> its name in the network: a module's name may not hold every letter."""
    return {name: f"field{number}" for number, name in enumerate(fields)}
