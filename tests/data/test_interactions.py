"""Reading click logs: every format, merged duplicates, and one clear error for each kind of bad input."""

import gzip

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array, csr_matrix

from isotherm import Columns, Interactions
from isotherm.data.splits import leave_one_out
from isotherm.errors import InteractionsError, ParameterError, SplitError

LOG = pl.DataFrame(
    {
        "user_id": ["b", "a", "a", "c"],
        "item_id": [30, 10, 20, 10],
        "rating": [4.0, 2.0, 5.0, 3.0],
        "timestamp": [5, 1, 2, 9],
    }
)


def writers(tmp_path):
    """The same log in every format."""
    folder = tmp_path / "parts"
    folder.mkdir()
    LOG.head(1).write_parquet(folder / "1.parquet")
    LOG.tail(3).write_parquet(folder / "2.parquet")
    LOG.write_parquet(tmp_path / "log.parquet")
    LOG.write_csv(tmp_path / "log.csv")
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress((tmp_path / "log.csv").read_bytes()))
    LOG.write_csv(tmp_path / "log.tsv", separator="\t")
    LOG.write_ndjson(tmp_path / "log.jsonl")
    (tmp_path / "log.jsonl.gz").write_bytes(gzip.compress((tmp_path / "log.jsonl").read_bytes()))
    names = ["log.parquet", "log.csv", "log.csv.gz", "log.tsv", "log.jsonl", "log.jsonl.gz", "parts"]
    return [tmp_path / name for name in names] + [folder / "*.parquet"]


def test_every_format_reads_alike(tmp_path):
    expected = Interactions.from_frame(LOG)
    for source in writers(tmp_path):
        clicks = Interactions.read(source)
        assert clicks.users.values.to_list() == ["a", "b", "c"], source
        assert clicks.items.values.to_list() == [10, 20, 30], source
        np.testing.assert_array_equal(clicks.matrix.toarray(), expected.matrix.toarray())
        assert clicks.timestamps.to_list() == [1, 2, 5, 9]


@pytest.mark.parametrize(
    "convert", [lambda f: f, lambda f: f.lazy(), lambda f: f.to_pandas(), lambda f: f.to_arrow()]
)
def test_every_frame_reads_alike(convert):
    clicks = Interactions.from_frame(convert(LOG))
    np.testing.assert_array_equal(clicks.matrix.toarray(), [[1, 1, 0], [0, 0, 1], [1, 0, 0]])


def test_other_things_are_no_frames():
    with pytest.raises(TypeError, match=r"polars, pandas or Arrow frame is needed, not builtins.dict"):
        Interactions.from_frame({"user_id": [1]})


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
def test_csr_reads_with_and_without_ids(kind):
    x = kind(np.array([[0, 2.0], [1, 0]]))
    assert Interactions.from_csr(x).items.values.to_list() == [0, 1]
    clicks = Interactions.from_csr(x, user_ids=["u", "v"], item_ids=pl.Series(["i", "j"]))
    assert clicks.to_frame().rows() == [("u", "j", 2.0), ("v", "i", 1.0)]
    with pytest.raises(InteractionsError, match="3 user_ids and 2 item_ids for a matrix of"):
        Interactions.from_csr(x, user_ids=[1, 2, 3])
    with pytest.raises(InteractionsError, match="NaN, infinite or negative"):
        Interactions.from_csr(csr_array(np.array([[np.nan]])))
    with pytest.raises(InteractionsError, match="0 clicks"):
        Interactions.from_csr(csr_array((2, 2)))


def test_column_names_are_configurable():
    renamed = LOG.rename({"user_id": "who", "item_id": "what", "timestamp": "when"})
    clicks = Interactions.from_frame(renamed, columns=Columns(user="who", item="what", timestamp="when"))
    assert clicks.timestamps.to_list() == [1, 2, 5, 9]


def test_duplicates_are_merged_latest_rating_stays_weights_add_up():
    log = pl.DataFrame(
        {
            "user_id": [1, 1, 1],
            "item_id": [7, 7, 8],
            "rating": [5.0, 1.0, 4.0],
            "timestamp": [10, 20, 5],
            "weight": [1.0, 2.5, 1.0],
        }
    )
    clicks = Interactions.from_frame(log)
    assert clicks.notes["duplicates_merged"] == 1
    assert clicks.matrix.toarray().tolist() == [[3.5, 1.0]]
    assert clicks.timestamps.to_list() == [20, 5]
    liked = Interactions.from_frame(log, min_rating=3)  # item 7 was liked first and disliked later
    assert liked.items.values.to_list() == [8]
    assert liked.notes["under_min_rating"] == 1


