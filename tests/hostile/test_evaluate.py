"""isotherm evaluate with bad input: refused in one line, or the right figures."""

import json

import numpy as np
import polars as pl
import pytest

from isotherm import EASE, Items, Popularity, evaluate, ramp_up
from isotherm.data import splits
from isotherm.data.folds import k_fold
from isotherm.errors import ItemsError, ParameterError, SplitError
from tests.evaluation.test_runner import Fixed

LOG = ("--interactions", "clicks.parquet")
COLD = (*LOG, "--protocol", "cold-items")
MIXED = (*LOG, "--protocol", "mixed")
LAST = (*LOG, "--protocol", "leave-one-out")
STRONG = (*LOG, "--protocol", "strong")
OWN = ("--train", "clicks.parquet", "--test", "clicks.csv")
TIME = (*LOG, "--protocol", "temporal")
RAMP = (*LOG, "--protocol", "ramp-up")
POPULAR = ("--models", "popularity")

REFUSED = {
    "a seed below 0": ((*COLD, "--seed", "-1"), "seed must be a whole number >= 0"),
    "a seed below 0, by time": ((*LOG, "--protocol", "temporal", "--seed", "-1"), "seed must be a whole"),
    "a seed below 0, own split": ((*OWN, "--seed", "-1"), "seed must be a whole number >= 0"),
    "a seed below 0, ramp-up": ((*RAMP, "--seed", "-1"), "seed must be a whole number >= 0"),
    "a seed of 40 digits": ((*COLD, "--seed", "9" * 40), "number >= 0 and <= 4,294,967,295"),
    "negatives below 0": ((*LAST, "--negatives", "-1"), "negatives must be a whole number >= 0"),
    "negatives of a mixed split": ((*MIXED, "--negatives", "0"), "mixed: --negatives does not apply"),
    "negatives of an own split": ((*OWN, "--negatives", "9"), "a split already: --negatives does not apply"),
    "negatives from cold to warm": ((*RAMP, "--negatives", "9"), "ramp-up: --negatives does not apply"),
    "fold-in of cold items": ((*COLD, "--fold-in", "0.5"), "cold-items: --fold-in does not apply"),
    "fold-in and warm holdout": (
        (*LAST, "--fold-in", "0.8", "--warm-holdout", "0.1"),
        "leave-one-out: --warm-holdout and --fold-in do not apply",
    ),
    "more negatives than items": ((*LAST, "--negatives", "99999999"), "99,999,999 negatives of 25 items"),
    "more negatives than not clicked": ((*LAST, "--negatives", "24"), "items not clicked; ask for fewer"),
    **{
        f"holdout {share}": ((*COLD, "--holdout", share), "holdout must be between 0 and 1")
        for share in ("nan", "inf", "0", "1", "2", "-0.1")
    },
    "holdout of no item": ((*COLD, "--holdout", "1e-9"), "holding out 1e-09 of 25 items leaves none"),
    "holdout of no user": ((*STRONG, "--holdout", "1e-9"), "holding out 1e-09 of 60 users leaves none"),
    "holdout of every item": ((*COLD, "--holdout", "0.999"), "leaves none on one side"),
    "warm holdout 1": ((*MIXED, "--warm-holdout", "1"), "warm_holdout must be between 0 and 1"),
    "fold-in nan": ((*STRONG, "--fold-in", "nan"), "fold_in must be between 0 and 1"),
    "ramp-up holdout nan": ((*RAMP, "--holdout", "nan"), "holdout must be between 0 and 1"),
    **{
        f"-k {text}": ((*COLD, "-k", text), says)
        for text, says in {
            "0": "k must be whole numbers >= 1, not 0",
            "-3": "k must be whole numbers >= 1, not -3",
            "1e3": "-k takes whole numbers, comma-separated, not '1e3'",
            "²": "-k takes whole numbers, comma-separated, not '²'",
            "10,": "-k takes whole numbers",
            "ten": "-k takes whole numbers",
            "nan": "-k takes whole numbers",
            "9" * 5000: "-k takes whole numbers",
            "9" * 30: "k must be whole numbers >= 1",
        }.items()
    },
    "a model twice": ((*COLD, "--models", "ease,ease"), "--models takes distinct registry names"),
    "no model": ((*COLD, "--models", ","), "--models takes distinct registry names"),
    "an unknown model": ((*COLD, "--models", "ease,easy"), "there is no model 'easy'"),
    "no log": ((), "evaluate needs either --interactions with --protocol, or --train with --test"),
    "a log and a split": ((*LOG, *OWN), "evaluate needs either --interactions with --protocol, or"),
    "a protocol that is none": ((*LOG, "--protocol", "warm"), "--protocol must be one of"),
    "no protocol": (LOG, "--protocol must be one of"),
    "train without test": (("--train", "clicks.csv"), "--train and --test go together"),
    "test equal to train": (OWN, "are both the same log?"),
    "folds 1": ((*COLD, "--folds", "1"), "folds must be a whole number >= 2"),
    "folds 0": ((*COLD, "--folds", "0"), "folds must be a whole number >= 2"),
    "folds below 0": ((*COLD, "--folds", "-5"), "folds must be a whole number >= 2"),
    "more folds than items": ((*COLD, "--folds", "26"), "26 folds of 25 items"),
    "more folds than users": ((*STRONG, "--folds", "61"), "61 folds of 60 users"),
    "folds of leave-one-out": ((*LAST, "--folds", "5"), "folds are made for cold-items, mixed, strong, not"),
    "a cut before the log": ((*TIME, "--cut", "-5"), "cut '-5' leaves all clicks on one side: they came"),
    "a date in a log without dates": ((*TIME, "--cut", "2018-03-01"), "a number such as the log's own"),
    "a cut and a holdout": ((*TIME, "--cut", "300", "--holdout", "0.1"), "holdout and cut both say where"),
    "a horizon before the cut": ((*TIME, "--cut", "300", "--horizon", "-1"), "horizon must be a duration"),
    "a horizon in days of a log without": ((*TIME, "--horizon", "3d"), "in no known unit; give a number"),
    "next 0": ((*TIME, "--next-k", "0"), "next_k must be a whole number >= 1"),
    "no cut": ((*TIME, "--cuts", "0"), "cuts must be a whole number >= 1"),
    "too many cuts": ((*TIME, "--cuts", "9999"), "9,999 test periods need so many moments"),
    "a cut of cold items": ((*COLD, "--cut", "0.8"), "cold-items: --cut does not apply"),
    "cuts of an own split": ((*OWN, "--cuts", "3"), "a split already: --cuts does not apply"),
    "a horizon from cold to warm": ((*RAMP, "--horizon", "3"), "ramp-up: --horizon does not apply"),
    "an order of time": ((*TIME, "--fold-in-order", "random"), "temporal: --fold-in-order does not apply"),
    "an order that is none": ((*STRONG, "--fold-in-order", "late"), "must be one of 'random', 'time', not"),
    "availability without a table": ((*TIME, "--available-column", "year"), "of the item table; give items"),
    "availability at random": (
        (*COLD, "--items", "items.parquet", "--available-column", "year"),
        "available_column 'year' goes with the temporal split",
    ),
    "availability that is not there": (
        (*TIME, "--items", "items.parquet", "--available-column", "since"),
        "there is no field 'since'",
    ),
    "folds by time": ((*LOG, "--protocol", "temporal", "--folds", "5"), "not for 'temporal'"),
    "folds and holdout": ((*COLD, "--folds", "5", "--holdout", "0.1"), "--holdout does not apply"),
    "folds of an own split": ((*OWN, "--folds", "5"), "--train and --test are a split already: --folds"),
    "folds of a ramp-up": ((*RAMP, "--folds", "5"), "--protocol ramp-up: --folds does not apply"),
    "seeds and folds": ((*COLD, "--folds", "5", "--seeds", "2"), "--seeds does not apply"),
    "seeds of an own split": ((*OWN, "--seeds", "2"), "--train and --test are a split already: --seeds"),
    "seeds of a ramp-up": ((*RAMP, "--seeds", "2"), "--protocol ramp-up: --seeds does not apply"),
    "seeds in time": ((*LOG, "--protocol", "temporal", "--seeds", "2"), "--protocol temporal: --seeds does"),
    "no seeds": ((*COLD, "--seeds", "0"), "seeds must be a whole number >= 1"),
    "no item table": ((*COLD, "--models", "popularity,marec"), "marec needs an item table: --items"),
    "groups of a ramp-up": ((*RAMP, "--by", "history"), "--protocol ramp-up: --by does not apply"),
    "unknown candidates": ((*COLD, "--candidates", "some"), "must be one of 'catalogue', 'clicked'"),
    "unknown candidates, ramp-up": ((*RAMP, "--candidates", "all"), "candidates must be one of"),
    "unknown groups": ((*COLD, "--by", "history,age"), "by must be one of 'history', 'item-age', 'users'"),
    "fields without a table": ((*COLD, "--fields", "genres"), "fields are those of an item table"),
    "fields that are not there": (
        (*COLD, "--items", "items.parquet", "--fields", "genre"),
        "there is no field 'genre'; the fields are genres, plot, year, clip",
    ),
    "fields of another kind": (
        (*COLD, "--items", "items.parquet", "--fields", "year"),
        "field 'year' is of kind number, where categories or tags are needed",
    ),
    "a table of other items": ((*COLD, "--items", "few.csv"), "24 item_ids in clicks are missing from items"),
    "a table of other items, clicked alone": (
        (*COLD, "--items", "few.csv", "--candidates", "clicked"),
        "24 item_ids in clicks are missing from items: 'i01', 'i02'",
    ),
    "users that nobody knows": (
        (*COLD, "--only-users", "strangers.csv"),
        "not in the log: 2 of 3 users to measure, 'nobody', 'noone'",
    ),
    "users without their column": ((*COLD, "--only-users", "few.csv"), "column 'user_id' is missing"),
    "users that are not there": ((*COLD, "--only-users", "none.csv"), "none.csv"),
    "users with nothing to find": (
        (*STRONG, "--only-users", "trained.csv"),
        "to measure, none has a hidden click",
    ),
    "mmr without a table": ((*COLD, "--models", "mmr"), "mmr needs an item table"),
    "mmr of mmr": ((*COLD, "--models", "mmr", "--set", "mmr.model=mmr"), "model must be one of popularity"),
    "mmr beyond 1": ((*COLD, "--models", "mmr", "--set", "mmr.diversity=1.1"), "diversity must be"),
    "mmr on a table that likens nothing": (
        (*COLD, "--models", "mmr", "--items", "items.csv"),
        "mmr likens items by categories and tags, and this table has no such field",
    ),
}  # fmt: skip


