"""Why a VAE's users learn from each other, by Vuong et al. 2026 («PIA»). ``study_models`` measures all of it.

posteriors   where the encoder puts users; histories in the columns of a model
distances    W₂ and bounds of W₁ between posteriors, nearest users
transport    W₁ by optimal transport, for some pairs
pairs        pairs of users: random, near, and subsampled copies
gradients    the gradient of the decoder for each user, as factors; SGD steps with them
sharing      the sharing radius of each pair, and the step that tests it
influence    summaries over the pairs: who helps whom, and how far that reaches
contraction  what a mask does to the distances of inputs
drift        what a mask does to latent neighbourhoods
anchors      how much anchors shrink what masks do
collapse     whether the latent space is used
maps         users and anchors on a plane
study        all of it, for one model or several

Each function stands alone.
"""

import isotherm.models.vae  # noqa: F401  # where torch is missing it says how to get it
from isotherm.geometry.anchors import AnchorShrinkage, fit_anchors, measure_anchor_shrinkage
from isotherm.geometry.collapse import Collapse, Divergence, measure_collapse
from isotherm.geometry.contraction import Contraction, measure_contraction
from isotherm.geometry.distances import (
    Bounds,
    Neighbours,
    nearest_users,
    w1_bounds,
    w1_sampled,
    w2,
    w2_matrix,
)
from isotherm.geometry.drift import Drift, measure_drift
from isotherm.geometry.gradients import (
    Gradients,
    Layer,
    decoder_layers,
    hessian_eigenvalues,
    local_lipschitz,
    loss_changes,
    user_gradients,
    user_losses,
)
from isotherm.geometry.influence import Influence, summarise_influence
from isotherm.geometry.maps import LatentMap, MapUsers, choose_map_users, map_latent_space
from isotherm.geometry.pairs import Pairs, draw_pairs, shared_clicks, subsample_histories
from isotherm.geometry.posteriors import (
    Histories,
    Posteriors,
    antithetic_noise,
    histories_of,
    keep_probabilities,
)
from isotherm.geometry.sharing import Sharing, measure_sharing
from isotherm.geometry.study import Geometry, Study, StudyOptions, study_models

__all__ = [
    "AnchorShrinkage",
    "Bounds",
    "Collapse",
    "Contraction",
    "Divergence",
    "Drift",
    "Geometry",
    "Gradients",
    "Histories",
    "Influence",
    "LatentMap",
    "Layer",
    "MapUsers",
    "Neighbours",
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
