"""One answer and one start of a server: how near recommending for one history comes to reading memory, and
how near a server comes to one that does nothing but answer.

Weights are drawn, not learned: what is measured does not depend on their values. The floor of an answer by
dense weights is to read the rows of the clicked items once: 50 rows of 20,108 float32 are 4.0 MB.

--implicit names the Python of a virtual environment with implicit, fastapi, uvicorn, uvloop and httptools,
whose ``recommend`` is then asked in the same way. Servers and their client share the machine's cores.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import queue
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from common import SMOKE, report, size, uniform_clicks
from drawn_models import drawn, drawn_ease, drawn_factors, drawn_marec, drawn_vae, item_table
from http_load import Connection, Measured, paced, request, saturated
from scipy.sparse import csr_array
from servers import Server, isotherm_serve, memory, shell

from isotherm import Interactions, load, progress
from isotherm.data import Items
from isotherm.kernels import reordering_kernel
from isotherm.types import Float32

N_ITEMS, N_USERS, LENGTH, K = size(20_108, 80), size(5000, 40), size(50, 5), 20
N_COLD = N_ITEMS // 20
TURNS, CALLS, WORKERS = size(25, 1), size(40, 3), 4
WIDTHS = size({"hidden": 600, "latent": 200}, {"hidden": 8, "latent": 4})
FACTORS = size(128, 4)
ROUNDS, SECONDS, CONNECTIONS, SERVER_WORKERS = size(5, 1), size(2.0, 0.2), 8, size(2, 1)
SHARE_OF_RATE = 0.7  # at which the 99th percentile is taken
CLICKS, NEW_ITEMS = size(1000, 5), size(20, 2)


@reordering_kernel
def _read(rows: Any, weights: Any) -> Any:
    """The sum of some rows: one thread reads them, and nothing else is done."""
    total = np.float32(0)
    for r in range(len(rows)):
        row = weights[rows[r]]
        for c in range(len(row)):
            total += row[c]
    return total


def histories() -> Iterator[list[int]]:
    """Histories without end, so many that the rows of one are in no cache when it comes again."""
    rng = np.random.default_rng(2)
    return cycle([rng.choice(N_ITEMS - N_COLD, LENGTH, replace=False).tolist() for _ in range(1000)])


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


def answers(clicks: Interactions, items: Items, weights: Float32) -> list[dict[str, Any]]:
    """Milliseconds of one list of 20 for one history of 50."""
    models = {
        "ease": drawn_ease(clicks, weights),
        "marec": drawn_marec(clicks, items),
        "multvae": drawn_vae(clicks, items, WIDTHS),
        "ials": drawn_factors(clicks, FACTORS),
    }
    jobs = {"floor": asking(lambda given: _read(np.array(given[0]), weights))}
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


def serving(folder: str, ready: Any, done: Any, sizes: Any) -> None:
    """A worker: starts on a model that was verified, reads all of its weights, and tells its size."""
    progress.watch_with("silent")
    before = memory([os.getpid()])
    model = load(folder, mapped=True, verify=False)
    model.weights_.warm.sum()
    model.answer([[0]], k=K)
    ready.wait()
    sizes.put(memory([os.getpid()]) - before)
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


def starts(clicks: Interactions, weights: Float32) -> list[dict[str, Any]]:
    """Seconds from a saved model to the first answer, and what four workers share."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        drawn_ease(clicks, weights).save(folder)
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


def bodies() -> list[bytes]:
    """Requests of lists of 20 for histories of 50."""
    given = histories()
    return [json.dumps({"history": next(given), "k": K}).encode() for _ in range(1000)]


