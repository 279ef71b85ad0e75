"""What the parent does before any worker answers: the model is verified, the database opened and filled."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from isotherm.data import Items
from isotherm.errors import IsothermError, ParameterError, shown_path
from isotherm.experiment.plan import Experiment, experiment_of
from isotherm.models.base import Recommender
from isotherm.models.persistence import load
from isotherm.serving.database import Database, StoredItem
from isotherm.serving.shared.following import content_of
from isotherm.serving.workers.settings import ServerSettings

_BATCH = 5_000  # items of one change


def prepare(settings: ServerSettings, items: Path | None) -> list[str]:
    """Open the database, bring its tables to their newest form, and add items to it.

    items: a table; what of it neither the model nor the database knows goes to the database, and where the
    model holds no titles, all that the database does not know. Experiments are declared there. Returns what
    tells the models from others.
    Raises ModelFolderError, DatabaseError, ItemsError and ParameterError for what cannot be used.
    """
    experiments = [(shown_path(file), experiment_of(plan)) for file, plan in settings.experiments]
    contents = [content_of(folder) for folder in folders_of(settings)]
    model = load(settings.model, mapped=True, verify=False)
    with Database.open(settings.database, seconds=settings.limits.database_seconds) as database:
        if items is not None:
            _add(database, model, items)
        for file, experiment in experiments:
            _check_models(file, experiment, model)
        for file, experiment in experiments:
            _declare(database, file, experiment)
    return [content for content in contents if content is not None]


def folders_of(settings: ServerSettings) -> list[str]:
    """Those of the models that are served: the server's own, and those of arms."""
    arms = [arm for _, plan in settings.experiments for arm in experiment_of(plan).arms]
    return list(dict.fromkeys([settings.model, *(arm.model for arm in arms if arm.model is not None)]))


def _check_models(file: str, experiment: Experiment, own: Recommender) -> None:
    """Raises ParameterError where the model of an arm cannot be loaded, or has ids of another type."""
    for n, arm in enumerate(experiment.arms):
        if arm.model is None:
            continue
        key = f"{file}: arms[{n}].model"
        try:
            model = load(arm.model, mapped=True, verify=False)
        except IsothermError as cause:
            raise ParameterError(f"{key}: {cause}") from cause
        for what, theirs, ours in (
            ("users", model.users_, own.users_),
            ("items", model.items_, own.items_),
        ):
            if (theirs.values.dtype == pl.String) != (ours.values.dtype == pl.String):
                raise ParameterError(
                    f"{key}: its {what} are {theirs.values.dtype}, and those of the server's own model "
                    f"{ours.values.dtype}; name a model that was fitted on the same ids"
                )


def _declare(database: Database, file: str, experiment: Experiment) -> None:
    try:
        database.experiments.declare(experiment, time.time())
    except ParameterError as cause:
        raise ParameterError(f"{file}: {cause}") from cause


def verify(settings: ServerSettings) -> None:
    """Read the models as a whole and hold them against their SHA-256, so that workers need not.

    Raises ModelFolderError where one is damaged.
    """
    for folder in folders_of(settings):
        load(folder, mapped=True)


def _add(database: Database, model: Recommender, path: Path) -> None:
    """Add what is not known of an item table."""
    table = Items.read(path)
    known = {item.id for batch in _batches_of(database) for item in batch}
    if model.labels_.title_field is not None:
        known |= set(model.items_.values.to_list())
    new = [row for row in table.to_frame().to_dicts() if row["item_id"] not in known]
    for first in range(0, len(new), _BATCH):
        database.put_items([_stored(row) for row in new[first : first + _BATCH]])


def _batches_of(database: Database) -> Iterator[Sequence[StoredItem]]:
    """All items of which the database knows, deleted ones too."""
    version, more = 0, True
    while more:
        changes = database.items_changed_since(version)
        version, more = changes.version, changes.more
        yield changes.items


def _stored(row: dict[str, object]) -> StoredItem:
    metadata = {name: value for name, value in row.items() if name != "item_id" and value is not None}
    return StoredItem(row["item_id"], metadata)  # type: ignore[arg-type]
