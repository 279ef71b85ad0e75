"""A small fitted model, its live form, and a database of each kind, which many tests of serving share."""

import secrets
from contextlib import ExitStack

import numpy as np
import polars as pl
import pytest

pytest.importorskip("sqlalchemy", reason="the extra serve is not installed")

from isotherm import ContentKNN, Interactions, Items, KernelRidge
from isotherm.serving.database import Database
from isotherm.serving.live.model import LiveModel
from isotherm.serving.shared.shared import SharedModel
from tests.conftest import random_clicks
from tests.serving.postgresql import POSTGRES, Server

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


@pytest.fixture
def shared_of(tmp_path):
    """A model as it is shared by a database of its own."""
    with ExitStack() as opened:

        def shared(live):
            database = opened.enter_context(Database.open(f"sqlite:///{tmp_path}/shared.db"))
            shared = SharedModel(live, database)
            opened.callback(shared.close)
            return shared

        yield shared


@pytest.fixture
def shared(live, shared_of):
    return shared_of(live)


@pytest.fixture(scope="session")
def server():
    if not POSTGRES:
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    server = Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Of a new, empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/live.db"
    return request.getfixturevalue("server").make(f"d{secrets.token_hex(8)}")
