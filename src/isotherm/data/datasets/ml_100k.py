"""MovieLens-100K: 943 people rated 1,682 films in 1997-98; titles, years and genres are known."""

import io
import zipfile
from pathlib import Path

import polars as pl

from isotherm.data.datasets.catalogue import Dataset, Source, Tables
from isotherm.data.datasets.fetch import download, download_from_package

_ADDRESS = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
_PACKAGE = "recbole==1.2.1"
_FOLDER = "recbole/dataset_example/ml-100k"
# u.item's last columns, in order (u.genre)
_GENRES = [
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
]  # fmt: skip
_CLICKS = {"user_id": pl.Int64, "item_id": pl.Int64, "rating": pl.Float64, "timestamp": pl.Int64}


def read_archive(folder: Path) -> Tables:
    """The owner's ml-100k.zip: u.data (tab-separated) and u.item (latin-1, «|»-separated)."""
    with zipfile.ZipFile(folder / "ml-100k.zip") as archive:
        ratings = archive.read("ml-100k/u.data")
        films = archive.read("ml-100k/u.item").decode("latin-1")
    clicks = pl.read_csv(ratings, separator="\t", has_header=False, schema=_CLICKS)
    raw = pl.read_csv(
        io.StringIO(films), separator="|", has_header=False, infer_schema=False, quote_char=None,
        new_columns=["item_id", "title", "released", "video", "address", *_GENRES],
    )  # fmt: skip
    year = pl.coalesce(
        pl.col("title").str.extract(r"\((\d{4})\)\s*$"), pl.col("released").str.extract(r"(\d{4})$")
    )
    genres = pl.concat_list([pl.when(pl.col(g) == "1").then(pl.lit(g)) for g in _GENRES]).list.drop_nulls()
    return clicks, raw.select(
        pl.col("item_id").cast(pl.Int64),
        title=pl.col("title").str.replace(r"\s*\(\d{4}\)\s*$", ""),
        year=year.cast(pl.Float64),
        genres=genres,
    )


def read_atomic(folder: Path) -> Tables:
    """The package's files ml-100k.inter and ml-100k.item (tab-separated; genres are space-separated)."""
    clicks = pl.read_csv(
        folder / "ml-100k.inter", separator="\t", skip_rows=1, has_header=False, schema=_CLICKS
    )
    raw = pl.read_csv(
        folder / "ml-100k.item", separator="\t", skip_rows=1, has_header=False, infer_schema=False,
        quote_char=None, new_columns=["item_id", "title", "year", "genres"],
    )  # fmt: skip
    return clicks, raw.select(
        pl.col("item_id").cast(pl.Int64),
        "title",
        pl.col("year").cast(pl.Float64, strict=False),
        pl.col("genres").str.split(" "),
    )


ML_100K = Dataset(
    name="ml-100k",
    title="MovieLens-100K",
    users=943,
    items=1682,
    clicks=100_000,
    licence="research use; not to be redistributed without permission",
    home="https://grouplens.org/datasets/movielens/100k/",
    cite="Harper and Konstan (2015), The MovieLens Datasets: History and Context, ACM TiiS 5(4)",
    kinds={"title": "text", "year": "number", "genres": "categories"},
    sources=(
        Source(
            description=f"the owner's download address {_ADDRESS}",
            files={"ml-100k.zip": "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"},
            fetch=lambda folder: download(_ADDRESS, folder / "ml-100k.zip"),
            read=read_archive,
        ),
        Source(
            description=f"the package {_PACKAGE} (only its data files)",
            files={
                "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
                "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
            },
            fetch=lambda folder: download_from_package(
                _PACKAGE, [f"{_FOLDER}/ml-100k.inter", f"{_FOLDER}/ml-100k.item"], folder
            ),
            read=read_atomic,
        ),
    ),
)