EVENTS = pl.DataFrame(
    {
        "user_id": ["ann", "ann", "ann", "bob", "bob", "cid"],
        "item_id": [1, 1, 2, 2, 2, 3],
        "type": ["impression", "click", "impression", "dislike", "click", "watch"],
        "timestamp": [1, 2, 3, 9, 4, 5],
    }
)


def test_of_a_log_of_events_the_clicks_count():
    """Neither what was only shown, nor what the same user disliked later."""
    clicks = Interactions.from_frame(EVENTS)
    assert clicks.to_frame().select("user_id", "item_id").rows() == [("ann", 1)]
    assert clicks.timestamps.to_list() == [2]
    assert clicks.notes["events_left_out"] == 5
    untimed = Interactions.from_frame(EVENTS.drop("timestamp"))  # their order is that of the rows
    assert untimed.to_frame().select("user_id", "item_id").rows() == [("ann", 1), ("bob", 2)]
    with pytest.raises(InteractionsError, match="none of 2 events is a click"):
        Interactions.from_frame(EVENTS.filter(pl.col("type").is_in(["impression", "click"]).not_()))


@pytest.mark.parametrize("types", [["view"] * 6, [1] * 6, ["click"] * 5 + [None]])
def test_a_type_of_anything_else_is_no_log_of_events(types):
    log = EVENTS.with_columns(type=pl.Series(types))
    assert Interactions.from_frame(log).n_clicks == 4
    assert Interactions.from_frame(EVENTS, columns=Columns(item="type")).n_clicks == 5


def test_merged_pairs_without_weights_stay_one_click():
    clicks = Interactions.from_frame(pl.DataFrame({"user_id": [1, 1], "item_id": [2, 2]}))
    assert clicks.matrix.data.tolist() == [1.0]


def test_rating_threshold_forgets_users_and_items_left_without_clicks():
    clicks = Interactions.from_frame(LOG, min_rating=4)
    assert clicks.users.values.to_list() == ["a", "b"]
    assert clicks.items.values.to_list() == [20, 30]


@pytest.mark.parametrize(
    "ids",
    [
        pl.Series(["x", "y"]),
        pl.Series([3, 1], dtype=pl.UInt8),
        pl.Series([2**63 + 1, 2**63], dtype=pl.UInt64),
        pl.Series(["x", "y"], dtype=pl.Categorical),
        pl.Series([True, False]),
        pl.Series(["2020-01-01", "2021-01-01"]).str.to_datetime(),
        pl.Series([b"\x01", b"\x02"]),
        pl.Series([1.5, 2.5]),
    ],
)
def test_ids_of_any_type_are_kept(ids):
    clicks = Interactions.from_frame(pl.DataFrame({"user_id": ids, "item_id": ids}))
    assert sorted(clicks.to_frame()["item_id"].to_list()) == sorted(ids.to_list())


@pytest.mark.parametrize("ids", [["2", "x"], ["1", "2", "+3"], ["1", "1.5"], ["9" * 30, "1"], ["1", " 2"]])
def test_text_ids_that_are_not_all_whole_numbers_stay_text(ids):
    clicks = Interactions.from_frame(pl.DataFrame({"user_id": ids, "item_id": ids}))
    assert clicks.items.values.to_list() == sorted(ids)
    assert clicks.n_clicks == len(ids)


