"""One answer and one start of a server: how near recommending for one history comes to reading memory.

Weights are drawn, not learned: what is measured does not depend on their values. The floor of an answer by
dense weights is to read the rows of the clicked items once: 50 rows of 20,108 float32 are 4.0 MB.
"""

import multiprocessing
import queue
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from common import SMOKE, report, size, uniform_clicks

from isotherm import IALS, Interactions, MARec, MultVAE, load, progress
from isotherm.data.item_labels import ItemLabels
from isotherm.features.encoded_items import EncodedItems
from isotherm.kernels import reordering_kernel
from isotherm.models.base import Recommender
from isotherm.models.cold_start.cold_items import ColdItems
from isotherm.models.cold_start.item_trend import ItemTrend
from isotherm.models.cold_start.user_scaling import UserScaling
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.marec.backbones.linear import EASEBackbone

N_ITEMS, N_USERS, LENGTH, K = size(20_108, 80), size(5000, 40), size(50, 5), 20
N_COLD = N_ITEMS // 20
TURNS, CALLS, WORKERS = size(25, 1), size(40, 3), 4
WIDTHS = size({"hidden": 600, "latent": 200}, {"hidden": 8, "latent": 4})
FACTORS = size(128, 4)


@reordering_kernel
def _read(rows: Any, weights: Any) -> Any:
    """The sum of some rows: one thread reads them, and nothing else is done."""
    total = np.float32(0)
    for r in range(len(rows)):
        row = weights[rows[r]]
        for c in range(len(row)):
            total += row[c]
    return total


def known(model: Recommender, clicks: Interactions) -> Recommender:
    """A model whose learned state is set from outside, with ids and clicks as after a fit."""
    model.users_, model.items_, model.clicks_ = clicks.users, clicks.items, clicks.matrix
    model.labels_ = ItemLabels.none(clicks.n_items)
    return model


def drawn_weights() -> np.ndarray[Any, Any]:
    """(n_items, n_items) float32, 1.6 GB."""
    rng = np.random.default_rng(0)
    weights = np.empty((N_ITEMS, N_ITEMS), dtype=np.float32)
    for band in np.array_split(np.arange(N_ITEMS), 20):
        weights[band] = rng.standard_normal((len(band), N_ITEMS), dtype=np.float32)
    return weights


def marec(clicks: Interactions, weights: DenseWeights) -> Recommender:
    """MARec on EASE, with new items, their scale and a trend of items in use."""
    model, nothing = MARec(), np.empty(0, dtype=np.float32)
    ridge = 1.0, nothing, nothing.astype(np.int64), nothing
    model.aligned_ = EASEBackbone(1.0, weights, 1.0, *ridge)
    model.trend_ = ItemTrend(0.5, np.linspace(0.5, 1.5, N_ITEMS, dtype=np.float32))
    cold = np.arange(N_ITEMS - N_COLD, N_ITEMS)
    model.cold_ = ColdItems(cold, EncodedItems.empty({}))
    model.new_item_share_, model.new_item_factor_ = 0.1, 0.8
    model.user_scaling_ = UserScaling(0.3, float(LENGTH), 0.75)
    return known(model, clicks)


def others(clicks: Interactions) -> dict[str, Recommender]:
    """Models that have no dense weights, their learned state drawn."""
    vae, ials = MultVAE(**WIDTHS), IALS(factors=FACTORS)
    vae.network_ = vae.new_network(N_ITEMS).eval().requires_grad_(False)
    vae.anchors_ = vae.ease_term_ = None
    rng = np.random.default_rng(1)
    ials.item_factors_ = 0.1 * rng.standard_normal((N_ITEMS, FACTORS), dtype=np.float32)
    ials.columns_ = np.arange(N_ITEMS)
    ials.restored()
    return {"multvae": known(vae, clicks), "ials": known(ials, clicks)}


def histories() -> Iterator[list[int]]:
    """Histories without end, so many that the rows of one are in no cache when it comes again."""
    rng = np.random.default_rng(2)
    return cycle([rng.choice(N_ITEMS, LENGTH, replace=False).tolist() for _ in range(1000)])


def asking(ask: Callable[[list[list[int]]], Any]) -> Callable[[], Any]:
    """A job that asks for one history after the other."""
    given = histories()
    ask([next(given)])  # kernels are compiled, ids are indexed
    return lambda: ask([next(given)])


