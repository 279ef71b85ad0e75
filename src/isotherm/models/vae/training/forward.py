"""The forward pass of a step: rows of the click matrix -> what the terms of the objective read.

Random numbers are drawn for the whole batch on every process, each of which then takes its share of users.
"""

import numpy as np
import torch
from torch import Tensor

from isotherm.linalg.csr import take_rows
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.last_layer import LastLayer, SampledItems
from isotherm.models.vae.network.layers import masked, normalised
from isotherm.models.vae.objective.reconstruction import Shown
from isotherm.models.vae.objective.terms import Forward
from isotherm.models.vae.training.processes import Processes
from isotherm.models.vae.training.run_setup import RunSetup
from isotherm.streams import stream
from isotherm.types import Array


class ForwardPass:
    """Encodes, draws a latent point of, and decodes the users of a batch.

    dtype: of the item-wide products.
    """

    def __init__(self, setup: RunSetup, processes: Processes, dtype: torch.dtype) -> None:
        self.setup, self.processes, self.dtype = setup, processes, dtype

    def __call__(
        self, rows: Array, keep: Tensor | None, position: tuple[int, int, int], epoch: float
    ) -> Forward:
        """This process's share of the users at ``rows`` of the training matrix.

        keep: (n_items,) with which probability the encoder sees a click; None: it sees all.
        position: epoch, phase and batch, by which random numbers are drawn.  epoch: epochs done, with the
        fraction of the running one.
        """
        setup, device = self.setup, self.processes.device
        matrix, entries = take_rows(setup.clicks, rows)
        batch = Batch.of(matrix)
        first, end = self.processes.share(len(rows))
        clicks = batch.users(first, end).to(device)
        share = slice(int(batch.starts[first]), int(batch.starts[end]))
        inputs, shown = normalised(clicks), None
        if keep is not None:
            lots = stream(setup.seed, "mask", *position).random(len(batch.items), np.float32)[share]
            shown = Shown(keep, torch.from_numpy(lots).to(device) < keep[clicks.items])
            inputs = masked(inputs, keep, shown.kept)
        posterior = setup.network.encode(inputs)
        noise = stream(setup.seed, "noise", *position).standard_normal(
            (len(rows), setup.network.latent), np.float32
        )
        z = posterior.sample(torch.from_numpy(noise[first:end]).to(device))
        soft = None
        if setup.soft_targets is not None:
            soft = Batch.of(setup.soft_targets(rows[first:end]), device)
        last = self._last_layer(clicks, soft, position)
        losses = setup.loss.of(setup.network.decode(z), last, clicks, shown, soft)
        indices = torch.from_numpy(entries[share])
        return Forward(
            clicks, inputs, indices, posterior, z, losses.reconstruction, epoch, losses.soft_log_likelihood
        )

    def _last_layer(self, clicks: Batch, soft: Batch | None, position: tuple[int, int, int]) -> LastLayer:
        """Over all items, or over a sample with those of the batch."""
        network, sample = self.setup.network, None
        if self.setup.n_sampled:
            targets = [clicks] if soft is None else [clicks, soft]
            rng = stream(self.setup.seed, "sampled softmax", *position)
            sample = SampledItems(targets, self.setup.n_sampled, rng)
        return LastLayer(network.last, network.last_bias, self.dtype, sample)