@pytest.fixture
def full_desk(desk, clicks):
    (desk / "few.csv").write_text("item_id\ni00\n")
    (desk / "strangers.csv").write_text("user_id\nu01\nnobody\nnoone\n")
    split = splits.strong(clicks)
    trained = [user for user in clicks.users.values if user not in split.histories.users.values][:2]
    (desk / "trained.csv").write_text("\n".join(["user_id", *trained]))
    return desk


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_one_line(isotherm, full_desk, case):
    arguments, says = REFUSED[case]
    models = () if "--models" in arguments else POPULAR
    isotherm.refuses("evaluate", *arguments, *models, "--json", "out.json", "--quiet", says=says)


@pytest.mark.parametrize(
    "arguments",
    [
        (*COLD, "-k", "1000000000"),
        (*COLD, "-k", "10,10,3"),
        (*COLD, "--items", "items.csv"),
        (*COLD, "--items", "items.parquet", "--by", "history,item-age,history"),
        (*LOG, "--protocol", "temporal", "--items", "items.parquet", "--by", "item-age"),
        (*MIXED, "--items", "items.parquet", "--only-users", "trained.csv", "--folds", "3"),
        (*LAST, "--negatives", "3", "--holdout", "0.2", "--only-users", "trained.csv"),
        (*COLD, "--folds", "25"),
        (*MIXED, "--seeds", "2", "--seed", "5"),
    ],
    ids=["huge k", "k twice", "no field", "groups", "in time", "few users", "sampled", "many folds", "seeds"],
)
def test_odd_input_gives_finite_figures(isotherm, full_desk, arguments):
    pages = ("--report", "out.html") if "--by" in arguments else ()  # the slow part
    isotherm.succeeds("evaluate", *arguments, *POPULAR, "--json", "out.json", *pages, "--quiet")
    document = json.loads((full_desk / "out.json").read_text(), parse_constant=pytest.fail)
    assert document["models"]["popularity"]["all"]
    if pages:
        assert "nan" not in (full_desk / "out.html").read_text().lower().split("<h2>")[1]


