"""What a fitted kernel ridge holds: declared once, and so saved, loaded and checked."""

from collections.abc import Mapping
from copy import copy
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.metadata_kernel import MetadataKernel
from isotherm.models.cold_start.cold_items import ColdItems
from isotherm.models.cold_start.item_trend import ItemTrend
from isotherm.models.cold_start.user_scaling import UserScaling
from isotherm.models.kernel_ridge.backbones import OtherBackbone
from isotherm.models.kernel_ridge.columns import Scales
from isotherm.models.kernel_ridge.ridge import ExactRidge, LandmarkRidge, Ridge
from isotherm.models.kernel_ridge.warm_up import WarmUp
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.linear.penalties import Penalties
from isotherm.state import Dense, Field, Inner, Plain
from isotherm.untrusted import Number, numbers

if TYPE_CHECKING:
    from isotherm.models.kernel_ridge.model import KernelRidge


def _empty_landmarks(model: "KernelRidge", sizes: Mapping[str, int]) -> EncodedItems:
    return EncodedItems.empty(model.kernel_.forms)


def _empty_taste(model: "KernelRidge", sizes: Mapping[str, int]) -> Ridge:
    return ExactRidge.empty() if model.exact_ else LandmarkRidge.empty()


def _empty_other(model: "KernelRidge", sizes: Mapping[str, int]) -> OtherBackbone:
    return OtherBackbone(copy(model.backbone), sizes["n_fitted"])


def _empty_cold(model: "KernelRidge", sizes: Mapping[str, int]) -> ColdItems:
    return ColdItems.empty(model.kernel_.forms, certainty=True)


#: what is learned on any backbone
LEARNED: tuple[Field, ...] = (
    Inner("kernel_", lambda *_: MetadataKernel.empty()),
    Plain("scales_", numbers(Scales, Number()), asdict, lambda given: Scales(**given)),
    Plain("warm_up_", numbers(WarmUp, Number(above=0)), asdict, lambda given: WarmUp(**given)),
    Plain("new_item_share_", Number(least=0, most=1)),
    UserScaling.state("user_scaling_"),
    Inner("trend_", lambda *_: ItemTrend.empty()),
    Plain("mean_length_", Number(above=0)),
    Plain("exact_", bool),
    Dense("taste_weights_", np.float64, ("n_weights",), least=0),
    Dense("popularity_weights_", np.float64, ("n_weights",), least=0),
    Inner("landmarks_", _empty_landmarks, {"n": "n_landmarks"}),
    Dense("popularity_coefficients_", np.float32, ("n_landmarks",)),
    Inner("weights_", DenseWeights.empty, {"n_rows": "n_warm"}),
    Penalties.declared("penalties_"),
    Inner("taste_", _empty_taste, {"n_warm": "n_warm", "n_landmarks": "n_landmarks"}),
    Inner("cold_", _empty_cold),
)

#: and the backbone, where it is not EASE
OTHER: Field = Inner("other_", _empty_other, {"n_warm": "n_warm"})
