"""Pictures -> vectors of a CLIP-like model in a local folder (CLIP, SigLIP: what transformers loads)."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from isotherm.errors import ItemsError, MissingPackageError, ParameterError
from isotherm.features.encoders.local_model import LocalModelEncoder
from isotherm.features.encoders.vector_cache import KEY_BYTES
from isotherm.features.encoding import Encoding
from isotherm.types import Float32


class ImageEncoder(LocalModelEncoder):
    """model: folder of a CLIP-like model; values are paths of image files, cached by the files' content.

    Raises ItemsError that names a file that is missing or no picture.
    """

    setting: ClassVar[str] = "encoding.image_model"
    cache_name: ClassVar[str] = "images"
    contents: ClassVar[str] = "images"

    @classmethod
    def configured(cls, encoding: Encoding) -> Self:
        """With ``image_model``, which must be given."""
        return cls(str(encoding.image_model))

    def _key(self, value: str, field: str) -> bytes:
        try:
            with open(value, "rb") as stream:
                return hashlib.file_digest(stream, "sha256").digest()[:KEY_BYTES]
        except OSError as cause:
            raise ItemsError(
                f"field {field!r}: the image file {value} cannot be read ({cause.strerror or cause}); mend "
                "its path or leave it empty"
            ) from cause

    def _run(self, batch: list[str]) -> Float32:
        import torch

        network, processor = self._network
        inputs = processor(images=[_picture(path) for path in batch], return_tensors="pt")
        with torch.no_grad():
            features = network.get_image_features(pixel_values=inputs["pixel_values"])
        vectors = getattr(features, "pooler_output", features)  # of older versions: a tensor
        return np.asarray(vectors.float().numpy())

    @cached_property
    def _network(self) -> tuple[Any, Any]:
        try:
            import PIL  # noqa: F401
            import transformers
        except ModuleNotFoundError as cause:
            raise MissingPackageError(
                "image vectors need transformers and pillow: pip install 'isotherm[image]'"
            ) from cause
        folder = str(self._folder)
        try:
            network = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()
            loader: Any = transformers.AutoImageProcessor
            processor = loader.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as cause:
            raise ParameterError(
                f"{self.setting} {self.model}: holds no CLIP-like model ({cause})"
            ) from cause
        if not hasattr(network, "get_image_features"):
            raise ParameterError(
                f"{self.setting} {self.model}: {type(network).__name__} makes no image features; "
                "give a CLIP-like one"
            )
        return network, processor

    def _cure(self) -> str:
        return "give the local folder of a CLIP-like model"


def _picture(path: str) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(Path(path)) as picture:
            return picture.convert("RGB")
    except (UnidentifiedImageError, OSError) as cause:
        raise ItemsError(
            f"{path} is no image that can be read ({cause}); mend it or leave it empty"
        ) from cause