def test_json_keeps_what_was_measured_before_a_model_that_fails(isotherm, desk):
    failing = ("--models", "popularity,ease,item-knn", "--set", "ease.collective=1")
    done = isotherm("evaluate", *MIXED, *failing, "--json", "out.json", "--quiet")
    assert done.code == 1
    assert "ease: collective above 0 needs an item table" in done.err
    document = json.loads((desk / "out.json").read_text())
    assert list(document["models"]) == ["popularity"]
    assert (document["complete"], document["to_come"]) == (False, ["ease", "item-knn"])
    isotherm.succeeds("evaluate", *MIXED, "--models", "popularity,item-knn", "--json", "out.json", "--quiet")
    document = json.loads((desk / "out.json").read_text())
    assert list(document["models"]) == ["popularity", "item-knn"]
    assert (document["complete"], document["to_come"]) == (True, [])


def test_json_of_a_ramp_up_keeps_the_steps_that_were_measured(isotherm, desk):
    failing = ("--models", "popularity,ease", "--set", "ease.collective=1", "--holdout", "0.5")
    done = isotherm("evaluate", *RAMP, *failing, "--json", "out.json", "--quiet")
    assert "ease: collective above 0 needs an item table" in done.err
    document = json.loads((desk / "out.json").read_text())
    assert {name: list(steps) for name, steps in document["models"].items()} == {"popularity": ["0"]}
    assert (document["complete"], document["to_come"]) == (False, [1, 2, 5, 10, 20])


