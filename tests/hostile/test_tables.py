# ruff: noqa: E501 (a case is a line)
"""Tables that people really have: ids of every type, times of every kind, files that spreadsheets wrote."""

import gzip
import os
import uuid

import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

H = "user_id,item_id\n"
T = "user_id,item_id,timestamp\n"
W = "user_id,item_id,weight\n"
LOG = "u1,i1\nu1,i2\nu2,i1\nu3,i2\nu3,i3\n"
MANY = ",".join(f"column_{n}" for n in range(5000))

#: name of the file, its bytes or text, what the refusal says
SPOILT = {
    "twice in the header": ("a.csv", "user_id,item_id,item_id\n1,2,3\n", "column 'item_id' stands twice in the"),
    "twice but for blanks": ("a.csv", "user_id,item_id, item_id\n1,2,3\n", "column 'item_id' stands twice in"),
    "twice, not even used": ("a.csv", "user_id,item_id,x,x\n1,2,3,4\n", "column 'x' stands twice in the header"),
    "twice in JSON": ("a.jsonl", '{"user_id":1,"user_id":2,"item_id":3}\n', "column 'user_id' stands twice"),
    "semicolons": ("a.csv", "user_id;item_id\n1;2\n", ["separated by semicolons, not commas", "save it with"]),
    "decimal commas": ("a.csv", "user_id;item_id;weight\n1;2;1,5\n", "separated by semicolons, not commas"),
    "tabs": ("a.csv", "user_id\titem_id\n1\t2\n", ["separated by tabs, not commas", "name it .tsv"]),
    "commas in TSV": ("a.tsv", H + "1,2\n", ["separated by commas, not tabs", "name it .csv"]),
    "bars": ("a.csv", "user_id|item_id\n1|2\n", "separated by bars, not commas"),
    "UTF-16": ("a.csv", (H + "1,2\n").encode("utf-16"), ["is no UTF-8 text (UTF-16)", "save it as UTF-8"]),
    "UTF-16 without a mark": ("a.csv", (H + "1,2\n").encode("utf-16-le"), "is no UTF-8 text"),
    "UTF-16 JSON": ("a.jsonl", '{"user_id":1}\n'.encode("utf-16"), "is no UTF-8 text (UTF-16)"),
    "Latin-1": ("a.csv", H.encode() + b"1,2\n1,caf\xe9\n", ["line 3 is no UTF-8 text", "café", "save the file"]),
    "Latin-1 header": ("a.csv", b"user_id,item_id,caf\xe9\n1,2,3\n", "line 1 is no UTF-8 text"),
    "Latin-1 JSON": ("a.jsonl", b'{"user_id":"\xe9","item_id":2}\n', "row 1: is no UTF-8 text"),
    "a row too long": ("a.csv", H + "1,2\n3,a, b\n", ["data row 2 (line 3) has 3 fields", "header has 2", "quotes"]),
    "too long, gzipped": ("a.csv.gz", gzip.compress((H + "1,2\n3,4,5\n").encode()), "data row 2 (line 3) has 3"),
    "an open quote": ("a.csv", H + '1,2\n1,"abc\n2,3\n', ["data row 2", "mend its quotes"]),
    "a quote mark alone": ("a.csv", H + '1,2\n1,5" disc\n2,3\n', ["data row 2 (line 3) holds a quote mark", 'like "5"" disc"']),
    "two quote marks alone": ("a.tsv", "user_id\titem_id\n1\t5\"\n2\t3\"\n", "data row 1 (line 2) holds a quote mark"),
    "ids that ran together": ("a.jsonl", '{"user_id":9007199254740993,"item_id":1}\n{"user_id":0.5,"item_id":2}\n',
                              ["column 'user_id': 9007199254740992 is more than Float64 counts to", "or text"]),
    "a short row": ("a.csv", H + "1,2\n1\n", "column 'item_id', data row 2: no value (null) in 1 of 2 rows"),
    "an empty id": ("a.csv", H + '1,2\n"",2\n', "column 'user_id', data row 2: no value (null)"),
    "old Mac lines": ("a.csv", H.replace("\n", "\r") + "1,2\r", "its lines end in CR alone"),
    "blank lines only": ("a.csv", "\n\n", "has no header"),
    "a header only": ("a.csv", H, "a.csv: has no rows"),
    "blank JSON": ("a.jsonl", "\n\n", "a.jsonl: has no rows"),
    "no bytes": ("a.csv", "", "the file is empty (0 bytes)"),
    "no header": ("a.csv", "1,2\n3,4\n", "column 'user_id' is missing; the columns are 1, 2. Name yours with"),
    "5,000 columns": ("a.csv", MANY + "\n" + MANY + "\n", "column_5 and 4,994 more. Name yours with"),
    "names that cannot be seen": ("a.csv", "a\x07b,\u202ec\n1,2\n", r"the columns are 'a\x07b', '\u202ec'"),
    "a name almost right": ("a.csv", "a,b,c,d,e,f,g,User_Id,item_id\n" + "1," * 8 + "1\n", "columns are User_Id, a"),
    "a zip": ("a.csv", b"PK\x03\x04\x14\x00\x06\x00", "is no UTF-8 text"),
    "half a gzip": ("a.csv.gz", gzip.compress((H + "1,2\n" * 999).encode())[:-9], "is it whole?"),
    "a list for an id": ("a.jsonl", '{"user_id":[1],"item_id":2}\n', "List(Int64) cannot be an id"),
    "a list in one row": ("a.jsonl", '{"user_id":1}\n{"user_id":[1]}\n', "row 2: column 'user_id' holds a list"),
    "NaN in JSON": ("a.jsonl", '{"user_id":1,"item_id":NaN}\n', "row 1: not a JSON object (NaN is no JSON; write"),
    "a JSON array": ("a.jsonl", '[{"user_id":1,"item_id":2}]', "write one object a line"),
    "deep JSON": ("a.jsonl", '{"a":' + "[" * 10**5 + "]" * 10**5 + "}", "row 1: not a JSON object"),
    "1e39": ("a.csv", W + "1,1,1\n2,2,1e39\n", ["'weight', data row 2: 1e+39 is beyond what a weight can be"]),
    "1e-46": ("a.csv", W + "1,1,1e-46\n", "1e-46 is beyond what a weight can be"),
    "two of 3e38": ("a.csv", W + "1,7,3e38\n1,7,3e38\n", ["user 1, item 7: the sum of weights 6e+38 is beyond"]),
    "a weight of 0": ("a.csv", W + "1,1,0\n", "a weight must be above 0"),
    "a weight in words": ("a.csv", W + "1,1,1\n1,2,much\n", "column 'weight', data row 2: 'much' is not a finite"),
    "a decimal comma": ("a.csv", W + '1,1,"1,5"\n', "'1,5' is not a finite number"),
    "a weight of NA": ("a.csv", W + "1,1,NA\n", "column 'weight', data row 1: no value (null)"),
    "a list as weight": ("a.jsonl", '{"user_id":1,"item_id":2,"weight":[1]}\n', "'weight': List(Int64) is no number"),
    "day or month first": ("a.csv", T + "1,1,01/02/2026\n", ["'01/02/2026' has the day or the month first",
                                                            "write dates as 2026-01-31"]),
    "day first for certain": ("a.csv", T + "1,1,31.01.2026\n", "has the day or the month first"),
    "dates and numbers": ("a.csv", T + "1,1,2026-01-31\n1,2,1700000000\n", "'1700000000' is a number where others are"),
    "with and without a zone": ("a.csv", T + "1,1,2026-01-31T10:00Z\n1,2,2026-01-31T10:00\n", "names no time zone"),
    "seconds and milliseconds": ("a.csv", T + "1,1,1700000000\n1,2,1700000000000\n", "write all times of a log in one"),
}  # fmt: skip


