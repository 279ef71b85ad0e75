"""The kernel among items, shared: parts of it are what comparing anew gives, even beyond their own range."""

import numpy as np
import pytest

from isotherm.features.metadata_kernel import MetadataKernel
from isotherm.models.kernel_ridge.ridge import RidgeFitter
from isotherm.models.kernel_ridge.shared_kernel import SharedKernel, kernel_rows
from tests.features.test_metadata_kernel import table


@pytest.fixture(scope="module")
def case():
    """Thirty items and the weights of their kernels."""
    items = table(np.random.default_rng(7), 30)
    kernel = MetadataKernel.fitted(items)
    weights = np.random.default_rng(8).random(len(kernel.terms) + 1) + 0.1
    return kernel, kernel.encode(items), weights


def compared_anew(case, items):
    kernel, encoded, weights = case
    some = encoded.take(items)
    index = kernel.index(some).weighted(weights)
    return index, some, kernel_rows(index, some, len(some))


@pytest.mark.parametrize("items", [np.arange(5, 25, 2), np.arange(0, 30, 3)], ids=["known", "some new"])
def test_a_part_is_what_comparing_anew_gives(case, items):
    known = np.arange(5, 25)
    shared = SharedKernel(known, compared_anew(case, known)[2])
    index, some, expected = compared_anew(case, items)
    part = shared.part(index, some, items)
    np.testing.assert_allclose(part, expected, rtol=1e-5)
    assert part.flags.c_contiguous
    part[:] = 0  # an array of its own
    np.testing.assert_allclose(shared.part(index, some, items), expected, rtol=1e-5)


def test_what_is_taken_is_gone_and_the_rest_compared_anew(case):
    known = np.arange(5, 25)
    among = compared_anew(case, known)[2]
    shared = SharedKernel(known, among)
    assert shared.taken(known[1:]) is None
    assert shared.taken(known) is among
    assert shared.taken(known) is None
    index, some, expected = compared_anew(case, known)
    np.testing.assert_allclose(shared.part(index, some, known), expected, rtol=1e-5)


def test_ridges_that_share_are_those_that_do_not(case):
    kernel, encoded, weights = case
    training, kept = np.arange(0, 30, 2), np.arange(3, 30)
    alone = RidgeFitter(kernel, weights, weights[::-1].copy(), 100, 6, seed=0)
    sharing = alone.sharing(encoded, training)
    part, of_part = encoded.take(kept), np.arange(1, 27, 3)
    ridges = [
        (
            fitter.taste_path(part, of_part, kept).at(0.7),
            fitter.popularity(part, of_part, kept),
            fitter.taste(encoded, training, 0.7),
            fitter.popularity(encoded, training),
        )
        for fitter in (sharing, alone)
    ]
    for found, expected in zip(*ridges, strict=True):
        np.testing.assert_allclose(found.factor_, expected.factor_, atol=1e-5)


def test_nothing_is_shared_among_landmarks(case):
    kernel, encoded, weights = case
    fitter = RidgeFitter(kernel, weights, weights, 10, 6, seed=0)
    assert fitter.sharing(encoded, np.arange(30)) is fitter
