"""Why networks rank below EASE on MovieLens-1M: is it the width of their latent space, or their objective?

A linear autoencoder, as wide within as a Multi-VAE (200), begins as EASE (penalties learned) or at random. It
is trained on the multinomial likelihood of the clean clicks, as the networks are (Liang et al. 2018, eq. 2),
or on the squared error of what its mask hides (EDLAE; Steck 2020). Weights are averaged over the steps.
Needs --data: a folder with interactions.parquet. Takes four minutes a seed on one core.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from common import data_folder, report, size
from torch import Tensor, nn
from torch.nn import functional
from vae_accuracy import strong_split

from isotherm import EASE, Interactions
from isotherm.data import Split
from isotherm.evaluation.candidates import candidate_sets
from isotherm.models.vae.training.validation import Validation
from isotherm.types import Scores, UserItems

SEEDS = range(size(1, 1))
LATENT = size(200, 4)
EPOCHS = {"EASE": size(20, 2), "random": size(40, 2)}
EVERY = size(4, 1)  # epochs from one measurement to the next
RATE = {"EASE": 3e-4, "random": 1e-3}
KEEP = {"multinomial": 0.5, "squared error": 0.7}
AVERAGE = 0.99  # of the weights so far, at each step
#: of a click where histories are not normalised; what EASE's scores are multiplied by to begin with
UNIT, SHARPNESS = 60**-0.5, 8.0


class Linear(nn.Module):
    """logits = ((x · first) · lastᵀ) + bias.

    normalised: histories are divided by their Euclidean norm, as in Multi-VAE, and not by a constant.
    """

    def __init__(self, n_items: int, seed: int, normalised: bool) -> None:
        super().__init__()
        self.normalised = normalised
        generator = torch.Generator().manual_seed(seed)
        bound = (6 / (n_items + LATENT)) ** 0.5
        self.first = nn.Parameter((2 * torch.rand(n_items, LATENT, generator=generator) - 1) * bound)
        self.last = nn.Parameter((2 * torch.rand(n_items, LATENT, generator=generator) - 1) * bound)
        self.bias = nn.Parameter(torch.zeros(n_items))

    def begin_as(self, left: Tensor, right: Tensor, sharpness: float) -> None:
        """The scores x · left · rightᵀ, times the sharpness."""
        scale = (left.norm() / right.norm()) ** 0.5
        factor = (sharpness / UNIT) ** 0.5
        with torch.no_grad():
            self.first.copy_(left / scale * factor)
            self.last.copy_(right * scale * factor)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.addmm(self.bias, inputs @ self.first, self.last.T)

    def inputs(self, x: Tensor) -> Tensor:
        """Scaled clicks."""
        return x * (x.sum(1, keepdim=True).clamp(min=1) ** -0.5 if self.normalised else UNIT)

    @torch.no_grad()
    def score(self, block: UserItems) -> Scores:
        """Of the items, (n_users, n_items)."""
        return self(self.inputs(torch.from_numpy(block.toarray()))).numpy()


@dataclass
class Measured:
    """Of one seed: train clicks, and what is measured on users that training does not see."""

    split: Split
    train: UserItems
    valid: Validation
    test: Validation

    @classmethod
    def of(cls, clicks: Interactions, seed: int) -> "Measured":
        split = strong_split(clicks, seed)
        sets = candidate_sets(split)[0]
        test = Validation(split.histories.matrix[sets.user_rows], sets.targets)
        train = split.train.matrix.astype(np.float32)
        return cls(split, train, Validation.given(split.train, split.valid, seed), test)

    def ndcg(self, score, test: bool = False) -> float:
        """nDCG@100 on the validation users, or on the test users."""
        return (self.test if test else self.valid).measure(score, "ndcg", 100)

    def likelihood(self, network: Linear) -> float:
        """Mean log-likelihood of a validation user's hidden clicks among the items that are not seen."""
        seen = torch.from_numpy(self.valid.histories.toarray()) > 0
        hidden = torch.from_numpy(self.valid.targets.toarray())
        with torch.no_grad():
            logits = network(network.inputs(seen.float())).masked_fill(seen, -1e4)
            return float((hidden * functional.log_softmax(logits, 1)).sum() / hidden.sum())


