"""A small world: sixty films, viewers of a tenth of a second."""

import numpy as np
import polars as pl
import pytest

pytest.importorskip("tea_tasting", reason="the extra experiment is not installed")

from isotherm import Interactions, Items
from isotherm.experiment.practice import Practice, World
from isotherm.experiment.practice.viewers import Viewers
from tests.conftest import random_clicks

N_FILMS = 60


@pytest.fixture(scope="session")
def films():
    x = random_clicks(np.random.default_rng(3), 120, N_FILMS, density=0.4)
    ids = np.arange(N_FILMS) + 10
    table = pl.DataFrame({"item_id": ids, "genres": [[f"g{n % 5}", f"h{n % 3}"] for n in range(N_FILMS)]})
    return Interactions.from_csr(x, item_ids=ids), Items.from_frame(table)


@pytest.fixture(scope="session")
def practice():
    return Practice(viewers=80, days=4, k=5, draws=2, seed=1)


@pytest.fixture(scope="session")
def world(films, practice):
    return World.fitted(*films, practice)


@pytest.fixture(scope="session")
def viewers(world, practice):
    return Viewers.drawn(world.taste, world.titles, practice.viewers, practice.seed)
