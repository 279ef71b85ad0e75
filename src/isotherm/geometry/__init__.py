"""Why a VAE's users learn from each other: distances, the sharing radius, masks, collapse, and maps.

``study`` looks at all of it; the functions it is made of stand alone.
"""

import isotherm.models.vae  # noqa: F401  # where torch is missing it says how to get it
from isotherm.geometry.anchor_shrinkage import AnchorShrinkage, measure_anchor_shrinkage
from isotherm.geometry.collapse import Collapse, measure_collapse
from isotherm.geometry.distances import nearest_users, w1_bounds, w1_sampled, w2, w2_matrix
from isotherm.geometry.gradients import (
    decoder_layers,
    hessian_eigenvalues,
    local_lipschitz,
    loss_changes,
    user_gradients,
    user_losses,
)
from isotherm.geometry.influence import Influence, summarise_influence
from isotherm.geometry.maps import choose_map_users, map_latent_space
from isotherm.geometry.masking import fit_anchors, measure_contraction, measure_drift
from isotherm.geometry.pairs import Pairs, draw_pairs, shared_clicks, subsample_histories
from isotherm.geometry.posteriors import Posteriors, antithetic_noise, histories_of, keep_probabilities
from isotherm.geometry.sharing import Sharing, measure_sharing
from isotherm.geometry.study import Geometry, Study, StudyOptions, study_models

__all__ = [
    "AnchorShrinkage",
    "Collapse",
    "Geometry",
    "Influence",
    "Pairs",
    "Posteriors",
    "Sharing",
    "Study",
    "StudyOptions",
    "antithetic_noise",
    "choose_map_users",
    "decoder_layers",
    "draw_pairs",
    "fit_anchors",
    "hessian_eigenvalues",
    "histories_of",
    "keep_probabilities",
    "local_lipschitz",
    "loss_changes",
    "map_latent_space",
    "measure_anchor_shrinkage",
    "measure_collapse",
    "measure_contraction",
    "measure_drift",
    "measure_sharing",
    "nearest_users",
    "shared_clicks",
    "study_models",
    "subsample_histories",
    "summarise_influence",
    "user_gradients",
    "user_losses",
    "w1_bounds",
    "w1_sampled",
    "w2",
    "w2_matrix",
]
