"""EASE on Gowalla's 40,981 items: peak memory of the fit, and its quality on the public split.

Needs --data: a folder with train.parquet and test.parquet (user_id, item_id).
"""

import argparse
import time
from pathlib import Path

from common import peak_memory, report

from isotherm import EASE, Interactions, progress
from isotherm.data.splits import given
from isotherm.evaluation.candidates import candidate_sets
from isotherm.evaluation.lists import ranked_lists
from isotherm.evaluation.measures import measure_lists


def setup(folder: str):
    """A fit on the train log, ready to run; then the test log is ranked, outside the fit's memory."""
    progress.watch_with("silent")
    logs = [Interactions.read(Path(folder) / f"{name}.parquet") for name in ("train", "test")]
    split = given(*logs)

    def run() -> dict[str, float]:
        started = time.perf_counter()
        model = EASE(l2=500.0).fit(split.train)
        seconds = time.perf_counter() - started
        sets = candidate_sets(split)[:1]
        metrics = measure_lists(ranked_lists(model, split, sets, 20), split, sets, [20], 0)
        values = {name: metrics["all"][name].mean for name in ("recall@20", "ndcg@20")}
        return {"seconds": seconds, "items": split.train.n_items, **values}

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    memory, result = peak_memory(setup, parser.parse_args().data)
    report(
        "gowalla",
        [
            {
                "what": "peak memory of fit and ranking",
                "measured": memory / 2**30,
                "unit": "GiB",
                "target": "<= 16",
            },
            {"what": "the same / (items² × 4 bytes)", "measured": memory / (4 * result["items"] ** 2)},
            {"what": "fit", "measured": result["seconds"], "unit": "s"},
            {"what": "recall@20", "measured": result["recall@20"]},
            {"what": "ndcg@20", "measured": result["ndcg@20"]},
        ],
        items=result["items"],
    )


if __name__ == "__main__":
    main()
