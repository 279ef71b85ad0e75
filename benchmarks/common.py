"""What the benchmarks share: synthetic logs, interleaved timings, peak memory, results as table and JSON.

With ISOTHERM_SMOKE=FOLDER every benchmark runs at a tiny size and writes its results there: the figures mean
nothing, but the benchmark is known to run.
"""

import argparse
import json
import multiprocessing
import operator
import os

os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "16")  # as isotherm does, which is imported later
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command line does

import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

SMOKE = os.environ.get("ISOTHERM_SMOKE")
RESULTS = Path(SMOKE) if SMOKE else Path(__file__).parent / "results"
RESULTS.mkdir(parents=True, exist_ok=True)
#: fields of MovieLens-1M that the figures are measured with
FIELDS = ["genres", "year", "title", "description", "actors", "directors"]
#: bytes of a page of memory
PAGE = os.sysconf("SC_PAGE_SIZE")


def size(full: Any, smoke: Any) -> Any:
    """A size of the measurement, or of a smoke run."""
    return smoke if SMOKE else full


def synthetic_clicks(n_users: int, n_items: int, n_clicks: int, seed: int = 0) -> csr_array:
    """(n_users, n_items) CSR of ones: log-normal activity, items by a power law, each item clicked."""
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(0, 1, n_users)
    lengths = np.clip(np.rint(activity / activity.sum() * 1.15 * n_clicks), 2, n_items // 2).astype(int)
    popularity = 1 / np.arange(10, n_items + 10) ** 0.9
    rng.shuffle(popularity)
    users = np.repeat(np.arange(n_users), lengths)
    items = rng.choice(n_items, size=len(users), p=popularity / popularity.sum())
    users = np.concatenate([users, rng.integers(n_users, size=n_items)])
    items = np.concatenate([items, np.arange(n_items)])
    matrix = csr_array((np.ones(len(users), np.float32), (users, items)), shape=(n_users, n_items))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    matrix.sort_indices()
    matrix.indices = matrix.indices.astype(np.int32)
    return matrix


def uniform_clicks(n_users: int, n_items: int, per_user: int, seed: int = 0) -> csr_array:
    """(n_users, n_items) CSR of ones with exactly ``per_user`` distinct items per user."""
    rng = np.random.default_rng(seed)
    columns = np.array([rng.choice(n_items, per_user, replace=False) for _ in range(n_users)])
    columns.sort(axis=1)
    starts = np.arange(0, n_users * per_user + 1, per_user, dtype=np.int32)
    return csr_array(
        (np.ones(n_users * per_user, np.float32), columns.ravel().astype(np.int32), starts),
        shape=(n_users, n_items),
    )


def synthetic_items(n_items: int, seed: int = 0) -> pl.DataFrame:
    """An item table with five attributes: genres, actors, directors, plot (about 40 words), year."""
    rng = np.random.default_rng(seed)
    words = np.array([f"word{n}" for n in range(3000)])
    frequency = 1 / np.arange(3, 3003)

    def some(prefix: str, n_values: int, low: int, high: int) -> list[list[str]]:
        return [
            [f"{prefix}{v}" for v in rng.choice(n_values, rng.integers(low, high + 1), replace=False)]
            for _ in range(n_items)
        ]

    return pl.DataFrame(
        {
            "item_id": np.arange(n_items),
            "genres": some("g", 19, 1, 4),
            "actors": some("a", n_items // 2, 2, 6),
            "directors": some("d", n_items // 4, 1, 1),
            "plot": [" ".join(rng.choice(words, 40, p=frequency / frequency.sum())) for _ in range(n_items)],
            "year": rng.integers(1930, 2020, n_items).astype(float),
        }
    )


def data_folder(description: str | None) -> Path:
    """The folder that --data names; progress is silent from here on."""
    from isotherm import progress

    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", required=True)
    folder = Path(parser.parse_args().data)
    progress.watch_with("silent")
    return folder


def movielens(description: str | None) -> tuple[Any, Any]:
    """Clicks and items (the FIELDS) of the folder that --data names; progress is silent from here on."""
    from isotherm import Interactions, Items

    folder = data_folder(description)
    return (
        Interactions.read(folder / "interactions.parquet"),
        Items.read(folder / "items.parquet").only(FIELDS),
    )


def published_marec(**settings: Any) -> Any:
    """MARec as published, but for what the settings say: no penalty is learned."""
    from isotherm import EASE, MARec

    return MARec(**{"backbone": EASE(l2=500.0), "smoothing": 1.0, **settings})


def add_means(
    found: dict[str, dict[str, list[float]]], result: Any, measures: Iterable[tuple[str, str]]
) -> None:
    """Add one seed's result to ``found``: model -> "all hr@10", … -> values by seed.

    measures: pairs of candidates and metric.
    """
    for name, measured in result.models.items():
        row = found.setdefault(name, {})
        for candidates, metric in measures:
            row.setdefault(f"{candidates} {metric}", []).append(measured.mean(candidates, metric))


def interleaved(repeats: int, **jobs: Callable[[], Any]) -> dict[str, float]:
    """Median seconds of each job; the jobs take turns, so that a noisy minute hits all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def gemm_flops(n: int = size(4000, 256), repeats: int = 3) -> float:
    """Measured float32 matrix product rate of this machine, flops per second."""
    a = np.random.default_rng(0).random((n, n), dtype=np.float32)
    b = a.T.copy()
    np.matmul(a[:256], b)
    return 2 * n**3 / interleaved(repeats, product=lambda: np.matmul(a, b))["product"]


def peak_memory(job: Callable[..., Any], *arguments: Any) -> tuple[int, Any]:
    """Bytes that ``job`` needed over what its fresh process held before, and what it returned.

    The job is a top-level function (setup arguments -> zero-argument callable): only the callable counts.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    if SMOKE:  # a process of its own costs seconds of imports, and the figure means nothing
        _watched(sender, job, arguments)
        return receiver.recv()
    process = context.Process(target=_watched, args=(sender, job, arguments))
    process.start()
    sender.close()
    answer = receiver.recv()
    process.join()
    return answer


def _watched(sender: Any, setup: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    run = setup(*arguments)
    before, peak, done = _resident(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = run()
    done.set()
    watcher.join()
    grown = max(peak[0], _resident()) - before
    sender.send((max(grown, PAGE), result))  # a tiny job may fit in what the process held: ratios need a byte


def _resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * PAGE


def report(name: str, rows: list[dict[str, Any]], **facts: Any) -> None:
    """Print measured against target, and write both to results/NAME.json.

    rows: {"what", "measured", "target", "unit"?, "of"?, "why"?}; target is a text such as "<= 1.5" or None;
    why: the reason where it is not met.
    """
    for row in rows:
        row["met"] = None if row.get("target") is None else _met(row["measured"], row["target"])
    width = max(len(row["what"]) for row in rows)
    for row in rows:
        if row["met"] is not False:
            row.pop("why", None)
        verdict = {None: "", True: "met", False: "NOT MET"}[row["met"]]
        target = row.get("target") or ""
        print(
            f"{row['what']:{width}}  {row['measured']:>12.4g} {row.get('unit', ''):6} {target:>10}  {verdict}"
            f"{': ' * ('why' in row)}{row.get('why', '')}"
        )
    machine = {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "features": processor_features(),
        "python": platform.python_version(),
    }
    text = json.dumps({"benchmark": name, "machine": machine, **facts, "rows": rows}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    sys.stdout.flush()


def _met(measured: float, target: str) -> bool:
    sign, bound = target.split()
    compare = {"<=": operator.le, ">=": operator.ge, ">": operator.gt}[sign]
    return bool(compare(measured, float(bound)))


def _processor() -> str:
    return _cpuinfo("model name") or platform.machine()


def processor_features() -> list[str]:
    """Which of the vector units that decide the figures this processor has: avx2, avx512f, avx512_bf16, …"""
    known = _cpuinfo("flags").split()
    return [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in known]


def _cpuinfo(field: str) -> str:
    """A field of the first processor, empty where the system does not tell."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith(field)), "")
