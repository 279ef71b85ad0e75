"""InfoNCE, and the items that an item is compared with."""

import numpy as np
import pytest
import torch

from isotherm.features.siamese.contrastive import click_neighbours, info_nce


def test_loss_is_info_nce_literally():
    rng = np.random.default_rng(1)
    v = rng.standard_normal((6, 1 + 2 * 3, 4)).astype(np.float32)
    v /= np.linalg.norm(v, axis=2, keepdims=True)
    tau, losses = 0.3, []
    for item in v.astype(float):
        s = item[1:] @ item[0] / tau
        rivals = np.exp(s[3:]).sum()
        losses += [-np.log(np.exp(s[p]) / (np.exp(s[p]) + rivals)) for p in range(3)]
    found = info_nce(torch.from_numpy(v), tau)
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-5)


def test_neighbours_are_the_highest_and_lowest_click_cosines():
    rng = np.random.default_rng(2)
    x = (rng.random((60, 15)) < 0.4).astype(np.float32)
    gram = x.T @ x
    cosines = gram / np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
    found = click_neighbours(gram, 3, seed=0)
    for item in range(15):
        others = np.delete(np.arange(15), item)
        order = others[np.argsort(cosines[item, others], kind="stable")]
        for compared, expected in (
            (found.positives[item], order[-3:]),
            (found.negatives[item], order[:3]),
        ):
            np.testing.assert_allclose(np.sort(cosines[item, compared]), cosines[item, expected], atol=1e-5)
            assert item not in compared
    both = found.compared(np.array([4, 2]))
    assert both[:, 0].tolist() == [4, 2]
    np.testing.assert_array_equal(both[1, 1:], [*found.positives[2], *found.negatives[2]])
