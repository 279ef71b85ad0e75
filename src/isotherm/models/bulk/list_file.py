"""Lists as one file: written a block at a time under a temporary name, then put in place in one step."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import polars as pl

from isotherm.files import streamed, write_atomically

Lists = Iterable[pl.DataFrame]  #: one frame at least, all of one schema


def write_list_file(path: Path, blocks: Lists) -> None:
    """All lists as ``path``, whole or not at all; .parquet (a row group a block), .csv or .jsonl.

    Raises OutputError where it cannot be written, and what the blocks raise.
    """
    write = WRITERS[path.suffix]
    write_atomically(path, streamed(lambda stream: write(blocks, stream)))


def write_parquet(blocks: Lists, stream: BinaryIO) -> None:
    """Parquet, a row group for each block."""
    from pyarrow.parquet import ParquetWriter

    tables = (block.to_arrow(compat_level=pl.CompatLevel.oldest()) for block in blocks)
    first = next(tables)
    with ParquetWriter(stream, first.schema, compression="zstd") as writer:
        for table in chain([first], tables):
            writer.write_table(table, row_group_size=max(table.num_rows, 1))


def _write_csv(blocks: Lists, stream: BinaryIO) -> None:
    for number, block in enumerate(blocks):
        block.write_csv(stream, include_header=not number)


def _write_jsonl(blocks: Lists, stream: BinaryIO) -> None:
    for block in blocks:
        block.write_ndjson(stream)


#: ending of a file's name -> what writes it
WRITERS: Mapping[str, Callable[[Lists, BinaryIO], None]] = {
    ".parquet": write_parquet,
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
}
