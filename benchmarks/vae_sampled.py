"""A training step on a catalogue of 200,000 items: sampled softmax against the full one, and its bias.

Time of a step of the training loop, in turns; the error of log Σ exp(logit) by sample size, at logits with a
standard deviation of 2: its mean (the bias) and its standard deviation over users and samples, in nats.
"""

import math

import numpy as np
import torch
from common import interleaved, report, size, uniform_clicks

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.item_table import ItemTable
from isotherm.models.vae.network.last_layer import LastLayer, SampledItems
from isotherm.models.vae.network.layers import MultiVAE
from isotherm.models.vae.network.softmax import log_likelihoods
from isotherm.models.vae.objective.beta import Constant
from isotherm.models.vae.objective.masking import Bernoulli
from isotherm.models.vae.objective.terms import GaussianKL, Reconstruction
from isotherm.models.vae.training.run_setup import Phase, RunSetup
from isotherm.models.vae.training.settings import Training
from isotherm.models.vae.training.trainer import Trainer

N_ITEMS, HIDDEN, LATENT, BATCH, PER_USER = size((200_000, 200, 64, 500, 60), (2_000, 16, 8, 20, 10))
SAMPLES = size((1000, 10_000, 50_000), (500,))


def step_of(sampled: int):
    """One step of the training loop."""
    clicks = uniform_clicks(BATCH, N_ITEMS, PER_USER)
    phase, rows = Phase([Reconstruction(), GaussianKL(Constant())], Bernoulli()), np.arange(BATCH)
    settings = Training(batch_size=BATCH, softmax_sample=sampled)
    network = MultiVAE(N_ITEMS, HIDDEN, LATENT, True, 0)
    trainer = Trainer(RunSetup("multvae", settings, network, [phase], clicks, rows, 0))
    keep = torch.full((N_ITEMS,), 0.5)

    def step() -> None:
        trainer.step(phase, rows, keep, 0.0)

    step()
    return step


def errors(n: int, deviation: float = 2.0, repeats: int = size(20, 2)) -> dict[str, float]:
    """Of log Z, in nats, from ``n`` sampled items."""
    users = 32
    generator = torch.Generator().manual_seed(0)
    table = ItemTable(N_ITEMS, HIDDEN)
    table.weight.data.normal_(0, 1, generator=generator)
    hidden = torch.randn(users, HIDDEN, generator=generator) * deviation / math.sqrt(HIDDEN)
    clicks = Batch.of(uniform_clicks(users, N_ITEMS, PER_USER))
    bias = torch.zeros(N_ITEMS)
    full = log_likelihoods(hidden, LastLayer(table, bias, torch.float32), [clicks])[:, 0]
    apart = []
    for seed in range(repeats):
        sample = SampledItems([clicks], n, np.random.default_rng(seed))
        found = log_likelihoods(hidden, LastLayer(table, bias, torch.float32, sample), [clicks])[:, 0]
        apart.append(((full - found) / clicks.totals).detach())
    values = torch.stack(apart)
    return {"bias": float(values.mean()), "deviation": float(values.std())}


def main() -> None:
    jobs = {"full": step_of(0)} | {f"{n} items": step_of(n) for n in SAMPLES}
    seconds = interleaved(5, **jobs)
    error = {n: errors(n) for n in SAMPLES}
    rows = []
    for n in SAMPLES:
        of = f"{n} of {N_ITEMS} items"
        ratio = seconds["full"] / seconds[f"{n} items"]
        rows += [
            {"what": f"{of}: full step / sampled step", "measured": ratio},
            {"what": f"{of}: bias of log Z", "measured": error[n]["bias"], "unit": "nats"},
            {"what": f"{of}: deviation of log Z", "measured": error[n]["deviation"], "unit": "nats"},
        ]
    report("vae_sampled", rows, shape=[BATCH, N_ITEMS, HIDDEN, LATENT, PER_USER], seconds=seconds)


if __name__ == "__main__":
    main()
