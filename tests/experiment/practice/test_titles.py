import numpy as np

from isotherm.experiment.practice.titles import Titles


def test_nobody_clicked_a_new_title_before_it_came(films):
    titles = Titles.of(*films, days=4, share=0.3)
    new = titles.comes >= 0
    assert new.sum() == 18
    assert not titles.past.item_clicks()[new].any()
    assert (titles.past.item_clicks()[~new] == titles.clicks.item_clicks()[~new]).all()
    assert titles.clicks.item_clicks()[new].all()


def test_as_many_titles_come_each_day(films):
    titles = Titles.of(*films, days=4, share=0.3)
    per_day = [len(titles.coming(day)) for day in range(4)]
    assert sum(per_day) == 18
    assert max(per_day) - min(per_day) <= 1
    assert np.array_equal(titles.there(1), titles.comes <= 1)
    assert not titles.there(0)[titles.coming(1)].any()


def test_which_titles_are_new_is_the_same_for_all_seeds(films):
    assert np.array_equal(Titles.of(*films, 4).comes, Titles.of(*films, 4).comes)
