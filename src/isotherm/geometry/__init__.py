"""Why a VAE's users learn from each other: distances, the sharing radius, masks, collapse, and maps.

``study`` looks at all of it; the functions it is made of stand alone.
"""

import isotherm.models.vae  # noqa: F401  # where torch is missing it says how to get it
from isotherm.geometry.collapse import Collapse, collapse
from isotherm.geometry.distances import nearest_users, w1_bounds, w1_sampled, w2, w2_matrix
from isotherm.geometry.gradients import decoder_of, losses, rises, steepness, user_gradients
from isotherm.geometry.influence import Influence, influence
from isotherm.geometry.maps import latent_map, map_users
from isotherm.geometry.masking import contraction, drift, fitted_anchors
from isotherm.geometry.pairs import Pairs, drawn_pairs, shared_clicks, twins
from isotherm.geometry.posteriors import Posteriors, histories_of, keep_of, noise
from isotherm.geometry.pull import Pull, pull
from isotherm.geometry.sharing import Sharing, sharing
from isotherm.geometry.study import Geometry, Look, Study, study

__all__ = [
    "Collapse",
    "Geometry",
    "Influence",
    "Look",
    "Pairs",
    "Posteriors",
    "Pull",
    "Sharing",
    "Study",
    "collapse",
    "contraction",
    "decoder_of",
    "drawn_pairs",
    "drift",
    "fitted_anchors",
    "histories_of",
    "influence",
    "keep_of",
    "latent_map",
    "losses",
    "map_users",
    "nearest_users",
    "noise",
    "pull",
    "rises",
    "shared_clicks",
    "sharing",
    "steepness",
    "study",
    "twins",
    "user_gradients",
    "w1_bounds",
    "w1_sampled",
    "w2",
    "w2_matrix",
]
