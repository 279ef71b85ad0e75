"""What viewers do, held against the rules by hand."""

import numpy as np
import pytest

from isotherm.experiment.practice.days import live


class Same:
    """The same list for everybody, every day."""

    def __init__(self, shown):
        self.shown, self.asked, self.told = np.asarray(shown, dtype=np.int32), [], []

    def begin(self, day):
        self.day = day

    def ask(self, viewers, watched):
        self.asked.append(watched.copy())
        return np.tile(self.shown, (len(viewers), 1))

    def tell(self, done):
        self.told.append(done)


@pytest.fixture
def everybody(viewers):
    return np.full((len(viewers), 3), 72_000.0)


def test_the_chance_falls_with_the_place_and_with_each_list_before(world, viewers, everybody):
    known = np.flatnonzero(world.titles.comes < 0)[:3]
    done = live(viewers, world.titles, everybody, Same(known), seed=0)
    chances = done.chances.reshape(3, len(viewers), 3)
    alone = viewers.chances[:, known]
    for day in range(3):
        assert chances[day] == pytest.approx(alone * 0.85 ** np.arange(3) * 0.75**day, rel=1e-5)


def test_a_new_title_is_clicked_more_and_that_fades(world, viewers, everybody):
    [new] = world.titles.coming(0)[:1]
    known = np.flatnonzero(world.titles.comes < 0)[0]
    done = live(viewers, world.titles, everybody, Same([new, known]), seed=0)
    chances = done.chances.reshape(3, len(viewers), 2)
    rare = viewers.chances[:, new] < 0.25
    for day in range(3):
        curious = (1 + 1.6 * 0.5 ** (day / 7)) * 0.75**day
        assert chances[day, rare, 0] == pytest.approx(viewers.chances[rare, new] * curious, rel=1e-5)


def test_nothing_comes_of_an_empty_place(world, viewers, everybody):
    done = live(viewers, world.titles, everybody, Same([-1, -1]), seed=0)
    assert not done.chances.any()
    assert not done.clicked.any()


def test_what_was_clicked_is_watched_from_then_on(world, viewers, everybody):
    known = np.flatnonzero(world.titles.comes < 0)[:3]
    lists = Same(known)
    live(viewers, world.titles, everybody, lists, seed=0)
    first = lists.told[0]
    assert first.clicked.any()
    assert np.array_equal(lists.asked[1][:, known], lists.asked[0][:, known] | first.clicked)
    assert ((first.watched > 0) == first.clicked).all()
    assert not (first.bought & ~first.clicked).any()


def test_a_click_is_drawn_for_viewer_day_and_title_whatever_else_is_shown(world, viewers, everybody):
    known = np.flatnonzero(world.titles.comes < 0)[:4]
    one = live(viewers, world.titles, everybody[:, :1], Same(known), seed=0)
    two = live(viewers, world.titles, everybody[:, :1], Same([known[0], known[3]]), seed=0)
    assert np.array_equal(one.clicked[:, 0], two.clicked[:, 0])


def test_clicks_are_as_frequent_as_their_chances(world, viewers, everybody):
    known = np.flatnonzero(world.titles.comes < 0)[:20]
    counts = [live(viewers, world.titles, everybody, Same(known), seed) for seed in range(4)]
    clicks = sum(each.clicked.sum() for each in counts)
    chances = np.concatenate([each.chances.ravel() for each in counts])
    assert abs(clicks - chances.sum()) < 4 * np.sqrt((chances * (1 - chances)).sum())
