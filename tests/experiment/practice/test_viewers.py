import numpy as np

from isotherm.experiment.practice.viewers import Viewers


def test_viewers_are_as_the_seed_has_them(world):
    first, again, other = (Viewers.drawn(world.taste, world.titles, 30, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.chances, again.chances)
    assert np.array_equal(first.before, again.before)
    assert not np.array_equal(first.chances, other.chances)


def test_what_was_watched_before_was_there_and_is_liked(world, viewers):
    assert not viewers.before[:, world.titles.comes >= 0].any()
    assert viewers.before.sum(axis=1).min() >= 3
    there = world.titles.comes < 0
    assert viewers.chances[viewers.before].mean() > 1.1 * viewers.chances[:, there].mean()


def test_viewers_come_as_often_as_they_do(world):
    many = Viewers.drawn(world.taste, world.titles, 2000, 0)
    comes = ~np.isnan(many.comings(20, 5))
    assert np.abs(comes.mean() - many.visits_a_day.mean()) < 0.01
    assert np.corrcoef(comes.mean(axis=1), many.visits_a_day)[0, 1] > 0.8


def test_clicks_before_the_first_day_are_before_it(viewers):
    viewer, title, time = viewers.watched_before(0)
    assert (time < 0).all()
    assert viewers.before[viewer, title].all()
    assert len(viewer) == viewers.before.sum()
