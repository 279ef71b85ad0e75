"""Hashes are the same for ever, spread evenly, and those of two salts know nothing of each other."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from isotherm.experiment.assignment import bucket

IDS = [*range(20_000), *(f"user-{n}" for n in range(20_000))]


def test_they_are_what_they_were():
    """What is on the air must find its users again: change these numbers, and every user moves."""
    known = {
        ("films", "ann"): 0.8524041440350855,
        ("films", 1): 0.30264792067704516,
        ("films", "1"): 0.31528406090115735,
    }
    assert {key: bucket(*key) for key in known} == known


def test_they_are_the_same_in_another_process():
    code = "from isotherm.experiment.assignment import bucket; print(bucket('s', 'é'), bucket('s', -7))"
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    told = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment)
    assert told.split() == [str(bucket("s", "é")), str(bucket("s", -7))]


@given(st.text(), st.text() | st.integers())
def test_they_lie_in_the_half_open_unit(salt, user):
    assert 0 <= bucket(salt, user) < 1


def test_they_are_even_and_independent_of_the_salt():
    one, other = (np.array([bucket(salt, user) for user in IDS]) for salt in ("a", "b"))
    assert stats.kstest(one, "uniform").pvalue > 1e-3
    table, *_ = np.histogram2d(one, other, bins=10)
    assert stats.chi2_contingency(table).pvalue > 1e-3
    assert len(set(one)) == len(IDS)


@pytest.mark.parametrize("user", [True, 1.0, None])
def test_what_is_no_id_is_refused(user):
    with pytest.raises(TypeError, match="integer or a text"):
        bucket("s", user)