def http(folder: Path, implicit: str | None) -> list[dict[str, Any]]:
    """What servers bear, each asked in turn.  folder: of saved models."""
    with ExitStack() as stack:
        servers = {
            "shell": stack.enter_context(shell("constant", SERVER_WORKERS)),
            "marec": stack.enter_context(
                isotherm_serve(folder / "marec", folder / "marec.db", SERVER_WORKERS)
            ),
        }
        if not SMOKE:
            servers["multvae"] = stack.enter_context(
                isotherm_serve(folder / "multvae", folder / "multvae.db", SERVER_WORKERS)
            )
            servers["app"] = stack.enter_context(shell("isotherm", SERVER_WORKERS, SHELL_FOLDER=str(folder)))
        for kind in ("als", "als-known", "cosine") if implicit else ():
            servers[kind] = stack.enter_context(
                shell(kind, SERVER_WORKERS, implicit, SHELL_ITEMS=str(N_ITEMS))
            )
        seen = {name: _rounds_of(name, server) for name, server in servers.items()}
        for _ in range(ROUNDS - 1):
            for rounds in seen.values():
                next(rounds)
        rows = _rate_rows({name: next(rounds) for name, rounds in seen.items()})
        return rows + asyncio.run(_changes(servers["marec"]))


def _rounds_of(name: str, server: Server) -> Iterator[dict[str, float]]:
    """Medians so far, after each round: what it bears, the time of one alone, the p99 at 70% of the rate."""
    sent, found = bodies(), {"rate": [], "alone_ms": [], "p99_ms": []}
    saturated(server.port, "/v1/recommend", sent, CONNECTIONS, SECONDS / 4)
    while True:
        full = _checked(name, saturated(server.port, "/v1/recommend", sent, CONNECTIONS, SECONDS))
        alone = _checked(name, saturated(server.port, "/v1/recommend", sent, 1, SECONDS / 2))
        rate = SHARE_OF_RATE * full.rate
        part = _checked(name, paced(server.port, "/v1/recommend", sent, 4 * CONNECTIONS, rate, SECONDS))
        for what, value in (("rate", full.rate), ("alone_ms", alone.median_ms), ("p99_ms", part.p99_ms)):
            found[what].append(value)
        yield {what: statistics.median(values) for what, values in found.items()}


def _checked(name: str, measured: Measured) -> Measured:
    if measured.errors:
        raise RuntimeError(f"{name}: {measured.errors} of {measured.requests} answers are errors")
    return measured


#: server -> least requests a second, largest p99 in ms
TARGETS = {"marec": (1000, 20), "multvae": (300, 50)}


