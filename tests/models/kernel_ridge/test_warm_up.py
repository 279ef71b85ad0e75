"""The warm-up: no step anywhere, new items keep the scale of their metadata, old ones do not look new."""

import numpy as np

from isotherm.models.kernel_ridge.warm_up import Evidence, WarmUp, new_item_scores, score_rms


def test_warming_up_has_no_step_and_ends_at_own_clicks():
    rng = np.random.default_rng(0)
    metadata, ease = rng.random(50) + 0.5, rng.random(50) + 0.5
    warm_up = WarmUp(direction_clicks=4.0, scale_clicks=8.0, hold_clicks=2.0)

    def factors(n):
        return warm_up.factors(Evidence(metadata, ease, np.full(50, n), np.zeros(50)))

    start, end = factors(0.0), factors(500.0)
    np.testing.assert_allclose(start.metadata, 1)
    np.testing.assert_allclose(start.ease, 0)
    np.testing.assert_allclose(end.metadata, 0, atol=1e-6)
    np.testing.assert_allclose(end.ease, 1, rtol=1e-5)
    on_the_way = [factors(n) for n in np.linspace(1e-3, 60, 4000)]
    both = np.stack([(each.metadata, each.ease) for each in on_the_way])
    assert np.abs(np.diff(both, axis=0)).max() < 0.03
    assert warm_up.settled(np.array([500]), np.zeros(1))[0]
    assert not warm_up.settled(np.array([1]), np.zeros(1))[0]


def test_a_new_item_keeps_the_scale_of_its_metadata():
    metadata, ease, clicks = np.full(3, 2.0), np.full(3, 0.1), np.full(3, 50.0)
    warm_up = WarmUp(direction_clicks=4.0, scale_clicks=1.0, hold_clicks=0.5)
    factors = warm_up.factors(Evidence(metadata, ease, clicks, np.array([0.0, 0.5, 1.0])))
    blended = metadata * factors.metadata + ease * factors.ease
    np.testing.assert_allclose(blended, [0.1, np.sqrt(0.2), 2.0], rtol=1e-4)
    assert warm_up.settled(np.full(3, 900), np.array([0.0, 0.5, 1.0])).tolist() == [True, False, False]
    assert warm_up.settled(np.array([2000]), np.ones(1))[0]  # no item of so many clicks is new


def test_many_items_of_few_clicks_are_new_where_the_others_leave_no_room_for_them():
    rng = np.random.default_rng(0)
    old = np.maximum(rng.lognormal(5, 1, 2000), 1).astype(int)
    assert new_item_scores(old).max() < 0.2
    scores = new_item_scores(np.concatenate([old, np.full(500, 2)]))
    assert scores[2000:].min() > 0.8
    assert scores[:2000][old > 30].max() < 0.1
    rare = np.maximum(rng.lognormal(1, 1.5, 2000), 1).astype(int)  # a catalogue of rare items, none new
    assert new_item_scores(rare).max() < 0.2


def test_score_rms_leaves_out_what_is_seen():
    scores = np.array([[3.0, -np.inf], [4.0, 2.0]], dtype=np.float32)
    np.testing.assert_allclose(score_rms(scores), [np.sqrt(12.5), 2.0])
