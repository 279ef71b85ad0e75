"""Public data sets by name: one file each, and one line here."""

from isotherm.data.datasets.catalogue import Dataset, LoadedDataset
from isotherm.data.datasets.ml_100k import ML_100K
from isotherm.errors import DatasetError

CATALOGUE: dict[str, Dataset] = {dataset.name: dataset for dataset in (ML_100K,)}

__all__ = ["CATALOGUE", "Dataset", "LoadedDataset", "dataset"]


def dataset(name: str) -> Dataset:
    """The data set of this name. Raises DatasetError that lists the names."""
    if name not in CATALOGUE:
        raise DatasetError(f"there is no data set {name!r}; the catalogue has {', '.join(CATALOGUE)}")
    return CATALOGUE[name]
