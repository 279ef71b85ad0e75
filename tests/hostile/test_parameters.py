"""Settings that cannot be: one clear line before any work, which names the setting and its range."""

import pytest

NINES = "9" * 400
DEEP = "[" * 100_000 + "]" * 100_000

BAD_SETTINGS = [
    # model, settings, what the line says
    ("ease", ["l2=0"], "l2 must be a number > 0, not 0"),
    ("ease", ["l2=-3"], "l2 must be a number > 0, not -3"),
    ("ease", ["l2=1e39"], "l2 must be a number > 0 and <= 3.4e+38, not 1e+39"),
    ("ease", ["l2=1e999"], "l2 must be a number > 0 and <= 3.4e+38, not inf"),
    ("ease", ["l2=NaN"], "l2 must be a number > 0, not nan"),
    ("ease", ["l2=-Infinity"], "l2 must be a number > 0, not -inf"),
    ("ease", [f"l2={NINES}"], "l2 must be a number > 0 and <= 3.4e+38, not 9999"),
    ("ease", ["l2=" + NINES * 20], "l2 must be a number > 0, not '9999"),
    ("ease", [f"l2={DEEP}"], "--set 'l2': the value is nested too deeply"),
    ("ease", ['l2={"a": 1}'], "l2 must be a number > 0, not {'a': 1}"),
    ("ease", ["l2="], "l2 must be a number > 0, not ''"),
    ("ease", ["l2=true"], "l2 must be a number > 0, not True"),
    ("ease", ["l2=500,600"], "l2 must be a number > 0, not [500, 600]"),
    ("ease", ["l2=٣_x"], "l2 must be a number > 0, not '٣_x'"),
    ("ease", ["collective=1e300"], "collective must be a number >= 0 and <= 3.4e+38, not 1e+300"),
    ("ease", ["dtype=float16"], "dtype must be one of 'float32', 'float64', not 'float16'"),
    ("ease", ["l2=1", "l2=2"], "--set 'l2' is given twice"),
    ("ease", ["l2=1", " l2 =1"], "--set 'l2' is given twice"),
    ("ease", ["l2=1", "l2.x=2"], "l2 has no settings of its own"),
    ("ease", ["=5"], "--set takes name=value, not '=5'"),
    ("ease", [" =5"], "--set takes name=value"),
    ("ease", [""], "--set takes name=value, not ''"),
    ("ease", ["x" * 50_000 + "=1"], "ease has no setting 'xxxx"),
    ("ease", ["." * 1000 + "=1"], "ease has no setting ''"),
    ("slim", ["nonclick_weight=2"], "nonclick_weight must be a number > 0 and <= 1, not 2"),
    ("slim", ["nonclick_weight=0"], "nonclick_weight must be a number > 0 and <= 1, not 0"),
    ("slim", ["tolerance=0"], "tolerance must be a number > 0 and < 1, not 0"),
    (
        "slim",
        ["l2=500", "nonclick_weight=1e-300"],
        "l2 / nonclick_weight must be a number > 0 and <= 3.4e+38, not 5e+302",
    ),
    ("ials", ["l2=3e38"], "ials: fit went wrong: "),
    ("ials", ["exponent=1e30"], "a setting or a click weight is out of float32's reach"),
    ("marec", ["backbone.collective=3e38"], "marec: fit met a system that float32 cannot solve"),
    (
        "marec",
        ["backbone=ials", "backbone.factors=4", "beta=3e38"],
        "marec: fit met a system that float32 cannot",
    ),
    ("slim", ["self_penalty=1e300"], "self_penalty must be a number >= 0 and <= 3.4e+38"),
    ("ials", ["factors=0"], "factors must be a whole number >= 1, not 0"),
    ("ials", ["factors=2.5"], "factors must be a whole number >= 1, not 2.5"),
    (
        "ials",
        ["factors=100000000000"],
        "factors must be a whole number >= 1 and <= 2,147,483,647, not 100000000000",
    ),
    ("ials", ["factors=2000000000"], "with factors=2000000000 takes 16,000,00"),
    ("ials", ["seed=-1"], "seed must be a whole number >= 0 and <= 4,294,967,295"),
    ("ials", ["seed=4294967296"], "seed must be a whole number >= 0 and <= 4,294,967,295"),
    ("ials", [f"seed={NINES}"], "seed must be a whole number >= 0"),
    ("item-knn", ["neighbours=0"], "neighbours must be a whole number >= 1, not 0"),
    (
        "item-knn",
        ["neighbours=1e99"],
        "neighbours must be a whole number >= 1 and <= 2,147,483,647, not 1e+99",
    ),
    ("item-knn", ["shrinkage=-1"], "shrinkage must be a number >= 0, not -1"),
    ("popularity", ["l2=1"], "popularity has no setting 'l2'; it has none"),
    ("content-knn", ["encoding.fields=5"], "encoding.fields must be names of fields, not 5"),
    ("content-knn", ["encoding.fields=genres,genres"], "encoding.fields names 'genres' twice"),
    ("content-knn", ["encoding.fields=[]"], "encoding.fields must be names of fields, not []"),
    ("content-knn", ["encoding.max_words=0"], "encoding.max_words must be a whole number >= 1"),
    (
        "content-knn",
        ["encoding.text_weighting=bm25"],
        "encoding.text_weighting must be one of 'auto', 'count', 'binary', 'tfidf', not 'bm25'",
    ),
    ("content-knn", ["encoding.text_model=[1]"], "encoding.text_model must be the path of a folder, not [1]"),
    ("marec", ["backbone=popularity"], "backbone must be one of ease, slim"),
    ("marec", ["backbone=5", "backbone.l2=1"], "backbone must be one of ease, slim"),
    ("marec", ["backbone.l2=1e39"], "l2 must be a number > 0 and <= 3.4e+38"),
    ("marec", ["beta=often"], "beta must be a number > 0, not 'often'"),
    ("marec", ["second_order=1"], "second_order must be true or false, not 1"),
    ("marec", ["click_threshold=0.5"], "click_threshold must be a number >= 1"),
    (
        "marec",
        ["embedding=siamese", "embedding.dropout=5"],
        "embedding.dropout must be a number >= 0 and < 1, not 5",
    ),
    (
        "marec",
        ["embedding=siamese", "embedding.heads=5"],
        "embedding.heads must divide embedding.width, 64, not 5",
    ),
    ("kernel-ridge", ["landmarks=0"], "landmarks must be a whole number >= 1"),
    ("multvae", ["latent=100000000000"], "latent must be a whole number >= 1 and <= 2,147,483,647"),
    (
        "multvae",
        ["latent=2000000000"],
        "multvae of 30 items with hidden=600, latent=2000000000 takes 28,800.0 GB",
    ),
    ("recvae", ["hidden=2000000000"], "hidden=2000000000, latent=200 takes"),
    ("marec", ["backbone=ials", "backbone.factors=2000000000"], "with backbone.factors=2000000000 takes"),
    ("marec", ["embedding=siamese", "embedding.width=2000000000"], "with embedding.width=2000000000 takes"),
    (
        "multvae",
        ["training.learning_rate=1e300"],
        "training.learning_rate must be a number > 0 and <= 3.4e+38",
    ),
    ("multvae", ["training.metric=ndcg@²"], "training.metric must be one of hr, ndcg"),
    ("multvae", ["training.metric=ndcg"], "with @ and a length, like ndcg@100, not 'ndcg'"),
    ("multvae", ["training.metric=5"], "with @ and a length, like ndcg@100, not 5"),
    ("multvae", ["training.valid_share=1"], "training.valid_share must be a number >= 0 and < 1, not 1"),
    (
        "multvae",
        ["training.softmax_sample=-1"],
        "training.softmax_sample must be a whole number >= 0, not -1",
    ),
    ("multvae", ["training.batch_size=0"], "training.batch_size must be a whole number >= 1"),
    ("multvae", ["training.clip=0"], "training.clip must be a number > 0"),
    ("multvae", ["training.epochs=1e20"], "training.epochs must be a whole number >= 1 and <= 2,147,483,647"),
    (
        "multvae",
        ["training=5"],
        "training must be of class Training, or set by its settings (training.epochs, …), not 5",
    ),
    ("multvae", ["beta.cap=1e39"], "beta.cap must be a number >= 0 and <= 3.4e+38"),
    ("multvae", ["mask.keep=1.5"], "mask.keep must be a number > 0 and <= 1, not 1.5"),
    ("multvae", ["mask.keep=0"], "mask.keep must be a number > 0 and <= 1, not 0"),
    ("multvae", ["anchors.nearest=0"], "anchors.nearest must be a whole number >= 1"),
    (
        "multvae",
        ["ease_term=ease", "ease_term.weight=lots"],
        "ease_term.weight must be a number >= 0, not 'lots'",
    ),
]