def put(desk, name, content):
    (desk / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def fit(*arguments, model="popularity"):
    return ("fit", "--model", model, "--out", "model", *arguments)


@pytest.mark.parametrize("case", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_log_is_refused_by_file_column_and_row(isotherm, desk, case):
    name, content, says = case
    put(desk, name, content)
    isotherm.refuses(*fit("--interactions", name), says=[name, *([says] if isinstance(says, str) else says)])


#: two files of one log, what the refusal says
APART = {
    "milliseconds and dates": (T + "1,1,1700000000000\n", T + "1,2,2026-01-31\n", ["1.csv", "0.csv", "in one way"]),
    "milliseconds and seconds": (T + "1,1,1700000000000\n", T + "1,2,1700000000\n", "seconds (1700000000 in 1.csv)"),
    "zones in one": (T + "1,1,2026-01-31T10:00Z\n", T + "1,2,2026-01-31T10:00\n", "times without a zone"),
    "weights in one": (W + "1,1,2\n", H + "1,2\n", ["1.csv: column 'weight' is missing", "0.csv has it"]),
    "a name twice in the second": (H + "1,1\n", "user_id,item_id,item_id\n1,1,1\n", "1.csv: column 'item_id' stands"),
    "no items in the second": (H + "1,1\n", "user_id,item\n1,1\n", "1.csv: column 'item_id' is missing"),
}  # fmt: skip


@pytest.mark.parametrize("case", APART.values(), ids=APART)
def test_files_that_are_no_one_log_are_refused(isotherm, desk, case):
    for number, content in enumerate(case[:2]):
        put(desk, f"{number}.csv", content)
    isotherm.refuses(*fit("--interactions", "[01].csv"), says=case[2])


ASKED = {
    "no such weight": (["--weight-column", "nosuch"], "column 'nosuch' is missing; the columns are"),
    "its usual name, asked for": (["--weight-column", "weight"], "column 'weight' is missing"),
    "no such time": (["--timestamp-column", "when"], "column 'when' is missing"),
    "no such rating": (["--rating-column", "stars"], "column 'stars' is missing"),
    "one for user and item": (["--user-column", "item_id"], "'item_id' is named as both user and item"),
    "an id as weight": (["--weight-column", "user_id"], "'user_id' is named as both user and weight"),
}


@pytest.mark.parametrize("case", ASKED.values(), ids=ASKED)
def test_a_column_that_is_named_must_be_there_and_have_one_role(isotherm, case):
    isotherm.refuses(*fit("--interactions", "clicks.parquet", *case[0]), says=case[1])


UNASKED = {
    "a rating in words": "rating\n1,1,good\n1,2,bad\n",
    "a rating that is NaN": "rating\n1,1,NaN\n1,2,3\n",
    "no rating": "rating\n1,1,\n1,2,3\n",
    "a time in words": "timestamp\n1,1,soon\n1,2,3\n",
    "no time": "timestamp\n1,1,\n1,2,3\n",
    "a time that is NaN": "timestamp\n1,1,nan\n1,2,3\n",
    "a note of 5": "note\n1,1,5\n1,2,abc\n",
}


@pytest.mark.parametrize("content", UNASKED.values(), ids=UNASKED)
def test_a_column_that_nobody_asked_for_never_stops_reading(isotherm, desk, content):
    column = content.split("\n")[0]
    put(desk, "a.csv", "user_id,item_id," + content)
    done = isotherm.succeeds(*fit("--interactions", "a.csv"))
    assert ("read without times: a.csv: column 'timestamp', data row 1" in done.err) == (
        column == "timestamp"
    )
    if column != "note":
        isotherm.refuses(*fit("--interactions", "a.csv", f"--{column}-column", column), says="data row 1: ")


@pytest.mark.parametrize("protocol", ["leave-one-out", "temporal", "ramp-up"])
def test_a_protocol_that_needs_times_says_why_there_are_none(isotherm, desk, protocol):
    put(desk, "a.csv", T + "".join(f"u{n % 5},i{n % 7},{'soon' if n == 3 else n}\n" for n in range(35)))
    ask = ("evaluate", "--interactions", "a.csv", "--protocol", protocol, "--models", "popularity")
    isotherm.refuses(
        *ask,
        says=[
            "needs times, but those of this log could not be read: a.csv: column 'timestamp', data row 4: 'soon'"
        ],
    )
    isotherm.succeeds(*ask[:3], "--protocol", "strong", *ask[5:])


def test_sources_that_are_no_files_are_called_what_they_are(isotherm, desk):
    os.mkfifo(desk / "pipe.csv")
    os.symlink("gone.csv", desk / "link.csv")
    (desk / "sheets").mkdir()
    put(desk, "sheets/a.csv", H + "1,2\n")
    (desk / "parts").mkdir()
    os.symlink("gone.parquet", desk / "parts" / "b.parquet")
    says = {
        "pipe.csv": "pipe.csv: is a pipe, not a file",
        "link.csv": "link.csv: is a link to gone.csv, which is not there",
        "parts": "b.parquet: is a link to gone.parquet, which is not there",
        "sheets": "this folder holds no .parquet file; name other files with a pattern",
        "/dev/null": "is a device or socket, not a file",
        "x" * 300 + ".csv": "ile name too long",
        "no*.csv": "no file matches this pattern",
    }
    for source, words in says.items():
        isotherm.refuses(*fit("--interactions", source), says=words)


def test_file_names_of_any_bytes_can_be_read_and_are_shown(isotherm, desk):
    name = os.fsdecode(b"caf\xe9")
    for suffix, content in ((".csv", H + LOG), (".jsonl", '{"user_id":1,"item_id":2}\n')):
        put(desk, name + suffix, content)
    pl.read_csv(H.encode() + LOG.encode()).write_parquet(desk / "a.parquet")
    os.rename(desk / "a.parquet", desk / (name + ".parquet"))
    for suffix in (".csv", ".jsonl", ".parquet"):
        isotherm.succeeds(*fit("--interactions", name + suffix))
    put(desk, name + ".csv", "user,item_id\n1,2\n")
    isotherm.refuses(
        *fit("--interactions", name + ".csv"), says=r"caf\udce9.csv: column 'user_id' is missing"
    )
    put(desk, "two\nlines.csv", "user,item_id\n1,2\n")
    isotherm.refuses(*fit("--interactions", "two\nlines.csv"), says=r"two\nlines.csv: column 'user_id'")


def numbered(desk, name, users="12", items="123"):
    """A CSV log whose ids are all digits."""
    put(desk, name, H + "".join(f"{user},{item}\n" for user in users for item in items))


def recommended(isotherm, desk, *arguments):
    isotherm.succeeds("recommend", "--model", "model", "--out", "out.parquet", "-k", "9", *arguments)
    return pl.read_parquet(desk / "out.parquet")


def test_one_file_of_digits_beside_one_with_a_letter(isotherm, desk):
    """--items, --users, --candidates and --new-items each hold an id that is no number; the log has none."""
    numbered(desk, "log.csv")
    put(desk, "items.csv", "item_id,genre\n1,war\n2,war\n3,ice\nA40,ice\n")
    put(desk, "users.csv", "user_id\n2\n1\n")
    put(desk, "some.csv", "item_id\n2\nA40\n")
    put(desk, "new.csv", "item_id,genre\nB7,war\n99,ice\n")
    isotherm.succeeds(*fit("--interactions", "log.csv", "--items", "items.csv", model="content-knn"))
    lists = recommended(isotherm, desk, "--users", "users.csv", "--candidates", "some.csv", "--include-seen")
    assert lists["user_id"].to_list() == [2, 2, 1, 1]
    assert set(lists["item_id"]) == {"2", "A40"}
    lists = recommended(isotherm, desk, "--all", "--new-items", "new.csv")
    assert set(lists["item_id"]) == {"A40", "B7", "99"}
    isotherm.succeeds(*fit("--interactions", "log.csv", model="ease"))
    assert set(recommended(isotherm, desk, "--users", "users.csv", "--include-seen")["item_id"]) == {1, 2, 3}
    put(desk, "users.csv", "user_id\n2\nann\n")
    isotherm.refuses(
        "recommend",
        "--model",
        "model",
        "--out",
        "o.csv",
        "--users",
        "users.csv",
        says="unknown user id: 'ann'",
    )


def test_a_split_whose_test_holds_a_letter(isotherm, desk):
    numbered(desk, "train.csv", "123", "12")
    numbered(desk, "test.csv", "123", "3A")
    numbered(desk, "valid.csv", "123x", "B")
    ask = (
        "evaluate",
        "--train",
        "train.csv",
        "--test",
        "test.csv",
        "--valid",
        "valid.csv",
        "--json",
        "e.json",
    )
    isotherm.succeeds(*ask, "--models", "popularity")


def test_digits_from_parquet_stay_text_and_from_csv_are_numbers(isotherm, desk):
    put(desk, "users.csv", "user_id\n1\n")
    pl.DataFrame({"user_id": ["1", "1", "2"], "item_id": ["7", "8", "7"]}).write_parquet(desk / "log.parquet")
    isotherm.succeeds(*fit("--interactions", "log.parquet"))
    lists = recommended(isotherm, desk, "--users", "users.csv", "--include-seen")
    assert lists.rows() == [("1", "7", 2.0, 1), ("1", "8", 1.0, 2)]
    put(desk, "log.csv", H + "1,7\n1,8\n2,7\n")
    isotherm.succeeds(*fit("--interactions", "log.csv"))
    lists = recommended(isotherm, desk, "--users", "users.csv", "--include-seen")
    assert lists.rows() == [(1, 7, 2.0, 1), (1, 8, 1.0, 2)]


def test_words_for_nothing_are_ids_like_others(isotherm, desk):
    words = ["NA", "null", "None", "nan", "-0", "007", "+1", "1e3"]
    put(desk, "log.csv", H + "".join(f"{word},{word}\n" for word in words))
    put(desk, "users.csv", "user_id\n" + "\n".join(words) + "\n")
    isotherm.succeeds(*fit("--interactions", "log.csv"))
    lists = recommended(isotherm, desk, "--users", "users.csv", "--include-seen")
    assert lists["user_id"].unique(maintain_order=True).to_list() == words
    assert set(lists["item_id"]) == set(words)


def test_uuids_of_parquet_come_back_as_their_text(isotherm, desk):
    ids = [uuid.UUID(int=n) for n in (5, 9)]
    table = pa.table({"user_id": pa.array([one.bytes for one in ids], pa.uuid()), "item_id": [1, 2]})
    pyarrow.parquet.write_table(table, desk / "log.parquet")
    put(desk, "users.csv", f"user_id\n{ids[1]}\n")
    isotherm.succeeds(*fit("--interactions", "log.parquet"))
    lists = recommended(isotherm, desk, "--users", "users.csv", "--include-seen")
    assert lists["user_id"].unique().to_list() == [str(ids[1])]


def test_ids_that_a_format_cannot_hold_are_refused_before_the_work(isotherm, desk):
    pl.DataFrame({"user_id": [b"\xff", b"a"], "item_id": [1, 2]}).write_parquet(desk / "log.parquet")
    isotherm.succeeds(*fit("--interactions", "log.parquet"))
    assert recommended(isotherm, desk, "--all", "--include-seen")["user_id"].unique().len() == 2
    for name in ("o.csv", "o.jsonl"):
        isotherm.refuses(
            "recommend",
            "--model",
            "model",
            "--all",
            "--out",
            name,
            says="ids of type Binary cannot be written",
        )


def test_a_folder_whose_files_differ_in_the_type_of_ids_is_read_as_text(isotherm, desk):
    (desk / "log").mkdir()
    pl.DataFrame({"user_id": [1, 2], "item_id": [5, 5]}).write_parquet(desk / "log" / "a.parquet")
    pl.DataFrame({"user_id": ["1", "x"], "item_id": [6, 6]}).write_parquet(desk / "log" / "b.parquet")
    isotherm.succeeds(*fit("--interactions", "log"))
    assert set(recommended(isotherm, desk, "--all", "--include-seen")["user_id"]) == {"1", "2", "x"}
    dates = pl.DataFrame({"user_id": ["2026-01-31"], "item_id": [6]}).with_columns(
        pl.col("user_id").str.to_date()
    )
    dates.write_parquet(desk / "log" / "b.parquet")
    isotherm.refuses(
        *fit("--interactions", "log"), says=["b.parquet", "ids of type Int64 and ids of type Date"]
    )


ITEMS = {
    "a date in two ways": (
        "item_id,born\n1,01/02/2026\n",
        ["--kind", "born=number"],
        "day or the month first",
    ),
    "no id": ("item_id,x\n1,2\n,3\n", [], "column 'item_id', data row 2: no value (null)"),
    "an id twice": ("item_id,x\n1,2\n1,3\n", [], "item 1 stands in rows 1, 2; keep one row per item"),
    "a name twice": ("item_id,x,x\n1,2,3\n", [], "column 'x' stands twice in the header"),
    "semicolons": ("item_id;x\n1;2\n", [], "separated by semicolons, not commas"),
    "5,000 columns": (MANY + "\n" + MANY + "\n", [], "and 4,994 more"),
    "a kind of no column": (
        "item_id,x\n1,2\n",
        ["--kind", "y=text"],
        "column 'y' is missing; the columns are",
    ),
}


@pytest.mark.parametrize("case", ITEMS.values(), ids=ITEMS)
def test_a_spoilt_item_table_is_refused(isotherm, desk, case):
    put(desk, "log.csv", H + "1,1\n")
    put(desk, "t.csv", case[0])
    isotherm.refuses(*fit("--interactions", "log.csv", "--items", "t.csv", *case[1]), says=["t.csv", case[2]])


def test_an_item_table_of_ids_alone_is_the_catalogue(isotherm, desk):
    numbered(desk, "log.csv")
    put(desk, "ids.csv", "item_id\n" + "\n".join("123456") + "\n")
    told = isotherm.succeeds(*fit("--interactions", "log.csv", "--items", "ids.csv", model="ease"))
    assert "6 items; no fields" in told.err
    assert set(recommended(isotherm, desk, "--all")["item_id"]) == {4, 5, 6}
    isotherm.refuses(
        *fit("--interactions", "log.csv", "--items", "ids.csv", model="content-knn"),
        says="the item table has no field with a value",
    )
    evaluated = ("evaluate", "--interactions", "log.csv", "--items", "ids.csv", "--protocol", "strong")
    isotherm.succeeds(*evaluated, "--models", "popularity,ease", "--holdout", "0.5")
