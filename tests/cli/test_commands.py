"""The command line as a person meets it: real processes, real files, one clear line on bad input."""

import json
import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from isotherm.cli.app import app
from isotherm.errors import IsothermError


def installed(*arguments):
    """Run the installed command, as a person does; returns exit code, stdout, stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "isotherm", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def invoke(*arguments):
    """The same in this process, for speed; a user's error is raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, IsothermError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def folder(tmp_path, clicks, item_frame):
    rng = np.random.default_rng(0)
    log = clicks.to_frame().drop("weight")
    log = log.with_columns(
        rating=pl.Series(rng.integers(1, 6, log.height)), timestamp=pl.Series(rng.permutation(log.height))
    )
    log.write_parquet(tmp_path / "clicks.parquet")
    log.write_csv(tmp_path / "clicks.csv")
    item_frame.write_parquet(tmp_path / "items.parquet")
    return tmp_path


def files(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_fit_then_recommend_then_new_items(isotherm, folder, item_frame):
    clicks, items, model = folder / "clicks.parquet", folder / "items.parquet", folder / "model"
    fit = ("fit", "--interactions", clicks, "--items", items, "--model", "marec", "--out", model)
    code, out, err = installed(*fit, "--set", "backbone.l2=50", "--set", "beta=2")
    assert code == 0, err
    assert out == ""
    assert "Interactions(60 users, 25 items," in err
    assert "MARec(backbone=EASE(l2=50.0" in err
    assert json.loads((model / "model.json").read_text())["parameters"]["beta"] == 2.0

    code, _, err = isotherm("recommend", "--model", model, "--all", "-k", 3, "--out", folder / "recs.parquet")
    assert code == 0, err
    lists = pl.read_parquet(folder / "recs.parquet")
    assert lists.columns == ["user_id", "item_id", "score", "rank"]
    assert lists.height == 180

    (folder / "some.csv").write_text("user_id\nu04\nu17\nu04\n")
    new = item_frame.head(1).with_columns(item_id=pl.Series(["brand-new"]))
    new.write_parquet(folder / "new.parquet")
    invoke(
        "recommend", "--model", model, "--users", folder / "some.csv", "-k", 31,
        "--new-items", folder / "new.parquet", "--out", folder / "recs.csv",
    )  # fmt: skip
    rows = pl.read_csv(folder / "recs.csv")
    assert rows["user_id"].unique(maintain_order=True).to_list() == ["u04", "u17"]
    assert rows.filter(pl.col("item_id") == "brand-new").height == 2


def test_recommend_can_be_limited_to_candidates(folder):
    invoke("fit", "--interactions", folder / "clicks.csv", "--model", "ease", "--out", folder / "m")
    (folder / "only.jsonl").write_text('{"item_id": "i01"}\n{"item_id": "i02"}\n')
    invoke(
        "recommend", "--model", folder / "m", "--all", "--include-seen",
        "--candidates", folder / "only.jsonl", "--out", folder / "recs.jsonl",
    )  # fmt: skip
    assert set(pl.read_ndjson(folder / "recs.jsonl")["item_id"]) == {"i01", "i02"}


@pytest.mark.parametrize("protocol", ["cold-items", "mixed", "strong", "leave-one-out", "temporal"])
def test_evaluate_every_protocol(folder, protocol):
    out = invoke(
        "evaluate", "--interactions", folder / "clicks.csv", "--items", folder / "items.parquet",
        "--protocol", protocol, "--holdout", 0.3, "--seed", 1,
        "--models", "popularity,content-knn,ease,marec",
        "--set", "marec.backbone.l2=100", "--set", "marec.beta=2", "-k", "5,10", "--json", folder / "e.json",
    )  # fmt: skip
    document = json.loads((folder / "e.json").read_text())
    assert document["split"]["protocol"] == protocol
    assert list(document["models"]) == ["popularity", "content-knn", "ease", "marec"]
    assert set(document["models"]["marec"]["all"]["hr@10"]) == {"mean", "low", "high"}
    assert ("cold" in document["models"]["marec"]) == (document["split"]["cold_items"] > 0)
    assert "l2=100.0" in document["models"]["marec"]["parameters"]
    assert f"{document['models']['ease']['all']['ndcg@5']['mean']:.4f}" in out


def test_evaluate_several_cuts_in_time(folder):
    out = invoke(
        "evaluate", "--interactions", folder / "clicks.csv", "--items", folder / "items.parquet",
        "--protocol", "temporal", "--cuts", 3, "--holdout", 0.4, "--next-k", 2, "--models", "popularity,ease",
        "--available-column", "year", "--json", folder / "e.json", "--report", folder / "e.html",
    )  # fmt: skip
    document = json.loads((folder / "e.json").read_text())
    split = document["split"]
    assert (split["cuts"], split["next_k"], len(split["folds"])) == (3, 2, 3)
    assert "year before the end of the test period" in split["candidate_rule"]
    figures = document["models"]["ease"]["folds"]["all"]["ndcg@10"]
    assert f"{figures['mean']:.4f}  {figures['spread']:.4f}" in out
    assert "ndcg@10 by cut" in out
    assert "by users" in out
    assert "At each cut in time" in (folder / "e.html").read_text()


def test_evaluate_tells_on_the_terminal_what_was_skipped(folder):
    log = pl.read_parquet(folder / "clicks.parquet")
    log.filter(pl.col("user_id") < "u30").write_parquet(folder / "train.parquet")
    log.filter(pl.col("user_id") >= "u28").write_parquet(folder / "test.parquet")
    out = invoke(
        "evaluate", "--train", folder / "train.parquet", "--test", folder / "test.parquet",
        "--protocol", "strong", "--fold-in-order", "time", "--json", folder / "e.json",
    )  # fmt: skip
    assert "skipped 2 returning users: this protocol tests new users only" in out
    assert json.loads((folder / "e.json").read_text())["split"]["fold_in_order"] == "time"


def test_evaluate_own_split_and_report(folder):
    log = pl.read_parquet(folder / "clicks.parquet")
    log.filter(pl.col("item_id") < "i20").write_parquet(folder / "train.parquet")
    log.filter(pl.col("item_id") >= "i20").write_parquet(folder / "test.parquet")
    invoke(
        "evaluate", "--train", folder / "train.parquet", "--test", folder / "test.parquet",
        "--items", folder / "items.parquet", "--models", "popularity,marec", "--set", "marec.beta=1",
        "--report", folder / "out.html", "--json", folder / "e.json", "-q",
    )  # fmt: skip
    document = json.loads((folder / "e.json").read_text())
    assert document["split"]["protocol"] == "given"
    assert document["split"]["cold_items"] == 5
    page = (folder / "out.html").read_text()
    assert "<svg" in page
    assert "What in the metadata predicts clicks" in page


def test_columns_and_rating_threshold_are_options(isotherm, folder):
    log = pl.read_parquet(folder / "clicks.parquet").rename(
        {"user_id": "who", "item_id": "what", "rating": "stars"}
    )
    log.write_csv(folder / "own.csv")
    code, _, err = isotherm(
        "fit", "--interactions", folder / "own.csv", "--model", "popularity", "--out", folder / "m",
        "--user-column", "who", "--item-column", "what", "--rating-column", "stars", "--min-rating", 4,
    )  # fmt: skip
    assert code == 0
    liked = log.filter(pl.col("stars") >= 4).height
    assert f"{liked:,} clicks); {log.height - liked:,} under min rating" in err


def test_quiet_says_nothing(isotherm, folder):
    code, out, err = isotherm(
        "fit", "--interactions", folder / "clicks.csv", "--model", "ease", "--out", folder / "m", "--quiet"
    )
    assert (code, out, err) == (0, "", "")


def test_off_a_terminal_progress_is_plain_lines(isotherm, folder):
    _, _, err = isotherm(
        "fit", "--interactions", folder / "clicks.csv", "--model", "ease", "--out", folder / "m"
    )
    assert "fit ease (" in err
    assert "\x1b" not in err
    assert "\r" not in err


BAD = [
    (
        ["fit", "--interactions", "absent.csv", "--model", "ease", "--out", "m"],
        "absent.csv: no such file or folder",
    ),
    (["fit", "--model", "ease"], "fit needs --interactions and --out"),
    (
        ["fit", "--interactions", "clicks.csv", "--model", "es", "--out", "m"],
        "there is no model 'es'; the models are",
    ),
    (["fit", "--interactions", "clicks.csv", "--model", "marec", "--out", "m"], "marec needs an item table"),
    (
        ["fit", "--interactions", "clicks.csv", "--model", "ease", "--set", "l3=1", "--out", "m"],
        "ease has no setting",
    ),
    (["fit", "--interactions", "clicks.csv", "--model", "ease", "--out", "clicks.csv"], "is a file"),
    (
        ["fit", "--interactions", "clicks.csv", "--kind", "x=text", "--model", "ease", "--out", "m"],
        "needs --items",
    ),
    (
        ["fit", "--interactions", "cut.parquet", "--model", "ease", "--out", "m"],
        "cut.parquet: cannot be read",
    ),
    (
        ["fit", "--interactions", "nulls.csv", "--model", "ease", "--out", "m"],
        "nulls.csv: column 'item_id', data row 2",
    ),
    (["recommend", "--model", ".", "--all", "--out", "r.parquet"], "holds no saved model"),
    (["recommend", "--model", ".", "--out", "r.parquet"], "one of --users, --all and --histories"),
    (["recommend", "--model", ".", "--all", "--out", "r.xlsx"], "a file ending in .parquet, .csv, .jsonl"),
    (["evaluate", "--protocol", "mixed"], "either --interactions with --protocol, or --train with --test"),
    (["evaluate", "--interactions", "clicks.csv"], "--protocol must be one of cold-items, mixed"),
    (
        ["evaluate", "--interactions", "clicks.csv", "--protocol", "mixed", "-k", "ten"],
        "-k takes whole numbers",
    ),
    (
        ["evaluate", "--interactions", "clicks.csv", "--protocol", "mixed", "--holdout", "2"],
        "holdout must be between",
    ),
    (
        [
            "evaluate",
            "--interactions",
            "clicks.csv",
            "--protocol",
            "mixed",
            "--models",
            "ease",
            "--set",
            "l2=1",
        ],
        "a setting begins with a model's name",
    ),
    (["evaluate", "--train", "clicks.csv", "--protocol", "mixed"], "--train and --test go together"),
    (["datasets", "get", "ml-100m"], "there is no data set 'ml-100m'"),
]


@pytest.mark.parametrize(
    ("arguments", "words"), BAD, ids=lambda value: value if isinstance(value, str) else None
)
def test_bad_input_is_one_clear_error_and_nothing_is_written(folder, monkeypatch, arguments, words):
    monkeypatch.chdir(folder)
    whole = (folder / "clicks.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[:200])
    (folder / "nulls.csv").write_text("user_id,item_id\n1,2\n3,\n")
    before = files(folder)
    with pytest.raises(IsothermError, match=words.replace("(", r"\(")):
        invoke(*arguments)
    assert files(folder) == before


def test_errors_are_one_line_and_a_non_zero_exit(folder):
    code, out, err = installed(
        "fit", "--interactions", folder / "no.csv", "--model", "ease", "--out", folder / "m"
    )
    assert code == 1
    assert out == ""
    assert err == f"error: {folder / 'no.csv'}: no such file or folder\n"


def test_every_command_has_help_with_an_example():
    for command in (
        ["demo"],
        ["fit"],
        ["recommend"],
        ["evaluate"],
        *(["datasets", c] for c in ("list", "get", "info")),
    ):
        shown = invoke(*command, "--help")
        assert f"Example: isotherm {' '.join(command)}" in " ".join(shown.split()), command


def test_help_model_shows_every_setting_with_its_default():
    shown = invoke("fit", "--model", "marec", "--help-model")
    assert "\n  backbone.l2 (> 0 or auto; default auto): λ, the ridge penalty" in shown
    assert "\n  beta (> 0 or auto; default auto): β, how many clicks" in shown
    assert ">>>" not in shown


def test_datasets_list_and_info():
    assert "ml-100k  MovieLens-100K: 943 users, 1,682 items, 100,000 clicks" in invoke("datasets", "list")
    assert "licence   research use" in invoke("datasets", "info", "ml-100k")


def test_version():
    from isotherm import __version__

    assert invoke("--version").strip() == f"isotherm {__version__}"


def test_a_vae_is_trained_logged_and_gone_on_with(folder):
    clicks, items, run = folder / "clicks.parquet", folder / "items.parquet", folder / "run"
    fit = ("fit", "--interactions", clicks, "--items", items, "--model", "multvae", "--run-dir", run)
    settings = ("--set", "anchors.weight=0.1", "--set", "hidden=16", "--set", "training.epochs=3")
    invoke(*fit, *settings, "--out", folder / "model")
    manifest = json.loads((folder / "model" / "model.json").read_text())
    assert manifest["parameters"]["anchors"]["parameters"]["weight"] == 0.1
    lines = [json.loads(line) for line in (run / "run.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "epoch", "epoch", "epoch", "end"]
    assert "anchor" in lines[1]
    invoke(*fit, *settings, "--out", folder / "again")
    invoke("recommend", "--model", folder / "again", "--all", "-k", "3", "--out", folder / "recs.parquet")
    assert pl.read_parquet(folder / "recs.parquet").height == 180
    assert (folder / "again" / "items.parquet").is_file() is False  # named by content, like every file
    with pytest.raises(IsothermError, match="holds a run of another fit: seed differ"):
        invoke(*fit, *settings, "--set", "seed=1", "--out", folder / "third")
    assert not (folder / "third").exists()


def test_run_and_valid_are_for_models_that_train_in_steps(folder):
    fit = ("fit", "--interactions", folder / "clicks.parquet", "--model", "ease", "--out", folder / "model")
    for option in (("--run-dir", folder / "run"), ("--valid", folder / "clicks.parquet")):
        with pytest.raises(IsothermError, match="for models that train in steps; ease does not"):
            invoke(*fit, *option)
    assert not (folder / "run").exists()


def test_vaes_are_evaluated_with_settings_of_their_own(folder):
    small = [
        f"{name}.{what}" for name in ("multvae", "recvae") for what in ("hidden=16", "training.epochs=2")
    ]
    settings = [part for setting in [*small, "multvae.anchors.weight=0.1"] for part in ("--set", setting)]
    invoke(
        "evaluate", "--interactions", folder / "clicks.parquet", "--protocol", "strong", "--models",
        "multvae,recvae", *settings, "--json", folder / "out.json",
    )  # fmt: skip
    models = json.loads((folder / "out.json").read_text())["models"]
    assert "ItemAnchors(weight=0.1" in models["multvae"]["parameters"]
    assert "ItemAnchors(weight=0.0" in models["recvae"]["parameters"]


def test_help_model_tells_parts_and_their_choices():
    shown = invoke("fit", "--model", "recvae", "--help-model")
    for name, default in (
        ("anchors.weight", "0"), ("mask", r"Bernoulli\(\)"), ("mask=popularity mask.power", "0.25"),
        ("beta", r"PerClick\(\)"), ("training.clip", "none"), ("ease_term=ease ease_term.l2", "auto"),
    ):  # fmt: skip
        assert re.search(rf"^  {name} \(.*default {default}", shown, re.M), name
    assert "\nbeta=annealed:\n" in shown


def test_without_torch_the_other_models_work_and_vaes_say_what_is_missing(folder):
    code = (
        "import sys, importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'torch' else find(name, *rest)\n"
        "from isotherm.cli.main import run\n"
        f"sys.argv = ['isotherm', 'fit', '--interactions', {str(folder / 'clicks.parquet')!r}, '--model', "
        f"MODEL, '--out', {str(folder / 'm')!r}]\n"
        "run()"
    )
    missing = "error: multvae, multdae and recvae need torch: pip install 'isotherm[vae]'"
    for model, message in (("multvae", missing), ("ease", "")):
        command = [sys.executable, "-c", code.replace("MODEL", repr(model))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == (1 if message else 0)
        assert message in done.stderr
