"""Per-user gradients against a loop of backward passes, and the whole study at MovieLens-1M's size.

With --data (a folder with interactions.parquet) the command is measured on MovieLens-1M, on a Multi-VAE with
anchors that is trained first; without it only the gradients are. Takes three minutes on two cores.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import gemm_flops, interleaved, peak_memory, report, size, synthetic_clicks
from torch.func import functional_call, grad, vmap

from isotherm import Interactions, ItemAnchors, MultVAE, Training, load, progress
from isotherm.geometry import StudyOptions, decoder_layers, study_models, user_gradients
from isotherm.models.vae.network.layers import MultiVAE
from isotherm.report.geometry import GeometryReport

N_PAIRS, N_ITEMS, HIDDEN, LATENT = size((256, 3260, 600, 200), (16, 200, 16, 8))
PAIRS = size(20_000, 60)


class Decoder(torch.nn.Module):
    """The decoder as plain modules, for autograd."""

    def __init__(self, network: MultiVAE) -> None:
        super().__init__()
        self.middle = torch.nn.Linear(LATENT, HIDDEN)
        self.last = torch.nn.Linear(HIDDEN, N_ITEMS)
        with torch.no_grad():
            for layer, (weight, bias) in zip((self.middle, self.last), decoder_layers(network), strict=True):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)

    def forward(self, z, x):
        return -(torch.log_softmax(self.last(torch.tanh(self.middle(z))), -1) * x).sum(-1).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data")
    data = parser.parse_args().data
    progress.watch_with("silent")
    rows = gradients(1) + gradients(2)
    if data is not None:
        rows += command(Path(data))
    report("geometry", rows, n_pairs=N_PAIRS, n_items=N_ITEMS, hidden=HIDDEN, latent=LATENT, pairs=PAIRS)


def gradients(points: int) -> list[dict]:
    """Norms and inner products of the gradients of pairs of users, three ways.

    points: z of each user. A loop reads the decoder's weights once per user, however many points there are.
    """
    network = MultiVAE(N_ITEMS, HIDDEN, LATENT, True, 0)
    plain, layers = Decoder(network), decoder_layers(network)
    n_users = 2 * N_PAIRS
    x = torch.from_numpy(synthetic_clicks(n_users, N_ITEMS, size(160, 20) * n_users).toarray())
    z = torch.randn(n_users, points, LATENT, generator=torch.Generator().manual_seed(0))
    parameters = {name: each.detach() for name, each in plain.named_parameters()}
    of_some = vmap(grad(lambda p, z, x: functional_call(plain, p, (z, x))), in_dims=(None, 0, 0))
    found = {}

    def one(u: int) -> list[torch.Tensor]:
        plain.zero_grad(set_to_none=True)
        plain(z[u], x[u]).backward()
        return [p.grad for p in plain.parameters()]

    def loop() -> None:
        out = []
        for u in range(0, n_users, 2):
            first, second = one(u), one(u + 1)
            out.append(
                [sum((a * b).sum() for a, b in zip(*each, strict=True)) for each in _products(first, second)]
            )
        found["loop"] = torch.tensor(out)

    def whole() -> None:
        out = []
        for u in range(0, n_users, 16):
            each = of_some(parameters, z[u : u + 16], x[u : u + 16])
            flat = torch.cat([g.flatten(1) for g in each.values()], 1)
            out.append(torch.stack([(a * b).sum(1) for a, b in _products(flat[::2], flat[1::2])], 1))
        found["whole"] = torch.cat(out)

    def factors() -> None:
        with torch.no_grad():
            each = user_gradients(layers, z, x)
            first, second = each.take(torch.arange(0, n_users, 2)), each.take(torch.arange(1, n_users, 2))
            found["factors"] = torch.stack([a.inner_products(b) for a, b in _products(first, second)], 1)

    for job in (loop, whole, factors):
        job()
    np.testing.assert_allclose(found["loop"], found["factors"], rtol=1e-2, atol=1)
    np.testing.assert_allclose(found["loop"], found["whole"], rtol=1e-2, atol=1)
    seconds = interleaved(5, loop=loop, whole=whole, factors=factors)
    floor = 4 * points * n_users * (N_ITEMS + LATENT) * HIDDEN / gemm_flops()  # forward, and back to hidden
    at = "a point" if points == 1 else f"{points} points"
    return [
        {
            "what": f"a loop of backward passes / factors through vmap, {at} a user",
            "measured": seconds["loop"] / seconds["factors"],
            "target": ">= 10",
            "unit": "times",
        },
        {
            "what": f"whole gradients through vmap / factors, {at} a user",
            "measured": seconds["whole"] / seconds["factors"],
            "unit": "times",
        },
        {
            "what": f"factors / their products at this machine's best rate, {at} a user",
            "measured": seconds["factors"] / floor,
            "unit": "times",
        },
    ]


def _products(first, second):
    """What a pair needs: ‖g_u‖², ⟨g_u, g_v⟩, ‖g_v‖²."""
    return (first, first), (first, second), (second, second)


def command(folder: Path) -> list[dict]:
    """Seconds and memory of the whole study and its page."""
    with tempfile.TemporaryDirectory() as place:
        clicks = Interactions.read(folder / "interactions.parquet")
        model = MultVAE(anchors=ItemAnchors(weight=1.0), training=Training(epochs=size(60, 2)))
        model.fit(clicks).save(Path(place) / "model")
        memory, seconds = peak_memory(whole_study, str(folder), place)
    return [
        {"what": f"study and page, {PAIRS:,} pairs", "measured": seconds, "target": "<= 180", "unit": "s"},
        {"what": "memory over clicks and model", "measured": memory / 2**20, "unit": "MiB"},
    ]


def whole_study(folder: str, place: str):
    """What ``peak_memory`` measures: everything is loaded before."""
    progress.watch_with("silent")
    clicks, model = Interactions.read(Path(folder) / "interactions.parquet"), load(Path(place) / "model")

    def run() -> float:
        started = time.perf_counter()
        GeometryReport(
            "t", "s", study_models({"model": model}, clicks, options=StudyOptions(pairs=PAIRS))
        ).write(Path(place) / "page.html")
        return time.perf_counter() - started

    return run


if __name__ == "__main__":
    main()