def trained(network: Linear, start: str, objective: str, data: Measured, seed: int) -> dict:
    """Figures of the averaged weights by epoch, and test nDCG@100 where validation is best."""
    average, adam = deepcopy(network), torch.optim.Adam(network.parameters(), lr=RATE[start])
    rng, keep, step = np.random.default_rng([seed, 78]), KEEP[objective], 0
    curve = [(0, data.ndcg(average.score), data.likelihood(average))]
    best = data.ndcg(average.score, test=True)
    for epoch in range(1, EPOCHS[start] + 1):
        order = rng.permutation(data.train.shape[0])
        for rows in np.split(order, range(500, len(order), 500)):
            x = torch.from_numpy(data.train[rows].toarray())
            kept = torch.from_numpy(rng.random(x.shape, dtype=np.float32)) < keep
            adam.zero_grad(set_to_none=True)
            loss_of(objective, network(network.inputs(x) * kept / keep), x, kept, keep).mean().backward()
            adam.step()
            step += 1
            with torch.no_grad():
                for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
                    slow.lerp_(fast, 1 - min(AVERAGE, (1 + step) / (10 + step)))
        if epoch % EVERY == 0:
            valid = data.ndcg(average.score)
            if valid > max(each[1] for each in curve):
                best = data.ndcg(average.score, test=True)
            curve.append((epoch, valid, data.likelihood(average)))
    last = data.ndcg(average.score, test=True)
    print(seed, start, objective, f"best {best:.4f}, last {last:.4f}", curve, flush=True)
    return {"best": best, "last": last, "epoch, validation ndcg@100, log-likelihood": curve}


def loss_of(objective: str, logits: Tensor, x: Tensor, kept: Tensor, keep: float) -> Tensor:
    """Of each user, (n_users,)."""
    if objective == "multinomial":
        return -(x * functional.log_softmax(logits, 1)).sum(1)
    weights = torch.where(kept, 0.0, x / (1 - keep)) + (1 - x)  # a seen click is no target
    return ((x - logits).square() * weights).sum(1) / (x.sum(1).clamp(min=1) * UNIT**2).sqrt()


def one_seed(clicks: Interactions, seed: int) -> dict:
    """Of EASE, of EASE's scores in LATENT dimensions, and of what training makes of them."""
    data = Measured.of(clicks, seed)
    ease = EASE(l2="auto", seed=seed).fit(data.split.train)
    weights = dense(ease, data)
    scores = data.train @ weights
    right = torch.from_numpy(np.linalg.eigh(scores.T @ scores)[1][:, : -LATENT - 1 : -1].copy())
    left = torch.from_numpy(weights) @ right
    plain = EASE(l2=1000.0).fit(data.split.train)
    runs = {"EASE": data.ndcg(ease.score, test=True), "EASE, l2 1000": data.ndcg(plain.score, test=True)}
    for objective in KEEP:
        for start in EPOCHS:
            network = Linear(data.train.shape[1], seed, normalised=objective == "multinomial")
            if start == "EASE":
                network.begin_as(left, right, SHARPNESS if objective == "multinomial" else 1.0)
                runs[f"EASE in {LATENT} dimensions"] = data.ndcg(network.score, test=True)
            runs[f"{objective} from {start}"] = trained(network, start, objective, data, seed)
    return runs


def dense(ease: EASE, data: Measured) -> np.ndarray:
    """B over all items, (n_items, n_items)."""
    warm = np.flatnonzero(data.split.train.item_clicks())
    weights = np.zeros((data.train.shape[1],) * 2, np.float32)
    weights[np.ix_(warm, warm)] = ease.weights_.warm
    return weights


def main() -> None:
    folder = data_folder(__doc__)
    clicks = Interactions.read(folder / "interactions.parquet")
    runs = [one_seed(clicks, seed) for seed in SEEDS]

    def mean(name: str, which: str | None = None) -> float:
        return float(np.mean([run[name] if which is None else run[name][which] for run in runs]))

    rows = [
        {"what": f"{name} / EASE, learned penalties", "measured": value / mean("EASE"), "target": target}
        for name, value, target in [
            ("EASE, l2 1000", mean("EASE, l2 1000"), None),
            (f"EASE in {LATENT} dimensions", mean(f"EASE in {LATENT} dimensions"), None),
            ("multinomial from EASE, last epoch", mean("multinomial from EASE", "last"), None),
            ("multinomial from random", mean("multinomial from random", "best"), None),
            ("squared error from EASE", mean("squared error from EASE", "best"), ">= 1"),
            ("squared error from random", mean("squared error from random", "best"), None),
        ]
    ]
    report("vae_objective_ml1m", rows, seeds=list(SEEDS), latent=LATENT, runs=runs)


if __name__ == "__main__":
    main()
