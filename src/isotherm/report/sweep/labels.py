"""Words of the sweep's page that its figures, tables and sentences share."""

METRIC = "ndcg@100"
METRIC_LABEL = "nDCG@100"

#: figure that nDCG is held against -> its title
TRADED = {
    "drift": "drift of the nearest users",
    "active": "active units",
    "rank": "effective rank",
    "inside_copy": "subsampled copies inside the radius",
    "near": "influence of the nearest users",
    "far_related": "influence of far, related users",
}
#: axis of the grid -> its name, and in short
AXES = {"beta": "β", "keep": "kept by the mask, ρ", "anchors": "anchors, λ_A"}
SHORT = {"beta": "β", "keep": "ρ", "anchors": "λ_A"}