def medians(jobs: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median milliseconds of each job's calls.

    The jobs take turns, so that a noisy minute hits all alike; in a turn each is called many times, as a
    server does the same again and again.
    """
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(TURNS):
        for name, job in jobs.items():
            for _ in range(CALLS):
                started = time.perf_counter()
                job()
                seconds[name].append(time.perf_counter() - started)
    return {name: 1e3 * statistics.median(values) for name, values in seconds.items()}


def answers(clicks: Interactions, weights: DenseWeights) -> list[dict[str, Any]]:
    """Milliseconds of one list of 20 for one history of 50."""
    ease = EASE()
    ease.weights_ = weights
    models = {"ease": known(ease, clicks), "marec": marec(clicks, weights), **others(clicks)}
    jobs = {"floor": asking(lambda given: _read(np.array(given[0]), weights.warm))}
    for name, model in models.items():
        jobs[name] = asking(lambda given, model=model: model.recommend_for(given, k=K))
        jobs[f"{name} as arrays"] = asking(lambda given, model=model: model.answer(given, k=K))
    found = medians(jobs)
    rows = [{"what": "floor: the rows of 50 clicks are read", "measured": found["floor"], "unit": "ms"}]
    for name in models:
        dense = name in ("ease", "marec")
        for how, job in (("a frame", name), ("arrays", f"{name} as arrays")):
            row = {"what": f"{name}: one history, {how}", "measured": found[job], "unit": "ms"}
            rows.append(row | {"target": "<= 0.5" if dense else None})
            if dense:
                ratio = found[job] / found["floor"]
                rows.append({"what": f"{name}: one history, {how} / floor", "measured": ratio})
    return rows


def proportional_size() -> int:
    """Bytes that this process takes, what it shares with others divided by how many they are."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def serving(folder: str, ready: Any, done: Any, sizes: Any) -> None:
    """A worker: starts on a model that was verified, reads all of its weights, and tells its size."""
    progress.watch_with("silent")
    before = proportional_size()
    model = load(folder, mapped=True, verify=False)
    model.weights_.warm.sum()
    model.answer([[0]], k=K)
    ready.wait()
    sizes.put(proportional_size() - before)
    done.wait()  # nobody leaves before all are measured


def sizes_of_workers(folder: str) -> list[int]:
    """Bytes that each of several workers adds to what it takes before it loads the model."""
    if SMOKE:  # a process of its own costs seconds of imports, and the figure means nothing
        sizes = queue.Queue()
        serving(folder, threading.Barrier(1), threading.Barrier(1), sizes)
        return [sizes.get()]
    context = multiprocessing.get_context("spawn")
    arguments = folder, context.Barrier(WORKERS), context.Barrier(WORKERS), context.Queue()
    workers = [context.Process(target=serving, args=arguments) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    sizes_told = [arguments[-1].get() for _ in workers]
    for worker in workers:
        worker.join()
    return sizes_told


def starts(clicks: Interactions, weights: DenseWeights) -> list[dict[str, Any]]:
    """Seconds from a saved model to the first answer, and what four workers share."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ease = EASE()
        ease.weights_ = weights
        known(ease, clicks).save(folder)
        n_bytes = sum(file.stat().st_size for file in Path(folder).iterdir())
        ways = {
            "read and verified": {},
            "mapped and verified": {"mapped": True},
            "mapped, verified before": {"mapped": True, "verify": False},
        }
        for way, how in ways.items():
            started = time.perf_counter()
            load(folder, **how).answer([[0]], k=K)
            seconds = time.perf_counter() - started
            target = "<= 3" if "mapped" in how else None
            what = f"load to the first answer, {way}"
            rows.append({"what": what, "measured": seconds, "unit": "s", "target": target})
        total = sum(sizes_of_workers(folder))
    what = f"memory of {WORKERS} workers together / size of the model"
    return [*rows, {"what": what, "measured": total / n_bytes, "target": "<= 1.5"}]


def main() -> None:
    progress.watch_with("silent")
    clicks = Interactions.from_csr(uniform_clicks(N_USERS, N_ITEMS, LENGTH))
    weights = DenseWeights.among(N_ITEMS, np.arange(N_ITEMS), drawn_weights())
    rows = answers(clicks, weights) + starts(clicks, weights)
    report("serving", rows, items=N_ITEMS, history=LENGTH, k=K, calls=TURNS * CALLS)


if __name__ == "__main__":
    main()
