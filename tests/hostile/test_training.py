"""Training through the command line: leftovers of a launcher, numbers that overflow, run folders."""

import json

import pytest

from isotherm.files import locked

FIT = ("fit", "--interactions", "clicks.parquet", "--out", "model", "--quiet")
TINY = ("--set", "hidden=4", "--set", "latent=2", "--set", "training.epochs=1")
VAE = (*FIT, "--model", "multvae", *TINY)


@pytest.mark.parametrize(
    "left",
    [
        {"RANK": "1"},
        {"RANK": "3", "WORLD_SIZE": "1", "LOCAL_RANK": "3"},
        {"RANK": "-1"},
        {"RANK": "abc", "WORLD_SIZE": ""},
        {"RANK": "1", "WORLD_SIZE": "2"},
        {"WORLD_SIZE": "abc"},
    ],
    ids=str,
)
def test_a_model_that_does_not_train_in_steps_is_saved_whatever_a_launcher_left(isotherm, desk, left):
    isotherm.succeeds(*FIT, "--model", "popularity", **left)
    assert (desk / "model" / "model.json").is_file()


def test_a_process_that_is_alone_speaks_and_saves(isotherm, desk):
    done = isotherm.succeeds(*[word for word in VAE if word != "--quiet"], RANK="1", LOCAL_RANK="5")
    assert "saved to model" in done.err
    assert (desk / "model" / "model.json").is_file()


@pytest.mark.parametrize(
    ("left", "says"),
    [
        ({"WORLD_SIZE": "abc"}, "WORLD_SIZE=abc in the environment is not a whole number"),
        ({"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": ""}, "but MASTER_ADDR is not set"),
    ],
    ids=str,
)
def test_a_launch_that_cannot_be_is_refused_before_the_work(isotherm, left, says):
    isotherm.refuses(*VAE, **left, says=[says, "unset WORLD_SIZE"])


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("training.learning_rate=1e300", "training.learning_rate must be a number"),
        ("training.learning_rate=1e38", "lower training.learning_rate (now 1e+38)"),
        ("beta.cap=1e30", "lower training.learning_rate"),
        ("anchors.weight=1e30", "lower training.learning_rate"),
        ("training.valid_share=0.999", "leaves no user to train on"),
        ("training.softmax_sample=-1", "training.softmax_sample"),
        ("mask.keep=0", "mask.keep"),
    ],
)
def test_numbers_that_overflow_leave_no_model(isotherm, setting, says):
    isotherm.refuses(*VAE, "--set", "training.batch_size=20", "--set", setting, says=says)


@pytest.mark.parametrize("valid", ["clicks.parquet", "clicks.csv"])
def test_validation_clicks_that_are_all_training_clicks_are_refused(isotherm, valid):
    isotherm.refuses(*VAE, "--valid", valid, says=["validation clicks: no user has", "kept apart"])


def test_a_run_goes_on_only_with_what_it_began_with(isotherm, desk):
    run = (*VAE, "--run-dir", "run")
    isotherm.succeeds(*run)
    isotherm.succeeds(*run)
    events = [json.loads(line)["event"] for line in (desk / "run" / "run.jsonl").read_text().splitlines()]
    assert events == ["start", "epoch", "end", "resume", "end"]
    isotherm.refuses(
        *run, "--set", "seed=1", says=["run: holds a run of another fit: seed differ", "name another"]
    )
    isotherm.refuses(*run, "--min-rating", "3", says="clicks differ")
    isotherm.refuses(*run, "--items", "items.parquet", says="clicks differ")
    isotherm.refuses(*run, "--set", "training.patience=3", says="training.patience differ")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"notes.txt": "mine"}, "is not empty and holds no training run (notes.txt is in the way)"),
        ({"checkpoint-best.safetensors": "mine", "run.jsonl": ""}, "holds no training run"),
        ({"checkpoint.json": "null"}, "holds no training run"),
        ({"checkpoint.json": "[]"}, "holds no training run"),
        ({"checkpoint.json": "{"}, "holds no training run"),
        ({"checkpoint.json": '{"files": {}}'}, "holds no training run"),
    ],
    ids=str,
)
def test_a_folder_that_is_no_run_is_left_as_it_is(isotherm, desk, content, says):
    (desk / "run").mkdir()
    for name, text in content.items():
        (desk / "run" / name).write_text(text)
    isotherm.refuses(*VAE, "--run-dir", "run", says=says)


def test_a_run_folder_that_cannot_be_one_is_refused(isotherm):
    isotherm.refuses(*VAE, "--run-dir", "clicks.parquet", says="clicks.parquet: is a file")
    isotherm.refuses(
        *FIT, "--model", "ease", "--run-dir", "run", says="--run-dir are for models that train in steps"
    )


def test_a_second_training_in_a_run_folder_is_refused(isotherm, desk):
    isotherm.succeeds(*VAE, "--run-dir", "run")
    with locked(desk / "run"):
        isotherm.refuses(*VAE, "--run-dir", "run", says=["run: another training is at work in this folder"])
    isotherm.succeeds(*VAE, "--run-dir", "run")