@pytest.mark.parametrize(
    ("model", "settings", "says"), BAD_SETTINGS, ids=[f"{m}:{','.join(s)[:40]}" for m, s, _ in BAD_SETTINGS]
)
def test_a_bad_setting_is_one_line_that_says_the_range(isotherm, model, settings, says):
    chosen = [part for setting in settings for part in ("--set", setting)]
    done = isotherm.refuses(
        "fit",
        "--interactions",
        "clicks.parquet",
        "--items",
        "items.parquet",
        "--model",
        model,
        *chosen,
        "--out",
        "m",
        "--quiet",
        says=says,
    )
    assert len(done.err.splitlines()[-1]) < 500


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (
            [
                "evaluate",
                "--protocol",
                "mixed",
                "--models",
                "ease",
                "--set",
                "ease.l2=1",
                "--set",
                "ease.l2=2",
            ],
            "--set 'ease.l2' is given twice",
        ),
        (
            ["evaluate", "--protocol", "mixed", "--models", "ease", "--set", "l2=1"],
            "a setting begins with a model's name",
        ),
        (
            ["evaluate", "--protocol", "mixed", "--models", "ease", "--set", "x" * 5000 + "=1"],
            "a setting begins with a model's name",
        ),
        (["evaluate", "--protocol", "mixed", "--models", "ease,ease"], "distinct registry names"),
        (["fit", "--model", "x" * 5000, "--out", "m"], "there is no model 'xxx"),
        (
            [
                "fit",
                "--model",
                "ease",
                "--items",
                "items.csv",
                "--kind",
                "year=number",
                "--kind",
                "year=text",
                "--out",
                "m",
            ],
            "--kind 'year' is given twice",
        ),
        (
            ["sweep", "--set", "beta.cap=0.3", "--beta", "0.1,0.2", "--out", "s"],
            "beta.cap is both set and swept (--beta)",
        ),
        (["sweep", "--keep", "0.5,0.50000001", "--out", "s"], "--keep names a value twice"),
        (["sweep", "--seed", "-1", "--out", "s"], "seed must be a whole number >= 0 and <= 4,294,967,295"),
        (["sweep", "--pairs", "0", "--out", "s"], "pairs must be a whole number >= 20, not 0"),
        (["sweep", "--probe", "2", "--out", "s"], "probe must be a number > 0 and <= 1, not 2"),
        (["sweep", "--holdout", "nan", "--out", "s"], "holdout must be between 0 and 1, not nan"),
        (
            ["sweep", "--beta", "1e39", "--out", "s"],
            "beta.cap must be a number >= 0 and <= 3.4e+38, not 1e+39",
        ),
    ],
    ids=[
        "set-twice",
        "no-model",
        "long",
        "models-twice",
        "no-such-model",
        "kind-twice",
        "set-and-swept",
        "swept-twice",
        "sweep-seed",
        "sweep-pairs",
        "sweep-probe",
        "sweep-holdout",
        "sweep-beta",
    ],
)
def test_what_is_said_twice_or_of_nobody_is_refused(isotherm, command, says):
    name, *rest = command
    done = isotherm.refuses(name, "--interactions", "clicks.parquet", *rest, "--quiet", says=says)
    assert len(done.err.splitlines()[-1]) < 500
