"""Small clicks and items that many tests share."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's threads: test processes share the cores already

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import Interactions, Items, progress
from tests.forks import forking

N_USERS, N_ITEMS, N_COLD = 60, 30, 5


@pytest.fixture(scope="session")
def forks():
    """Processes that begin with torch and isotherm imported."""
    with forking() as forks:
        yield forks


def pytest_collection_modifyitems(items):
    """The longest first: at the end, one of them would run alone while the other cores wait."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(autouse=True)
def _silent():
    progress.watch_with("silent")


def random_clicks(rng, n_users, n_items, density=0.25, cold=0):
    """A 0/1 matrix without empty rows; the last ``cold`` columns are empty, the others are not."""
    x = (rng.random((n_users, n_items)) < density).astype(np.float64)
    warm = n_items - cold
    x[:, warm:] = 0
    x[np.arange(n_users), rng.integers(warm, size=n_users)] = 1
    x[rng.integers(n_users, size=warm), np.arange(warm)] = 1
    return x


@pytest.fixture
def item_frame():
    """Thirty items with one field of each kind, some values missing."""
    rng = np.random.default_rng(1)
    genres = ["drama", "comedy", "war", "crime", "musical"]
    words = ["river", "robot", "garden", "winter", "detective", "ship", "letter"]
    return pl.DataFrame(
        {
            "item_id": [f"i{n:02}" for n in range(N_ITEMS)],
            "genres": [
                list(rng.choice(genres, size=rng.integers(1, 4), replace=False)) for _ in range(N_ITEMS)
            ],
            "plot": [None if n % 11 == 3 else " ".join(rng.choice(words, size=6)) for n in range(N_ITEMS)],
            "year": [None if n % 13 == 5 else float(rng.integers(1950, 2020)) for n in range(N_ITEMS)],
            "clip": [rng.standard_normal(4).tolist() for _ in range(N_ITEMS)],
        },
        schema_overrides={"clip": pl.List(pl.Float32)},
    )


@pytest.fixture
def items(item_frame):
    return Items.from_frame(item_frame, kinds={"plot": "text"})


@pytest.fixture
def clicks():
    """Sixty users u00 …, items i00 … i24 clicked; i25 … i29 are in the item table only."""
    x = random_clicks(np.random.default_rng(2), N_USERS, N_ITEMS - N_COLD)
    return Interactions.from_csr(
        csr_array(x), [f"u{n:02}" for n in range(N_USERS)], [f"i{n:02}" for n in range(N_ITEMS - N_COLD)]
    )
