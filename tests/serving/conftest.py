"""A small fitted model and its live form, which many tests of serving share."""

import numpy as np
import polars as pl
import pytest

from isotherm import ContentKNN, Interactions, Items, KernelRidge
from isotherm.serving.live.model import LiveModel
from tests.conftest import random_clicks

N_ITEMS, N_COLD = 24, 6
GENRES = ("space", "love", "war")


@pytest.fixture(scope="session")
def films():
    return pl.DataFrame(
        {
            "item_id": [f"f{n:02}" for n in range(N_ITEMS)],
            "title": [f"Film {n}" for n in range(N_ITEMS)],
            "genres": [[GENRES[n % 3], GENRES[n % 2]] for n in range(N_ITEMS)],
        }
    )


@pytest.fixture(scope="session")
def clicks(films):
    x = random_clicks(np.random.default_rng(7), 40, N_ITEMS, cold=N_COLD)
    return Interactions.from_csr(x, [f"u{n}" for n in range(40)], films["item_id"].to_list())


@pytest.fixture(scope="session")
def model(clicks, films):
    return KernelRidge().fit(clicks, Items.from_frame(films))


@pytest.fixture(scope="session")
def neighbours(clicks, films):
    return ContentKNN().fit(clicks, Items.from_frame(films))


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def live(model, now):
    return LiveModel(model, "first", clock=lambda: now[0])
