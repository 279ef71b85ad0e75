"""The report page: self-contained, complete, and true to the evaluation."""

import re

import pytest

from isotherm import EASE, MMR, Interactions, KernelRidge, MARec, Popularity, evaluate
from isotherm.data import splits
from isotherm.data.folds import k_fold
from isotherm.evaluation.paired import holm
from isotherm.report import Report, example_users
from isotherm.report.evaluation_figures import tradeoff_points
from isotherm.report.examples import title_of
from isotherm.report.tables import p_value
from tests.evaluation.test_in_time import log


@pytest.fixture
def made(clicks, items):
    split = splits.mixed(clicks, seed=0)
    models = {"popularity": Popularity(), "ease": EASE(), "marec": MARec(beta=2.0)}
    evaluation = evaluate(split, models, items, ks=[5])
    return split, models["marec"], evaluation


def test_page_holds_table_figures_examples_and_protocol(made, items, tmp_path):
    split, model, evaluation = made
    examples = example_users(model, split, items, users=3, k=2)
    report = Report("A <title>", "test data", evaluation, 5, "marec", examples, model.importance())
    report.write(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "A &lt;title&gt;" in page
    assert page.count('<section class="user">') == 3
    mean = evaluation.models["marec"].metrics["cold"]["hr@5"].mean
    assert f"{mean:.4f}" in page
    assert "Protocol <b>mixed</b>, holdout 0.2, warm_holdout 0.1, seed 0" in page


def test_page_of_kernel_ridge_tells_how_sure_it_is(made, items):
    split, _, evaluation = made
    model = KernelRidge(steps=3).fit(split.train, items.of(split.train.items))
    examples = example_users(model, split, items, users=3, k=2)
    page = Report("t", "s", evaluation, 5, "marec", examples, model.importance()).html()
    assert re.search(r"Certainty \d+%\.", page)


def test_page_needs_nothing_from_outside(made):
    _, _, evaluation = made
    page = Report("t", "s", evaluation, 5, "marec").html()
    assert not re.findall(r"<script|<link|<img|src=|@import|url\((?!#)", page)
    addresses = set(re.findall(r"https?://[^\"' <]+", page))
    assert all(address.startswith("http://www.w3.org/") for address in addresses)  # SVG name spaces


def test_examples_show_cold_items_with_reasons_that_are_shares(made, items):
    split, model, _ = made
    cold = set(split.train.items.take(split.cold.nonzero()[0]))
    for example in example_users(model, split, items, users=5, k=3):
        assert example.shown
        for item in example.shown:
            assert item.title in cold
            assert 0 <= sum(reason.share for reason in item.by_item) <= 1 + 1e-6  # float32
            assert all(reason.share > 0 for reason in item.by_field)


def test_examples_mark_hidden_clicks(made, items):
    split, model, _ = made
    for example in example_users(model, split, items, users=8, k=3):
        row = split.histories.users.rows([example.user])[0]
        targets = split.targets.indices[split.targets.indptr[row] : split.targets.indptr[row + 1]]
        hidden = set(split.train.items.take(targets))
        assert [item.clicked for item in example.shown] == [item.title in hidden for item in example.shown]


def test_page_says_what_is_asked_and_what_hr_is(made):
    _, _, evaluation = made
    page = Report("t", "s", evaluation, 5, "marec").html()
    assert ">hr@5<small>capped recall</small>" in page
    results = page.split("<h2>Results</h2>")[1].split("<figure>")[0]
    for name, facts in evaluation.split["candidates"].items():
        for model in evaluation.models.values():
            for metric in ("hr@5", "ndcg@5", "hit_rate@5", "recall@5"):
                assert f"{model.mean(name, metric):.4f}" in results
        few = " (few)" if facts["users"] < 100 else ""
        assert f"<small>{facts['users']:,} users{few}, {facts['clicks']:,} clicks to find</small>" in results
        assert f"<small>{facts['new_item_share']:.1%} of them on new items</small>" in results


def test_page_shows_new_items_beside_their_clicks(made):
    _, _, evaluation = made
    page = Report("t", "s", evaluation, 5, "marec").html()
    section = page.split("Are new items shown as often as they are clicked?")[1].split("<h2>")[0]
    clicks = evaluation.split["candidates"]["all"]["new_item_share"]
    assert f"{clicks:.1%} of the clicks to find" in section
    for name, result in evaluation.models.items():
        row = section.split(f'<td class="model">{name}')[1].split("</tr>")[0]
        shown = [f"{share:.1%}" for share in (result.mean("all", "new_share@5"), clicks)]
        shown += [f"{result.mean('all', 'coverage@5'):.1%}"]
        shown += [f"{result.mean('cold', metric):.4f}" for metric in ("hr@5", "ndcg@5")]
        assert [cell.split("<")[0] for cell in row.split('<td class="number">')[1:]] == shown
        warned = any(warning.startswith(f"{name}: new items fill") for warning in evaluation.warnings)
        assert ("3× apart" in row) == warned
    assert any("popularity: new items fill 0.0%" in warning for warning in evaluation.warnings)
    for warning in evaluation.warnings:
        assert f"<b>Warning.</b> {warning}." in page


def test_page_of_new_items_alone_draws_no_conclusion_on_the_mix(clicks, items):
    evaluation = evaluate(splits.cold_items(clicks, seed=0), {"p": Popularity()}, items, ks=[5])
    page = Report("t", "s", evaluation, 5, "p").html()
    assert "Only clicks on new items were hidden here" in page
    assert "3× apart" not in page


def test_title_falls_back_to_the_id(items):
    assert title_of(items, "i03") == "i03"


def test_page_without_cold_items(clicks, items):
    evaluation = evaluate(splits.strong(clicks, seed=1), {"ease": EASE()}, ks=[5])
    page = Report("t", "s", evaluation, 5, "ease").html()
    assert "Everything in one list: ease leads" in page
    assert "Are new items shown" not in page
    assert "on new items" not in page


def test_importance_is_a_figure_and_a_table(clicks, items):
    split = splits.cold_items(clicks, holdout=0.2, seed=0)
    for model in (MARec(beta=1.0), KernelRidge(steps=2)):
        evaluation = evaluate(split, {"model": model}, items, ks=[5])
        page = Report("t", "s", evaluation, 5, "model", importance=model.importance()).html()
        assert "What in the metadata predicts clicks" in page
        assert "The same as a table" in page
        table = page.split("The same as a table")[1]
        for field, share in model.importance()["field", "share"].rows():
            assert f'<td>{field}</td><td class="number">{share:.1%}</td>' in table


def test_page_says_what_lists_are_like_and_shows_groups(clicks, items):
    timed = Interactions.from_frame(clicks.to_frame().with_row_index("timestamp"))
    models = {"popularity": Popularity(), "mmr": MMR(diversity=0.5)}
    evaluation = evaluate(splits.mixed(timed, seed=0), models, items, ks=[5], by=["history", "item-age"])
    page = Report("t", "s", evaluation, 5, "mmr").html()
    assert page.count("<svg") == 5
    shown = page.split("What the lists are like")[1].split("<h2>")[0]
    for name in ("diversity@5", "calibration-js@5", "calibration-kl@5", "novelty@5", "coverage@5", "gini@5"):
        value = evaluation.models["mmr"].metrics["all"][name]
        assert f">{name}<" in shown
        assert f">{getattr(value, 'mean', value):.3f}<" in shown
    assert "By genres." in shown
    groups = page.split("By how much is known of a user")[1].split("<h2>")[0]
    for label, group in evaluation.models["mmr"].groups["history"]["all"].items():
        assert f"<td>{label}</td>" in groups
        assert f">{group.metrics['hr@5'].mean:.3f}<" in groups
    first = evaluation.split["groups"]["item-age"]["oldest quarter"]
    assert f"{first['first']} to {first['last']}" in page
    assert "Candidates are all items of the item table" in page


def test_page_compares_with_every_other_model_and_corrects_for_these_alone(made):
    _, _, evaluation = made
    page = Report("t", "s", evaluation, 5, "marec").html()
    shown = page.split("marec against each other model")[1].split("<h2>")[0]
    rows = re.findall(r"<tr><td>(\w+)</td><td>(\w+)</td>.*?([\d.]+|&lt; 0.001)</td></tr>", shown, re.S)
    others, sets = ("popularity", "ease"), ("cold", "warm", "all")
    assert [row[:2] for row in rows] == [(name, other) for name in sets for other in others]
    frames = [evaluation.compare("marec", other, metric="hr@5") for other in others]
    p_values = [frame.filter(candidates=name)["p"].item() for name in sets for frame in frames]
    assert [row[2].replace("&lt;", "<") for row in rows] == [p_value(p) for p in holm(p_values)]
    assert "p (Holm, 6 comparisons)" in shown


def test_page_of_folds_says_so(clicks):
    evaluation = evaluate(
        k_fold(clicks, "strong", 3), {"ease": EASE(), "p": Popularity()}, ks=[5], by="history"
    )
    page = Report("t", "s", evaluation, 5, "ease").html()
    assert "3 folds, each with" in page
    assert "over all folds" in page
    assert "Every user is hidden in exactly one of the 3 folds" in page
    assert "Candidates are the items that somebody clicked" in page
    assert "What the lists are like" not in page


def test_models_at_one_point_share_a_label(clicks, items):
    same = evaluate(splits.mixed(clicks, seed=0), {"one": EASE(), "two": EASE()}, items, ks=[5])
    assert "one, two" in tradeoff_points(same, "diversity@5", "ndcg@5", "one")


def test_page_of_several_seeds_says_so(clicks):
    evaluation = evaluate([splits.strong(clicks, seed=seed) for seed in (1, 2)], {"ease": EASE()}, ks=[5])
    page = Report("t", "s", evaluation, 5, "ease").html()
    assert "2 splits, each with" in page
    assert "seed 1 | 2" in page
    assert "mean over the splits that ask something of this user" in page
    assert "exactly one of" not in page


def test_page_of_cuts_in_time_tells_each_cut_and_both_kinds_of_users():
    found = evaluate(splits.rolling(log(), 3, 0.5), {"ease": EASE(), "p": Popularity()}, ks=[5])
    page = Report("cuts", "a log", found, 5, "ease").html()
    assert "<h2>At each cut in time</h2>" in page
    for fold in found.split["folds"]:
        assert f"{fold['cut']}<small>{fold['candidates']['all']['users']} users</small>" in page
    spread = found.models["ease"].folds["all"]["ndcg@5"].spread
    assert f'<td class="number">{spread:.4f}</td>' in page
    assert "Returning and new users" in page
    assert "The 3 test periods are consecutive" in page
    assert "items that somebody had clicked by the end of the test period" in page


def test_page_of_several_cuts_says_so(clicks):
    timed = Interactions.from_frame(clicks.to_frame().with_row_index("timestamp"))
    evaluation = evaluate(splits.rolling(timed, cuts=2), {"ease": EASE(), "p": Popularity()}, ks=[5])
    page = Report("t", "s", evaluation, 5, "ease").html()
    assert "2 cuts, each with" in page
    counts = [fold["items"] for fold in evaluation.split["folds"]]
    assert f"of {round(sum(counts) / 2):,} items were never clicked" in page
    assert "mean over the cuts that ask something of this user" in page


def test_page_counts_one_user_as_one():
    split = splits.leave_one_out(Interactions.from_csr([[1, 1, 1], [1, 0, 0]]))
    page = Report("t", "s", evaluate(split, {"popularity": Popularity()}), 10, "popularity").html()
    assert "1 user (few), 1 click to find" in page
