"""The Siamese embedding of MARec (§1.1): item metadata -> one vector, alike for items that are clicked alike.

network       tokens of the fields, cross-attention, dense layers
contrastive   InfoNCE (eq. 2), and the items that an item is compared with
embedding     training, and the vectors of any items
"""

from importlib.util import find_spec

from isotherm.errors import MissingPackageError

if find_spec("torch") is None:
    raise MissingPackageError("embedding=siamese needs torch: pip install 'isotherm[vae]'")