def test_list_longer_than_the_catalogue_finds_everything(isotherm, desk):
    isotherm.succeeds("evaluate", *MIXED, *POPULAR, "-k", "30,1000000", "--json", "out.json", "--quiet")
    metrics = json.loads((desk / "out.json").read_text())["models"]["popularity"]["all"]
    for k in (30, 1_000_000):
        assert metrics[f"recall@{k}"]["mean"] == metrics[f"hr@{k}"]["mean"] == 1
        assert metrics[f"ndcg@{k}"] == metrics["ndcg@30"]


def test_same_models_under_two_names_are_welcome_and_one_name_twice_is_not(clicks):
    split = splits.strong(clicks)
    assert list(evaluate(split, {"a": EASE(), "b": EASE()}).models) == ["a", "b"]
    with pytest.raises(ParameterError, match="two models are named 'a'"):
        evaluate(split, [("a", Popularity()), ("a", EASE())])


@pytest.mark.parametrize(
    "models", [{}, [], {"a": EASE}, {"a": None}, [EASE()], ["ab"], [("a", EASE(), 3)]], ids=repr
)
def test_what_is_no_model_is_named(clicks, models):
    with pytest.raises(ParameterError, match="model"):
        evaluate(splits.strong(clicks), models)


@pytest.mark.parametrize(
    "wrong", [[], ["a"], 3.5, [0], [2.5], [True], [np.nan], "10", None, [10**10]], ids=repr
)
def test_list_lengths_that_are_none(clicks, wrong):
    with pytest.raises(ParameterError, match="k must be whole numbers >= 1"):
        evaluate(splits.strong(clicks), {"p": Popularity()}, ks=wrong)


