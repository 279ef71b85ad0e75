"""A database of each kind."""

import pytest

from isotherm.serving.database import Database


@pytest.fixture
def database(url):
    with Database.open(url) as database:
        yield database
