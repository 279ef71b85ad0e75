"""iALS beside exact rounds, irspack and implicit on MovieLens-1M: speed, loss and accuracy.

Needs --data: a folder with interactions.parquet.  --implicit: the Python of an environment that has implicit,
whose rows are left out otherwise. irspack minimizes the same loss with the same settings, and its items are
ranked by the same fold-in. implicit weighs clicks otherwise, so that only its time is compared.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from common import gemm_flops, report, size
from irspack.recommenders.ials import IALSRecommender
from scipy.sparse import csr_array, csr_matrix, save_npz

from isotherm import IALS, Interactions, evaluate, progress
from isotherm.data.splits import strong
from isotherm.models.factorization.ials import Factors

FACTORS, ROUNDS, K = size(64, 4), size(16, 2), 20
TIMED_ROUNDS, REPEATS, SEEDS = size(4, 1), size(3, 1), range(size(3, 1))
L2, W = 0.01, 0.1
#: does something, and gives seconds by the clock and by all processors together
Job = Callable[[], tuple[float, float]]
PEER = Path(__file__).parent / "peers" / "implicit_als.py"


class Exact(IALS):
    """Every row solved for exactly, in every round."""

    def rounds(self, user_items: csr_array) -> Iterator[Factors]:
        """The factors after each round."""
        items, item_users = self.start(user_items.shape[1]), csr_array(user_items.T.tocsr())
        for _ in range(self.iterations):
            users = self.fold_in(user_items, self.held(items))
            items = self.fold_in(item_users, self.held(users))
            yield Factors(items, users)

    def train(self, user_items, soft=None, n_unclicked=0) -> Factors:
        *_, last = self.rounds(user_items)
        return last


class Irspack(IALS):
    """irspack's, three steps of conjugate gradients a round as it is by default."""

    solver = "CG"

    def train(self, user_items, soft=None, n_unclicked=0) -> Factors:
        trainer = IALSRecommender(
            csr_matrix(user_items),
            n_components=self.factors,
            alpha0=self.unobserved_weight,
            reg=self.l2,
            nu=self.exponent,
            solver_type=self.solver,
            random_seed=self.seed,
        )._create_trainer()
        for _ in range(self.iterations):
            trainer.run_epoch()
        return Factors(np.asarray(trainer.core_trainer.item), np.asarray(trainer.core_trainer.user))


class IrspackCholesky(Irspack):
    """irspack's exact one."""

    solver = "CHOLESKY"


MODELS = {"ours": IALS, "exact rounds": Exact, "irspack": Irspack, "irspack, Cholesky": IrspackCholesky}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--implicit")
    options = parser.parse_args()
    progress.watch_with("silent")
    clicks = Interactions.read(Path(options.data) / "interactions.parquet")
    matrix = csr_array(clicks.matrix.astype(np.float32))
    settings = {"factors": FACTORS, "iterations": ROUNDS, "l2": L2, "unobserved_weight": W}
    short = settings | {"iterations": TIMED_ROUNDS}
    model = IALS(**short).fit(clicks)
    jobs = {
        f"fit: {name}": timed(lambda kind=kind: kind(**short).train(matrix)) for name, kind in MODELS.items()
    }
    jobs["recommend: ours"] = timed(lambda: model.recommend(k=K))
    with implicit_jobs(options.implicit, matrix) as theirs:
        clock, processors = turns(jobs | theirs)
    rows = ratios(clock, "by the clock") + ratios(processors, "by processors")
    rows += losses(matrix, settings)
    values = accuracy(clicks, settings)
    rows += [over("exact rounds", values, metric) for metric in values["ours"]]
    rows += [over("irspack", values, metric) for metric in values["ours"]]
    floor = flops(matrix) / gemm_flops()
    rows.append(
        {"what": "fit: ours / floor (flops at the GEMM rate)", "measured": clock["fit: ours"] / floor}
    )
    left_out = (
        None if options.implicit else "implicit: no --implicit, the Python of an environment that has it"
    )
    report(
        "ials_speed",
        rows,
        settings=settings,
        seconds=clock,
        processor_seconds=processors,
        floor=floor,
        values=values,
        left_out=left_out,
    )


def timed(job: Callable[[], Any]) -> Job:
    """The job, giving its seconds by the clock, and by all processors together."""

    def run() -> tuple[float, float]:
        clock, processors = time.perf_counter(), time.process_time()
        job()
        return time.perf_counter() - clock, time.process_time() - processors

    return run