def test_numbers_of_numpy_are_numbers(clicks, items, tmp_path):
    plain = evaluate(splits.mixed(clicks, 0.2, 1), {"p": Popularity()}, items, [3, 5], 1)
    split = splits.mixed(clicks, np.float64(0.2), np.int64(1), np.float32(0.1))
    numpy = evaluate(split, {"p": Popularity()}, items, np.array([5, 3]), np.uint8(1))
    assert numpy.models["p"].metrics.keys() == plain.models["p"].metrics.keys()
    same = evaluate(splits.mixed(clicks, 0.2, 1), {"p": Popularity()}, items, np.array([5, 3]), np.int32(1))
    assert same.models["p"].metrics == plain.models["p"].metrics
    numpy.write_json(tmp_path / "out.json")
    json.loads((tmp_path / "out.json").read_text())


def test_one_length_may_stand_alone(clicks):
    found = evaluate(splits.strong(clicks), {"p": Popularity()}, ks=np.int64(3))
    assert "hr@3" in found.models["p"].metrics["all"]


def test_split_that_is_none_is_refused(clicks):
    for wrong in ([], [clicks]):
        with pytest.raises(ParameterError, match="evaluate takes a split, or a list of splits"):
            evaluate(wrong, {"p": Popularity()})


@pytest.mark.parametrize("negatives", [-1, 2.5, "many", None])
def test_negatives_that_are_no_count(clicks, negatives):
    with pytest.raises(ParameterError, match="negatives must be a whole number >= 0"):
        splits.leave_one_out(clicks, negatives=negatives)


@pytest.mark.parametrize("share", ["0.2", None, True, [0.2]], ids=repr)
def test_shares_that_are_no_numbers(clicks, share):
    for split in (splits.cold_items, splits.mixed, splits.strong):
        with pytest.raises(SplitError, match="holdout must be between 0 and 1"):
            split(clicks, holdout=share)


class Odd(Fixed):
    """A model of a user's own, whose scores are what the test wants."""

    name = "odd"

    def _score(self, user_items):
        return self.row(user_items)


@pytest.mark.parametrize(
    ("gives", "says"),
    [
        (lambda x: np.full(x.shape, np.nan, np.float32), "a score is not a number"),
        (
            lambda x: np.zeros((x.shape[0], 3), np.float32),
            "score gave an array of shape .* where numbers of shape",
        ),
        (lambda x: np.zeros(x.shape[1], np.float32), "score gave an array of shape"),
        (lambda x: np.full(x.shape, "good"), "type <U4 where numbers"),
        (lambda x: None, "score gave an array of shape"),
        (lambda x: x, "score gave an array of shape"),
    ],
    ids=["NaN", "too narrow", "one row", "text", "nothing", "sparse"],
)
def test_scores_that_cannot_be_ranked_are_named_with_their_model(clicks, gives, says):
    with pytest.raises(ParameterError, match=says) as caught:
        evaluate(splits.strong(clicks), {"odd": Odd(row=gives)}, ks=[3])
    assert "Odd(" in str(caught.value)


@pytest.mark.parametrize(
    "gives",
    [
        lambda x: np.broadcast_to(np.arange(x.shape[1], dtype=np.float32), x.shape),
        lambda x: np.asfortranarray(np.tile(np.arange(x.shape[1]), (x.shape[0], 1))),
        lambda x: np.tile(np.arange(x.shape[1]) * 1e300, (x.shape[0], 1)),
        lambda x: np.tile(np.arange(x.shape[1]), (x.shape[0], 1)).tolist(),
    ],
    ids=["read-only", "integers by column", "beyond float32", "lists"],
)
def test_scores_in_any_form_are_ranked(clicks, gives):
    with np.errstate(over="ignore"):
        found = evaluate(splits.strong(clicks), {"odd": Odd(row=gives)}, ks=[30]).models["odd"]
    assert found.metrics["all"]["hr@30"].mean == 1.0


def test_ties_at_infinity_are_lots_not_faults(clicks):
    found = evaluate(
        splits.strong(clicks), {"odd": Odd(row=lambda x: np.full(x.shape, np.inf, np.float32))}, ks=[30]
    )
    assert found.models["odd"].metrics["all"]["recall@30"].mean == 1.0