def _rate_rows(found: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    rows = []
    for name, figures in found.items():
        rate, p99 = TARGETS.get(name, (None, None))
        told = f"HTTP, {name}: "
        rows += [
            {
                "what": f"{told}requests a second",
                "measured": figures["rate"],
                "target": rate and f">= {rate}",
            },
            {"what": f"{told}median of one at a time", "measured": figures["alone_ms"], "unit": "ms"},
            {
                "what": f"{told}p99 at 70% of the rate",
                "measured": figures["p99_ms"],
                "unit": "ms",
                "target": p99 and f"<= {p99}",
            },
        ]
    ours = found["marec"]
    for name, figures in found.items():
        if name in ("marec", "multvae"):
            continue
        least = {"shell": ">= 0.5", "app": None}.get(name, ">= 1")
        rows.append(
            {
                "what": f"HTTP: rate, marec / {name}",
                "measured": ours["rate"] / figures["rate"],
                "target": least,
            }
        )
    above = ours["alone_ms"] - found["shell"]["alone_ms"]
    rows.append({"what": "HTTP: median, marec - shell", "measured": above, "unit": "ms", "target": "<= 1.5"})
    return rows


async def _changes(server: Server) -> list[dict[str, Any]]:
    """How soon all workers show a new item, and whether any misses a click that another has acknowledged."""
    held = list((await server.connections(SERVER_WORKERS)).values())
    milliseconds = [await _new_item(held, size_of_id) for size_of_id in range(NEW_ITEMS)]
    missed = [await _click_missed(held, number) for number in range(CLICKS)]
    return [
        {
            "what": "new item: POST answered to shown by all workers, median",
            "measured": statistics.median(milliseconds),
            "unit": "ms",
            "target": "<= 150",
        },
        {"what": "new item: the same, longest", "measured": max(milliseconds), "unit": "ms"},
        {
            "what": f"clicks that the next request on another worker missed, of {CLICKS}",
            "measured": sum(missed),
            "target": "<= 0",
        },
    ]


async def _new_item(held: Sequence[Connection], number: int) -> float:
    """Milliseconds from the answer of one worker until each has shown the item."""
    item = 10 * N_ITEMS + number
    metadata = {"title": f"New {number}", "genres": ["g1", "g2"], "tags": [f"t{number}"]}
    put = request("POST", "/v1/items", {"items": [{"item_id": item, "metadata": metadata}]})
    asked = request("POST", "/v1/recommend", {"history": [1, 2, 3], "candidates": [item], "k": 1})
    await _json(held[number % len(held)], put)
    since = time.perf_counter()

    async def until_shown(connection: Connection) -> None:
        while not (await _json(connection, asked))["items"]:
            pass

    await asyncio.gather(*map(until_shown, held))
    return 1e3 * (time.perf_counter() - since)


async def _click_missed(held: Sequence[Connection], number: int) -> bool:
    """Whether the worker that is asked next still shows the item that was clicked.

    Every other user is one of whom no worker had heard before.
    """
    user = 10 * N_USERS + number if number % 2 else number % N_USERS
    here, there = held[number % len(held)], held[(number + 1) % len(held)]
    asked = request("POST", "/v1/recommend", {"user": user, "k": K})
    clicked = (await _json(there, asked))["items"][number % K]["item_id"]
    event = {"id": f"click {number}", "type": "click", "user": user, "item": clicked, "time": time.time()}
    counts = await _json(here, request("POST", "/v1/events", [event]))
    if counts["new"] != 1:
        raise RuntimeError(f"the click was not taken: {counts}")
    answer = await _json(there, asked)
    return clicked in [item["item_id"] for item in answer["items"]] or answer["answered_by"] != "model"


async def _json(connection: Connection, sent: bytes) -> Any:
    status, body = await connection.ask(sent)
    if status != 200:
        raise RuntimeError(f"{status}: {body[:500]!r}")
    return json.loads(body)


def servers_alone(folder: Path) -> list[dict[str, Any]]:
    """The start of a server on a model of 1.6 GB, and what its workers take together."""
    n_bytes = sum(file.stat().st_size for file in (folder / "marec").iterdir())
    seconds = []
    for number in range(5):
        with isotherm_serve(folder / "marec", folder / f"start{number}.db", WORKERS) as server:
            seconds.append(server.seconds)
            if number:
                continue
            saturated(server.port, "/v1/recommend", bodies(), 4 * CONNECTIONS, 2 * SECONDS)
            taken = memory([*server.workers, server.pid])
    return [
        {
            "what": f"isotherm serve --workers {WORKERS}: start to ready",
            "measured": statistics.median(seconds),
            "unit": "s",
            "target": "<= 3",
        },
        {
            "what": "memory of all its processes / size of the model, every row of it asked for",
            "measured": taken / n_bytes,
            "target": "<= 2",
        },
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--implicit", metavar="PYTHON")
    implicit = parser.parse_args().implicit
    progress.watch_with("silent")
    items = item_table(N_ITEMS)
    clicks = Interactions.from_csr(_warm_clicks())
    weights = drawn(N_ITEMS, N_ITEMS)
    rows = answers(clicks, items, weights) + starts(clicks, weights)
    del weights
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn_marec(clicks, items).save(folder / "marec")
        drawn_vae(clicks, items, WIDTHS).save(folder / "multvae")
        few = Interactions.from_csr(uniform_clicks(40, 80, 5))
        drawn_ease(few, drawn(80, 80)).save(folder / "small")
        rows += http(folder, implicit)
        rows += [] if SMOKE else servers_alone(folder)  # five more starts
    report("serving", rows, items=N_ITEMS, history=LENGTH, k=K, calls=TURNS * CALLS, workers=SERVER_WORKERS)


def _warm_clicks() -> csr_array:
    """(n_users, n_items), the last items without a click."""
    clicks = uniform_clicks(N_USERS, N_ITEMS - N_COLD, LENGTH)
    return csr_array((clicks.data, clicks.indices, clicks.indptr), shape=(N_USERS, N_ITEMS))


if __name__ == "__main__":
    main()
