import numpy as np
import pytest

from isotherm.experiment.practice.arms import Models
from isotherm.experiment.practice.days import live
from isotherm.experiment.practice.own_lists import OwnLists
from isotherm.experiment.practice.truth import truths


def test_the_truth_is_what_clicks_come_to_over_many_lives(world, viewers, practice):
    told = truths(viewers, world.titles, world.models, practice.days, practice.k, 10, 0)
    clicks, shown = [0, 0], [0, 0]
    for arm, model in enumerate((world.models.control, world.models.treatment)):
        for seed in range(100, 120):
            lists = OwnLists(world.titles, [model], np.zeros(len(viewers), dtype=np.int64), practice.k)
            done = live(viewers, world.titles, viewers.comings(practice.days, seed), lists, seed)
            clicks[arm] += int(done.clicked.sum())
            shown[arm] += int((done.shown >= 0).sum())
    rates = np.array(clicks) / shown
    assert [told["ctr"].control, told["ctr"].treatment] == pytest.approx(rates, rel=0.06)
    assert told["ctr"].estimate == pytest.approx(told["ctr"].treatment / told["ctr"].control - 1)


def test_of_one_model_twice_there_is_no_effect(world, viewers, practice):
    same = Models(world.models.control, world.models.control)
    told = truths(viewers, world.titles, same, practice.days, practice.k, 1, 0)
    assert told["ctr"].estimate == told["watch_per_user"].estimate == 0


def test_the_model_that_reads_metadata_shows_more_new_titles(world, viewers, practice):
    told = truths(viewers, world.titles, world.models, practice.days, practice.k, 1, 0)["cold_share"]
    assert told.treatment > 3 * told.control