def test_table_that_says_nothing_of_an_item_leaves_its_figures_out(clicks):
    """No field, an empty field, a field of one item: never a figure that is no number."""
    ids = clicks.items.values
    bare = Items.from_frame(pl.DataFrame({"item_id": ids}))
    empty = Items.from_frame(
        pl.DataFrame({"item_id": ids, "genre": [[]] * 25}, schema_overrides={"genre": pl.List(pl.String)})
    )
    single = Items.from_frame(pl.DataFrame({"item_id": ids, "genre": [["a"], *([[]] * 24)]}))
    for table in (bare, empty, single):
        metrics = evaluate(splits.strong(clicks), {"p": Popularity()}, table, ks=[1, 5]).models["p"].metrics
        assert "diversity@1" not in metrics["all"]
        assert "diversity@5" not in metrics["all"]
        assert all(np.isfinite(getattr(value, "mean", value)) for value in metrics["all"].values())


def test_clicks_on_items_that_the_table_lacks_are_named(clicks, items):
    few = items.take(np.arange(20))
    split = splits.given(*(clicks.take_users(np.arange(a, a + 30)) for a in (0, 30)), strong=True)
    with pytest.raises(ItemsError, match="5 item_ids in clicks are missing from items: 'i20'"):
        evaluate(split, {"p": Popularity()}, few)


P = {"p": Popularity()}
MISTAKES = {
    "clicks for a split": (lambda c, s, i: evaluate(c, P), "evaluate takes a split, or a list of splits"),
    "nothing for a split": (lambda c, s, i: evaluate(None, P), "evaluate takes a split"),
    "models first": (lambda c, s, i: evaluate(P, s), "evaluate takes a split"),
    "a frame of items": (lambda c, s, i: evaluate(s, P, i.to_frame()), "items must be Items, not DataFrame"),
    "clicks for items": (lambda c, s, i: evaluate(s, P, c), "items must be Items, not Interactions"),
    "one model": (lambda c, s, i: evaluate(s, Popularity()), "models is name -> model"),
    "fields that are none": (lambda c, s, i: evaluate(s, P, i, fields=3), "fields must be names of fields"),
    "a user alone": (lambda c, s, i: evaluate(s, P, users=3), "users must be a list of ids"),
    "users in lists": (lambda c, s, i: evaluate(s, P, users=[["u01"]]), "not a list of lists"),
    "no id": (lambda c, s, i: evaluate(s, P, users=[None]), "holds 1 missing id"),
    "groups that are none": (lambda c, s, i: evaluate(s, P, by=3), "by is a list of history and item-age"),
    "no groups": (lambda c, s, i: evaluate(s, P, by=None), "by is a list of"),
    "a frame to split": (lambda c, s, i: splits.strong(c.to_frame()), "must be Interactions, not DataFrame"),
    "a frame to fold": (lambda c, s, i: k_fold(c.to_frame(), "strong"), "clicks must be Interactions"),
    "a frame for train": (lambda c, s, i: splits.given(c.to_frame(), c), "train must be Interactions"),
    "nothing for test": (lambda c, s, i: splits.given(c, None), "test must be Interactions, not NoneType"),
    "models of a ramp-up": (lambda c, s, i: ramp_up(c, P), "models is a function"),
    "models without names": (lambda c, s, i: ramp_up(c, lambda: [Popularity()]), "models is name -> model"),
    "no model of a ramp-up": (lambda c, s, i: ramp_up(c, list, steps=[0]), "there is no model"),
    "one step": (lambda c, s, i: ramp_up(c, lambda: P.items(), steps=3), "steps is a list of whole numbers"),
    "a step of NaN": (lambda c, s, i: ramp_up(c, lambda: P.items(), steps=[np.nan]), "steps must be a whole"),
    "a frame to ramp up": (lambda c, s, i: ramp_up(c.to_frame(), lambda: P.items()), "clicks must be"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_in_python_are_named(clicks, items, case):
    ask, says = MISTAKES[case]
    with pytest.raises(ParameterError, match=says):
        ask(clicks, splits.strong(clicks), items)
