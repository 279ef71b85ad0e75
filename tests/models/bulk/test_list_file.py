"""Lists as one file: a block at a time, whole or not at all."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from isotherm.models.bulk.list_file import write_list_file

IDS = {
    "text": ["a", "é\u200f<b>", "c" * 1000],
    "numbers": pl.Series([1, 2, 2**63], dtype=pl.UInt64),
    "small": pl.Series([1, 2, 3], dtype=pl.Int8),
    "binary": [b"a", b"\x00", b""],
    "dates": [date(2024, 1, n) for n in (1, 2, 3)],
    "times": [datetime(2024, 1, n, 12) for n in (1, 2, 3)],
    "spans": [timedelta(days=n) for n in (1, 2, 3)],
    "decimals": [Decimal("1.5"), Decimal("2.5"), Decimal("3.5")],
    "categories": pl.Series(["x", "y", "x"], dtype=pl.Enum(["x", "y"])),
}


@pytest.mark.parametrize("kind", IDS)
def test_ids_of_any_type_come_back(tmp_path, kind):
    lists = pl.DataFrame({"user_id": IDS[kind], "rank": pl.Series([1, 2, 3], dtype=pl.Int32)})
    write_list_file(tmp_path / "recs.parquet", [lists[:2], lists[2:], lists[:0]])
    found = pl.read_parquet(tmp_path / "recs.parquet")
    assert found.equals(lists)
    assert found.schema == lists.schema


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_an_error_between_blocks_leaves_the_old_file(tmp_path, suffix):
    def blocks():
        yield pl.DataFrame({"a": [1]})
        raise ValueError("later")

    path = tmp_path / f"recs{suffix}"
    path.write_text("old")
    with pytest.raises(ValueError, match="later"):
        write_list_file(path, blocks())
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
