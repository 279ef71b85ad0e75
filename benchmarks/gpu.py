"""Fits on a CUDA device beside the processor: a VAE's step and epoch, EASE, kernel-ridge.

Where no device is found only figures of the processor are written, without ratios. The VAE has the
shape of MovieLens-20M: its share of the tensor cores is the three products of the last layer (3 × 2·B·H·I
flops a step) at the rate of a large bfloat16 product measured beside it. On the processor, where a step
takes as long whoever the users are, its epoch is that of an eighth of the users, times eight.
--data: a folder with MovieLens-1M (interactions.parquet, items.parquet), for kernel-ridge.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import movielens, report, size, synthetic_clicks

from isotherm import EASE, Interactions, KernelRidge, MultVAE, Training
from isotherm.linalg.gram import gram

USERS, ITEMS, CLICKS = size((136_677, 20_108, 9_990_682), (200, 60, 2_000))
EASE_ITEMS = size((20_108, 40_981), (60, 90))
HIDDEN, LATENT, BATCH = size((600, 200, 500), (16, 8, 20))
REPEATS = size(3, 1)
GEMM = size(8_192, 64)


def main() -> None:
    clicks, items = movielens(__doc__)
    devices = ["cpu", *["cuda"] * torch.cuda.is_available()]
    fits = {
        "VAE, epoch": vae_epoch,
        **{f"EASE, {n:,} items": ease_fit(n) for n in EASE_ITEMS},
        **{f"Gram matrix, {n:,} items": gram_pass(n) for n in EASE_ITEMS},
        "kernel-ridge, ML-1M": lambda device: timed(lambda: KernelRidge().fit(clicks, items, device=device)),
    }
    seconds: dict[str, dict[str, float]] = {what: {} for what in fits}
    for device in reversed(devices):
        for what, fit in fits.items():
            seconds[what][device] = fit(device)
            print(f"{what}, {device}: {seconds[what][device]:.3g} s", flush=True)
    report(
        "gpu",
        [row for what, by_device in seconds.items() for row in rows(what, by_device)] + difference(devices),
        device=torch.cuda.get_device_name() if len(devices) > 1 else None,
        seconds=seconds,
    )


def rows(what: str, by_device: dict[str, float]) -> list[dict[str, Any]]:
    """Seconds, how many times the device is faster, and a VAE's share of the tensor cores."""
    found: list[dict[str, Any]] = [
        {"what": f"{what}, {device}", "measured": taken, "unit": "s"} for device, taken in by_device.items()
    ]
    if what == "VAE, epoch":
        steps = -(-USERS // BATCH)
        found += [
            {"what": f"VAE, step, {device}", "measured": 1e3 * taken / steps, "unit": "ms"}
            for device, taken in by_device.items()
        ]
    if "cuda" not in by_device:
        return found
    if what == "VAE, epoch":
        rate = 3 * 2 * USERS * HIDDEN * ITEMS / by_device["cuda"] / gemm_rate()
        found.append({"what": "VAE, share of the tensor cores", "measured": rate})
    return [*found, {"what": f"{what}, cpu / cuda", "measured": by_device["cpu"] / by_device["cuda"]}]


def difference(devices: list[str]) -> list[dict[str, Any]]:
    """How far EASE's scores on the device are from the processor's, over the largest score."""
    if len(devices) == 1:
        return []
    clicks = Interactions.from_csr(synthetic_clicks(USERS // 20, ITEMS // 4, CLICKS // 20))
    here, there = (EASE(l2=500.0).fit(clicks, device=device).score(clicks.matrix[:100]) for device in devices)
    apart = float(np.abs(here - there).max() / np.abs(here).max())
    return [{"what": "EASE, scores apart / largest score", "measured": apart, "target": "<= 1e-5"}]


def vae_epoch(device: str) -> float:
    """Seconds of one epoch: three epochs less one, halved."""
    part = 1 if device == "cuda" else 8
    clicks = Interactions.from_csr(synthetic_clicks(USERS // part, ITEMS, CLICKS // part))

    def run(epochs: int) -> float:
        training = Training(epochs=epochs, batch_size=BATCH, validate_every=10, device=device)
        model = MultVAE(hidden=HIDDEN, latent=LATENT, training=training)
        return timed(lambda: model.fit(clicks), repeats=1)

    run(1)  # compiles, and warms the device up
    once = run(1)
    return max((run(3) - once) / 2, 1e-9) * part


def ease_fit(n_items: int) -> Callable[[str], float]:
    """Seconds of EASE at so many items, from clicks as dense as Gowalla's."""

    def run(device: str) -> float:
        clicks = Interactions.from_csr(synthetic_clicks(USERS // 4, n_items, CLICKS // 10))
        return timed(lambda: EASE(l2=500.0).fit(clicks, device=device), repeats=1)

    return run


def gram_pass(n_items: int) -> Callable[[str], float]:
    """Seconds of the Gram matrix of a log as dense as MovieLens-20M, wherever ``auto`` adds it up."""

    def run(device: str) -> float:
        from isotherm.linalg.accelerator import closed_forms_on

        x = synthetic_clicks(USERS, n_items, CLICKS)
        with closed_forms_on(device):
            return timed(lambda: gram([x], n_items), repeats=1)

    return run


def timed(job: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median seconds."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        job()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def gemm_rate() -> float:
    """Flops a second of a large product in bfloat16 on the device."""
    a = torch.from_numpy(np.ones((GEMM, GEMM), np.float32)).to("cuda", torch.bfloat16)
    taken = []
    for _ in range(10):
        torch.cuda.synchronize()
        started = time.perf_counter()
        _ = a @ a
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return float(2 * GEMM**3 / statistics.median(taken))


if __name__ == "__main__":
    main()
