"""What memory allows."""

import pytest

from isotherm import memory
from isotherm.errors import ParameterError


@pytest.mark.parametrize("n_items", [0, 1, 1000, 4096, 100_000, 10**7])
def test_a_block_of_scores_stays_within_64_mib_and_holds_some_users(n_items):
    users = memory.users_per_block(n_items)
    assert 32 <= users <= 4096
    assert users == 32 or 4 * users * n_items <= 64 * 2**20


def test_what_cannot_fit_is_refused_with_the_cure(monkeypatch):
    monkeypatch.setattr(memory, "memory_limit", lambda: 2e9)
    memory.check_memory(1e9, "ease of 5 items", "take fewer")
    with pytest.raises(ParameterError, match=r"ease of 5 items takes 3.0 GB at least, and 2.0 GB is all"):
        memory.check_memory(3e9, "ease of 5 items", "take fewer")
