"""The anchor regularizer, Personalized Item Alignment (PIA, §3): a user is drawn to the anchors of its items.

L_A = Σ_i w_i E_{z~q} ‖z − e_i‖² with w_i = 1/|S_x| on the user's clean clicks, in closed form:

    L_A = ‖μ − ē‖² + tr Σ + V,   ē = Σ_i w_i e_i,   V = Σ_i w_i ‖e_i‖² − ‖ē‖²

V, the variance of the anchors, does not move the user, but it moves the anchors.
"""

import torch
from torch import Tensor

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.item_table import ItemTable, embedding_bag_with_squares
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.terms import Forward, Term

_CLICKS = 8192  # whose distances are taken at one time
_LOWEST_TEMPERATURE = 1e-30  # float32 has no much smaller number to divide by


class AnchorTerm(Term):
    """λ_A · L_A.

    table: the anchors e_i.  click_weights: w of each click in the training matrix, on the CPU.
    """

    name = "anchor"

    def __init__(self, settings: ItemAnchors, table: ItemTable, click_weights: Tensor) -> None:
        self.settings, self.table, self.click_weights = settings, table, click_weights
        self.modules = {"anchors": table}

    def weight(self, forward: Forward) -> float:
        """λ_A."""
        return self.settings.weight_at(forward.epoch)

    def __call__(self, forward: Forward) -> Tensor:
        """L_A of each user, (n_users,)."""
        mean, logvar = forward.posterior
        weights = forward.clicks.with_values(self.click_weights[forward.entries].to(mean.device))
        if self.settings.centroids != "one":
            weights = weights.with_values(self._chosen(mean, weights))
        centroid, squares = embedding_bag_with_squares(self.table, weights)
        total = weights.totals  # 1, but for a user without clicks
        # Σ_i w_i ‖μ − e_i‖², multiplied out
        to_anchors = total * mean.square().sum(1) - 2 * (mean * centroid).sum(1) + squares
        return to_anchors if logvar is None else to_anchors + total * logvar.exp().sum(1)

    @torch.no_grad()
    def _chosen(self, mean: Tensor, weights: Batch) -> Tensor:
        """w of each click where a user has several centroids, by how far its anchor is from the mean."""
        distances = self._distances(mean, weights)
        if self.settings.centroids == "nearest":
            chosen = weights.values * (_ranks(distances, weights) < self.settings.nearest)
        else:
            least = torch.full((weights.n_users,), torch.inf, device=distances.device)
            least = least.scatter_reduce(0, weights.rows, distances, "amin")
            temperature = max(self.settings.temperature, _LOWEST_TEMPERATURE)
            chosen = weights.values * torch.exp((least[weights.rows] - distances) / temperature)
        return chosen / weights.sums(chosen)[weights.rows]

    def _distances(self, mean: Tensor, clicks: Batch) -> Tensor:
        """‖μ − e_i‖² of each click, (n_clicks,)."""
        anchors = self.table.weight.detach()
        bands = zip(clicks.rows.split(_CLICKS), clicks.items.split(_CLICKS), strict=True)
        return torch.cat([(mean[rows] - anchors[items]).square().sum(1) for rows, items in bands])


def _ranks(distances: Tensor, clicks: Batch) -> Tensor:
    """Of each click among those of its user, 0 for the nearest, (n_clicks,) int64."""
    order = torch.argsort(distances, stable=True)
    order = order[torch.argsort(clicks.rows[order], stable=True)]
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), device=order.device) - clicks.starts[:-1][clicks.rows]
    return ranks