@contextmanager
def implicit_jobs(
    python: str | None, matrix: csr_array, rounds: int = TIMED_ROUNDS
) -> Iterator[dict[str, Job]]:
    """What asks implicit, in a process of its own, and gives the seconds that it tells."""
    if python is None:
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        save_npz(f"{folder}/clicks.npz", csr_matrix(matrix))
        command = [python, str(PEER), f"{folder}/clicks.npz", str(FACTORS), str(rounds)]
        one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # as implicit's own warning asks for
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=one_thread, **pipes) as process:

            def ask(word: str) -> tuple[float, float]:
                print(word, file=process.stdin, flush=True)
                clock, processors = process.stdout.readline().split()
                return float(clock), float(processors)

            words = {"fit: implicit": "fit", "recommend: implicit": "recommend"}
            words["recommend: implicit, folding in"] = "fold-in"
            yield {name: (lambda word=word: ask(word)) for name, word in words.items()}
            process.stdin.close()


def turns(jobs: dict[str, Job]) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of each, by clock and by processors; taking turns, noise hits all jobs alike."""
    rounds = [{name: job() for name, job in jobs.items()} for _ in range(REPEATS)]
    clock, processors = (
        {name: statistics.median(seconds[name][which] for seconds in rounds) for name in jobs}
        for which in (0, 1)
    )
    return clock, processors


def ratios(seconds: dict[str, float], unit: str) -> list[dict[str, Any]]:
    """Each peer's seconds over ours, of the same job."""
    rows = []
    for name, value in seconds.items():
        job, who = name.split(": ")
        if who != "ours":
            ratio = value / seconds[f"{job}: ours"]
            rows.append({"what": f"{job}, {unit}: {who} / ours", "measured": ratio, "target": ">= 1"})
    return rows


def losses(matrix: csr_array, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The loss after some rounds of ours over that of as many exact ones: the last has a target."""
    shown, rows = {1, 2, 4, 8, ROUNDS}, []
    exact = Exact(**settings)
    for n, factors in enumerate(exact.rounds(matrix), 1):
        if n in shown:
            ours = IALS(**settings | {"iterations": n}).train(matrix)
            ratio = loss(ours, matrix) / loss(factors, matrix)
            rows.append({"what": f"loss after {n} rounds: ours / exact rounds", "measured": ratio})
    rows[-1]["target"] = "<= 1.002"
    return rows


def loss(factors: Factors, matrix: csr_array) -> float:
    """What iALS minimizes."""
    users, items = factors.users.astype(float), factors.items.astype(float)
    n_users, n_items = matrix.shape
    of_users, of_items = np.diff(matrix.indptr), np.bincount(matrix.indices, minlength=n_items)
    scores = np.einsum("ij,ij->i", users[np.repeat(np.arange(n_users), of_users)], items[matrix.indices])
    ridge = (of_users + W * n_items) @ (users**2).sum(axis=1) + (of_items + W * n_users) @ (items**2).sum(
        axis=1
    )
    every_cell = ((users.T @ users) * (items.T @ items)).sum()
    return float((matrix.data * (1 - scores) ** 2).sum() + W * every_cell + L2 * ridge)


def accuracy(clicks: Interactions, settings: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Model -> metric -> values by seed, of unseen users."""
    values: dict[str, dict[str, list[float]]] = {}
    for seed in SEEDS:
        models = {name: MODELS[name](**settings, seed=seed) for name in ("ours", "exact rounds", "irspack")}
        result = evaluate(strong(clicks, holdout=0.2, seed=seed), models, ks=[20, 100])
        for name, found in result.models.items():
            for metric in ("ndcg@20", "ndcg@100"):
                values.setdefault(name, {}).setdefault(metric, []).append(found.metrics["all"][metric].mean)
    return values


def over(other: str, values: dict[str, dict[str, list[float]]], metric: str) -> dict[str, Any]:
    """Our mean over another's."""
    ours, theirs = (statistics.mean(values[name][metric]) for name in ("ours", other))
    what = f"{metric}, strong split, {len(SEEDS)} seeds: ours / {other}"
    return {"what": what, "measured": ours / theirs, "target": ">= 0.995"}


def flops(matrix: csr_array) -> float:
    """Of the timed rounds: three passes over the clicks for each side, three products with d × d a row."""
    rows = sum(matrix.shape)
    return TIMED_ROUNDS * (2 * 12 * matrix.nnz * FACTORS + 3 * 2 * rows * FACTORS**2)


if __name__ == "__main__":
    main()