def test_text_ids_with_leading_zeros_stay_text(tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id\n1,007\n2,010\n")
    clicks = Interactions.read(tmp_path / "log.csv")
    assert clicks.users.values.to_list() == [1, 2]
    assert clicks.items.values.to_list() == ["007", "010"]


def test_order_of_rows_does_not_matter():
    shuffled = LOG.sample(fraction=1, shuffle=True, seed=3)
    one, other = Interactions.from_frame(LOG), Interactions.from_frame(shuffled)
    assert one.to_frame().equals(other.to_frame())


def test_blocks_cover_all_users_in_order():
    clicks = Interactions.from_csr(np.eye(10))
    blocks = list(clicks.blocks(4))
    assert [block.shape for block in blocks] == [(4, 10), (4, 10), (2, 10)]
    np.testing.assert_array_equal(np.vstack([block.toarray() for block in blocks]), np.eye(10))


BAD = [
    ({"user_id": [1]}, r"column 'item_id' is missing; the columns are user_id"),
    ({"user_id": [1, None], "item_id": [1, 2]}, r"column 'user_id', row 2: no value \(null\) in 1 of 2 rows"),
    ({"user_id": [1, 2], "item_id": [1.0, float("nan")]}, r"column 'item_id', row 2: NaN is no id"),
    ({"user_id": [1], "item_id": [[1]]}, r"column 'item_id': List\(Int64\) cannot be an id"),
    (
        {"user_id": [1, 2], "item_id": [1, 2], "weight": [1.0, float("nan")]},
        r"'weight', row 2: nan is not a finite",
    ),
    (
        {"user_id": [1, 2], "item_id": [1, 2], "weight": [float("inf"), 1]},
        r"'weight', row 1: inf is not a finite",
    ),
    (
        {"user_id": [1, 2], "item_id": [1, 2], "weight": [1.0, 0.0]},
        r"'weight', row 2: a weight must be above 0",
    ),
    ({"user_id": [1, 2], "item_id": [1, 2], "weight": ["1", "x"]}, r"'weight', row 2: 'x' is not a finite"),
    ({"user_id": [], "item_id": []}, r"0 clicks"),
]


@pytest.mark.parametrize(("data", "words"), BAD)
def test_bad_frames_name_the_column_and_the_row(data, words):
    with pytest.raises(InteractionsError, match=words):
        Interactions.from_frame(pl.DataFrame(data, strict=False))


def test_no_rating_is_high_enough():
    with pytest.raises(InteractionsError, match="0 clicks: no rating is at least 6"):
        Interactions.from_frame(LOG, min_rating=6)
    with pytest.raises(InteractionsError, match="column 'rating' is missing"):
        Interactions.from_frame(LOG.drop("rating"), min_rating=3)
    unusable = pl.DataFrame({"user_id": [1], "item_id": [1], "rating": ["good"]})
    for asked in ({"min_rating": 3}, {"columns": Columns(rating="rating")}):
        with pytest.raises(InteractionsError, match="'rating', row 1: 'good' is not a finite number"):
            Interactions.from_frame(unusable, **asked)
    assert Interactions.from_frame(unusable).n_clicks == 1


def bad_file(tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content)
    return file


def test_bad_files_name_the_file(tmp_path):
    LOG.write_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    cases = [
        (tmp_path / "absent.csv", r"absent.csv: no such file or folder"),
        (bad_file(tmp_path, "zero.csv", b""), r"zero.csv: the file is empty \(0 bytes\)"),
        (bad_file(tmp_path, "head.csv", b"user_id,item_id\n"), r"head.csv: has no rows"),
        (
            bad_file(tmp_path, "half.parquet", whole[: len(whole) // 2]),
            r"half.parquet: cannot be read as parquet",
        ),
        (bad_file(tmp_path, "log.xlsx", b"PK"), r"log.xlsx: unknown kind of file; one of .parquet"),
        (
            bad_file(tmp_path, "log.jsonl", b'{"user_id":1,"item_id":2}\n{"user\n'),
            r"log.jsonl, row 2: not a JSON",
        ),
        (
            bad_file(tmp_path, "cut.csv.gz", gzip.compress(b"user_id,item_id\n1,2\n")[:-9]),
            r"cut.csv.gz: cannot be",
        ),
        (
            bad_file(tmp_path, "nul.csv", b"user_id,item_id\n1,2\n,3\n"),
            r"nul.csv: column 'user_id', data row 2: no value",
        ),
        (tmp_path / "no*.parquet", r"no file matches this pattern"),
    ]
    for source, words in cases:
        with pytest.raises(InteractionsError, match=words):
            Interactions.read(source)
    (tmp_path / "bare").mkdir()
    with pytest.raises(InteractionsError, match=r"bare: this folder holds no .parquet file"):
        Interactions.read(tmp_path / "bare")


@pytest.mark.parametrize(
    ("times", "order"),
    [
        (["2020-01-02", "2020-01-01"], [1, 0]),
        (["2020-01-01T10:00:00Z", "2020-01-01T09:00:00Z"], [1, 0]),
        (["2020-01-01 10:00:00", "2020-01-01 10:00:01"], [0, 1]),
        (["12", "3"], [1, 0]),
        (["1.5", "2"], [0, 1]),
    ],
)
def test_timestamps_may_be_numbers_or_dates_in_text(times, order):
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": times})
    assert np.argsort(Interactions.from_frame(log).timestamps.to_physical()).tolist() == order


@pytest.mark.parametrize("times", [["2020-01-02", "yesterday"], ["12", "soon"], ["never", "never"]])
def test_text_that_is_no_time_is_refused(times):
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": times})
    with pytest.raises(InteractionsError, match=r"'timestamp', row \d: '.*' is neither a number nor a date"):
        Interactions.from_frame(log, columns=Columns(timestamp="timestamp"))
    clicks = Interactions.from_frame(log)  # nobody named the column: it is left out, and why is told
    assert clicks.timestamps is None
    assert "is neither a number nor a date" in clicks.untimed


def test_pandas_column_of_mixed_types_is_refused():
    with pytest.raises(InteractionsError, match="a column of mixed types"):
        Interactions.from_frame(pd.DataFrame({"user_id": [1, "a"], "item_id": [1, 2]}))


def test_files_of_one_folder_must_agree(tmp_path):
    pl.DataFrame({"user_id": [1], "item_id": [2]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"user_id": [1], "item_id": [2], "weight": [3]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(InteractionsError, match=r"a.parquet: column 'weight' is missing.*b.parquet has it"):
        Interactions.read(tmp_path)
    pl.DataFrame({"user_id": [1], "item_id": [2], "timestamp": [3]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(InteractionsError, match=r"a.parquet: column 'timestamp' is missing"):
        Interactions.read(tmp_path, columns=Columns(timestamp="timestamp"))
    assert "a.parquet: column 'timestamp' is missing" in Interactions.read(tmp_path).untimed


def test_pandas_nan_in_an_id_is_seen():
    frame = pd.DataFrame({"user_id": [1.0, np.nan], "item_id": [1, 2]})
    with pytest.raises(InteractionsError, match="'user_id', row 2"):
        Interactions.from_frame(frame)


def test_arrow_null_is_seen():
    with pytest.raises(InteractionsError, match="'item_id', row 1"):
        Interactions.from_frame(pa.table({"user_id": [1], "item_id": pa.array([None], pa.int64())}))


def test_a_stored_log_comes_back_as_it_was(tmp_path):
    frame = pl.DataFrame(
        {"user_id": ["b", "a", "b"], "item_id": [3, 1, 1], "timestamp": [5, 6, 7], "weight": [1.0, 2.5, 1.0]}
    )
    log = Interactions.from_frame(frame)
    log.store(tmp_path / "log")
    for again in (Interactions.open(tmp_path / "log"), Interactions.read(tmp_path / "log")):
        assert again.to_frame().equals(log.to_frame())
    with pytest.raises(InteractionsError, match="holds no ratings"):
        Interactions.read(tmp_path / "log", min_rating=4)


def test_why_a_log_has_no_times_is_stored_with_it(tmp_path):
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": ["never", "never"]})
    clicks = Interactions.from_frame(log)
    clicks.store(tmp_path / "log")
    opened = Interactions.read(tmp_path / "log")
    assert opened.untimed == clicks.untimed
    with pytest.raises(SplitError, match=r"leave-one-out needs times, but .*'never' is neither"):
        leave_one_out(opened)


def test_a_stored_log_has_no_column_of_weights_to_name(tmp_path):
    Interactions.from_frame(pl.DataFrame({"user_id": [1], "item_id": [1]})).store(tmp_path / "log")
    with pytest.raises(InteractionsError, match="holds its weights already; leave out the weight column 'n'"):
        Interactions.read(tmp_path / "log", columns=Columns(weight="n"))


def test_a_damaged_stored_log_is_refused(tmp_path):
    log = Interactions.from_frame(pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2]}))
    log.store(tmp_path / "log")
    data = next((tmp_path / "log").glob("data-*.npy"))
    whole = data.read_bytes()
    data.write_bytes(whole[:-2])
    with pytest.raises(InteractionsError, match=r"no whole stored log .*store it again"):
        Interactions.open(tmp_path / "log")
    data.unlink()
    with pytest.raises(InteractionsError, match="store it again"):
        Interactions.open(tmp_path / "log")


@pytest.mark.parametrize(
    "least", ["4", [4], float("nan"), 10**400, True], ids=lambda least: type(least).__name__
)
def test_a_rating_that_is_no_number_is_refused_before_reading(least):
    with pytest.raises(ParameterError, match="min_rating must be a number"):
        Interactions.from_frame(
            pl.DataFrame({"user_id": [1], "item_id": [1], "rating": [5]}), min_rating=least
        )


@pytest.mark.parametrize(
    "values", [np.array([1e17, 2e17]), np.array([2**24, 5], np.float32)], ids=["64", "32"]
)
def test_ids_of_broken_numbers_are_refused_where_they_may_have_run_together(values):
    matrix = csr_array(np.eye(2, dtype=np.float32))
    with pytest.raises(InteractionsError, match=r"user_ids: .* several ids may have become one"):
        Interactions.from_csr(matrix, user_ids=values)
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": values})
    with pytest.raises(InteractionsError, match=r"column 'item_id': .* give ids as whole numbers or text"):
        Interactions.from_frame(frame)
