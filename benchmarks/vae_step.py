"""A Multi-VAE training step at the MovieLens-20M shape against a plain dense PyTorch one and its floor.

Both in one process, turn by turn: step time, loss curves, the cost of anchors, scoring with top-100, and peak
memory (each in its own process, parameters and Adam's state included). The floor is the three products of
the last layer (3 × 2·B·H·I flops) in the type that training takes on this processor: bfloat16 where it
multiplies in it, else float32.
"""

import statistics

import numpy as np
from common import interleaved, peak_memory, report, size, uniform_clicks

N_ITEMS, HIDDEN, LATENT, BATCH, PER_USER = size((20_108, 600, 200, 500, 60), (300, 16, 8, 20, 10))
BETA, RATE = 0.2, 1e-3
SCORED = size(10_000, 100)


def dense_step(seed=0):
    """Multi-VAE as it is usually written: dense input, log_softmax × target, Adam."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(seed)
    x = torch.from_numpy(uniform_clicks(BATCH, N_ITEMS, PER_USER).toarray())

    class MultiVAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(N_ITEMS, HIDDEN)
            self.head = nn.Linear(HIDDEN, 2 * LATENT)
            self.middle = nn.Linear(LATENT, HIDDEN)
            self.last = nn.Linear(HIDDEN, N_ITEMS)

        def forward(self, x):
            hidden = torch.tanh(self.first(functional.dropout(functional.normalize(x), 0.5)))
            mean, logvar = self.head(hidden).chunk(2, 1)
            z = mean + torch.randn_like(mean) * torch.exp(0.5 * logvar)
            return self.last(torch.tanh(self.middle(z))), mean, logvar

    network = MultiVAE()
    for layer in (network.first, network.head, network.middle, network.last):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.normal_(layer.bias, 0, 0.001)
    adam = torch.optim.Adam(network.parameters(), RATE)

    def step():
        logits, mean, logvar = network(x)
        kl = -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum(1).mean()
        loss = -(functional.log_softmax(logits, 1) * x).sum(1).mean() + BETA * kl
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    return step


def our_step(anchors=0.0, seed=0):
    """One step of the training loop itself."""
    import torch

    from isotherm.models.vae.network.item_table import ItemTable
    from isotherm.models.vae.network.layers import MultiVAE
    from isotherm.models.vae.objective.anchor_term import AnchorTerm
    from isotherm.models.vae.objective.anchors import ItemAnchors
    from isotherm.models.vae.objective.beta import Constant
    from isotherm.models.vae.objective.masking import Bernoulli
    from isotherm.models.vae.objective.terms import GaussianKL, Reconstruction
    from isotherm.models.vae.training.run_setup import Phase, RunSetup
    from isotherm.models.vae.training.settings import Training
    from isotherm.models.vae.training.trainer import Trainer

    clicks = uniform_clicks(BATCH, N_ITEMS, PER_USER)
    network = MultiVAE(N_ITEMS, HIDDEN, LATENT, True, seed)
    terms = [Reconstruction(), GaussianKL(Constant(value=BETA))]
    if anchors:
        table = ItemTable(N_ITEMS, LATENT)
        table.fill(0.1, torch.Generator().manual_seed(seed))
        weights = torch.full((clicks.nnz,), 1 / PER_USER)
        terms.append(AnchorTerm(ItemAnchors(weight=anchors), table, weights))
    phase, rows, keep = Phase(terms, Bernoulli()), np.arange(BATCH), torch.full((N_ITEMS,), 0.5)
    settings = Training(batch_size=BATCH, learning_rate=RATE)
    trainer = Trainer(RunSetup("multvae", settings, network, [phase], clicks, rows, seed))

    def step():
        trainer.state.progress.sums = {}
        trainer.step(phase, rows, keep, 0.0)
        return trainer.state.progress.means()["loss"]

    return step


def steps(build, *arguments):
    """A job for ``peak_memory``: build everything, then three steps."""

    def run():
        step = build(*arguments)
        for _ in range(3):
            step()

    return run


def of_dense():
    """Import first, so that only the network, its optimiser and its steps count."""
    import torch  # noqa: F401

    return steps(dense_step)


def of_ours(anchors):
    """The same for ours; kernels are compiled (or read from their cache) before."""
    our_step(anchors)()
    return steps(our_step, anchors)


def usual_peak(job, *arguments):
    """Median of several peaks: what a process was given and did not use yet moves one by a tenth."""
    return statistics.median(peak_memory(job, *arguments)[0] for _ in range(size(5, 1)))


def product_type():
    """What the item-wide products of a step are made in on this processor."""
    import torch

    from isotherm.models.vae.training.devices import chosen_precision

    return chosen_precision("auto", torch.device("cpu"))


def product_seconds(repeats):
    """The three products of the last layer, as one call each, and as ours: a tile at a time."""
    import torch

    dtype = product_type()
    hidden = torch.randn(BATCH, HIDDEN).to(dtype)
    weight, gradient = torch.randn(N_ITEMS, HIDDEN).to(dtype), torch.randn(BATCH, N_ITEMS).to(dtype)

    def products():
        hidden @ weight.T
        gradient @ weight
        gradient.T @ hidden

    def tiled():
        for first in range(0, N_ITEMS, 2048):
            part = slice(first, first + 2048)
            hidden @ weight[part].T
            gradient[:, part] @ weight[part]
            gradient[:, part].T @ hidden

    products(), tiled()
    return interleaved(repeats, whole=products, tiled=tiled)


def main() -> None:
    from isotherm import progress

    progress.watch_with("silent")
    dense, ours, anchored = dense_step(), our_step(), our_step(1.0)
    curves = {"dense": [], "ours": [], "anchored": []}
    jobs = {"dense": dense, "ours": ours, "anchored": anchored}
    for name, job in jobs.items():
        curves[name].append(job())
    seconds = interleaved(15, **{n: (lambda n=n: curves[n].append(jobs[n]())) for n in jobs})
    floor, dtype = min(product_seconds(9).values()), str(product_type()).removeprefix("torch.")
    memory = {"dense": usual_peak(of_dense)}
    memory |= {f"anchors {weight:g}": usual_peak(of_ours, weight) for weight in (0.0, 1.0)}
    for _ in range(25):
        for name in ("dense", "ours"):
            curves[name].append(jobs[name]())
    apart = max(abs(a - b) / a for a, b in zip(curves["dense"], curves["ours"], strict=True))
    gflops = 3 * 2 * BATCH * HIDDEN * N_ITEMS / floor / 1e9
    report(
        "vae_step",
        [
            row("dense PyTorch step / ours", seconds["dense"] / seconds["ours"], ">= 3"),
            row(f"our step / floor of its three products in {dtype}", seconds["ours"] / floor, "<= 2.5"),
            row("peak memory, ours / dense", memory["anchors 0"] / memory["dense"], "<= 0.5"),
            row("largest distance of the loss curves, 41 steps", apart, "<= 0.02"),
            row("step with anchors / without", seconds["anchored"] / seconds["ours"]),
            row("peak memory with anchors / without", memory["anchors 1"] / memory["anchors 0"]),
            *scoring(),
        ],
        shape=[BATCH, N_ITEMS, HIDDEN, LATENT, PER_USER],
        products=dtype,
        seconds=seconds,
        floor_seconds=floor,
        floor_gflops=gflops,
        memory_mib={name: round(value / 2**20) for name, value in memory.items()},
        loss={name: [round(value, 3) for value in curve[::8]] for name, curve in curves.items()},
    )


def scoring():
    """10,000 users × all items with top-100 through the model contract, against the last products alone."""
    from isotherm import Interactions, MultVAE, Training
    from isotherm.linalg.csr import row_blocks
    from isotherm.memory import users_per_block
    from isotherm.ranking.topk import hide, top_k

    log = Interactions.from_csr(uniform_clicks(SCORED, N_ITEMS, PER_USER))
    model, clicks = MultVAE(hidden=HIDDEN, latent=LATENT, training=Training(epochs=1)).fit(log), log.matrix
    weight = model.network_.last.weight.numpy()
    size = users_per_block(N_ITEMS)
    hidden = np.random.default_rng(0).standard_normal((size, HIDDEN)).astype(np.float32)

    def products():
        for block in row_blocks(clicks, size):
            hidden[: block.shape[0]] @ weight.T

    def ranked():
        for block in row_blocks(clicks, size):
            scores = model.score(block)
            hide(scores, block)
            top_k(scores, 100)

    ranked()
    seconds = interleaved(5, products=products, ranked=ranked, frame=lambda: model.recommend(k=100))
    ratio = {name: value / seconds["products"] for name, value in seconds.items()}
    return [
        row("score and top-100 of 10,000 users / the decoder's products", ratio["ranked"], "<= 1.5"),
        row("recommend(k=100), a frame of a million rows / the same", ratio["frame"]),
    ]


def row(what, measured, target=None):
    """One line of the report."""
    return {"what": what, "measured": measured, "target": target}


if __name__ == "__main__":
    main()
