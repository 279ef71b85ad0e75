"""A small network and a log that it learns, for the tests of VAEs."""

import json

import numpy as np

from isotherm import Interactions

SMALL = {"hidden": 24, "latent": 8}


def tastes(n_users=240, n_items=60, seed=0):
    """Three groups of users, each with a third of the items as its own."""
    rng = np.random.default_rng(seed)
    own = np.equal.outer(np.arange(n_users) % 3, np.arange(n_items) % 3)
    x = rng.random((n_users, n_items)) < np.where(own, 0.4, 0.03)
    x[:, 0] = True
    return Interactions.from_csr(x.astype(np.float32))


def log_of(folder):
    return [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()]
