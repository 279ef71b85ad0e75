"""Kernel ridge on every backbone, beside the backbones alone: MovieLens-1M, a random fifth of the films new.

A backbone does not depend on the metadata and is fitted once a seed, for its own row and within kernel ridge.
Needs --data: a folder with interactions.parquet, items.parquet and items_hetrec.parquet. Takes an hour a seed
on two cores, most of it for RecVAE.
"""

import argparse
import statistics
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from common import FIELDS, add_means, report, size

from isotherm import (
    EASE,
    IALS,
    SLIM,
    EASETerm,
    Interactions,
    ItemAnchors,
    Items,
    KernelRidge,
    MARec,
    MultVAE,
    RecVAE,
    Training,
    evaluate,
    progress,
)
from isotherm.data.splits import SPLITS
from isotherm.parameters import shown

NETWORK = size({}, {"hidden": 16, "latent": 8, "training": Training(epochs=2)})
#: by seed
BACKBONES: dict[str, Callable[[int], Any]] = {
    "ease": lambda seed: EASE(),
    "slim": lambda seed: SLIM(),
    "ials": lambda seed: IALS(seed=seed),
    "multvae": lambda seed: MultVAE(
        anchors=ItemAnchors(weight=1.0), ease_term=EASETerm(), seed=seed, **NETWORK
    ),
    "recvae": lambda seed: RecVAE(
        anchors=ItemAnchors(weight=1.0), ease_term=EASETerm(), seed=seed, **NETWORK
    ),
}
MEASURES = tuple(product(("all", "cold", "warm"), ("hr@10", "ndcg@10")))
BEST = "kernel-ridge on multvae"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--seeds", type=int, default=size(2, 1))
    parser.add_argument("--only", nargs="+", default=list(BACKBONES))
    options = parser.parse_args()
    progress.watch_with("silent")
    folder = Path(options.data)
    clicks = Interactions.read(folder / "interactions.parquet")
    tables = {
        "written and people": Items.read(folder / "items.parquet").only(FIELDS),
        "hetrec": Items.read(folder / "items_hetrec.parquet"),
    }
    values: dict[str, Any] = {name: {} for name in tables}
    for seed in range(options.seeds):
        fits: dict[str, dict[str, Any]] = {}
        for name, items in tables.items():
            measure(values[name], clicks, items, options.only, seed, fits)
            for model, row in values[name].items():
                shown_row = "  ".join(f"{key} {statistics.mean(each):.4f}" for key, each in row.items())
                print(f"{name} {seed} {model:26} {shown_row}", flush=True)
    report("backbones", rows(values), seeds=options.seeds, values=values)


def measure(
    found: dict[str, Any],
    clicks: Interactions,
    items: Items,
    names: list[str],
    seed: int,
    fits: dict[str, dict[str, Any]],
) -> None:
    """Add to model -> "all hr@10", …, "seconds" -> values by seed.  fits: what was fitted on this split."""
    alone = {name: fitted_once(BACKBONES[name](seed), fits) for name in names}
    models = {"marec": MARec(seed=seed), **alone}
    models |= {
        f"kernel-ridge on {name}": KernelRidge(backbone=backbone, seed=seed)
        for name, backbone in alone.items()
    }
    result = evaluate(SPLITS["mixed"](clicks, 0.2, seed), models.items(), items, [10])
    add_means(found, result, MEASURES)
    for name, measured in result.models.items():
        found[name].setdefault("seconds", []).append(measured.seconds)


def fitted_once(model: Any, fits: dict[str, dict[str, Any]]) -> Any:
    """The same model, which takes over what was learned where one like it was fitted before."""
    again: Any = once(type(model)).__new__(once(type(model)))
    again.__dict__.update(model.__dict__)
    again.fits = fits
    return again


@cache
def once(model_class: type[Any]) -> type[Any]:
    """A class whose ``fit`` learns once for each setting and order of the items."""

    class Once(model_class):  # type: ignore[misc]
        def fit(self, clicks: Interactions, items: Items, *options: Any) -> Any:
            key = f"{shown(self)} {items.ids.values.to_list()}"  # columns are in the order of the table
            if key in self.fits:
                self.__dict__.update(self.fits[key])
                return self
            super().fit(clicks, items, *options)
            self.fits[key] = dict(self.__dict__)
            return self

    return Once


def rows(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Kernel ridge on a Multi-VAE over the best of all other rows, in every column."""
    found = []
    for table, row in values.items():
        for candidates, metric in MEASURES:
            mean = {name: statistics.mean(each[f"{candidates} {metric}"]) for name, each in row.items()}
            best = max(value for name, value in mean.items() if name != BEST)
            found.append(
                {
                    "what": f"{table}: {BEST}, {candidates} {metric}, over the best other",
                    "measured": mean.get(BEST, 0.0) / max(best, 1e-12),
                    "target": ">= 1",
                }
            )
    return found


if __name__ == "__main__":
    main()
