"""Experiments in the database: the plan of each, and the arm in which each user was shown the first list."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select

from isotherm.errors import ParameterError
from isotherm.experiment.plan import Experiment, check_change, experiment_of, plan_of
from isotherm.serving.database import tables
from isotherm.serving.database.connections import reading, writing
from isotherm.serving.database.moments import microseconds, now
from isotherm.serving.database.quick_reads import QuickReads
from isotherm.serving.database.stored_ids import Id, stored_id


@dataclass(frozen=True)
class Assigned:
    """The arm of a user's first exposure.  reason: hash or override.  weights: which ones chose it."""

    experiment: str
    arm: str
    reason: str
    weights: int = 1


class ExperimentTables:
    """Plans, and the arms of users: once a user's arm is kept, it stays."""

    def __init__(self, engine: Engine, reads: QuickReads) -> None:
        self._engine, self._reads = engine, reads

    def declare(self, experiment: Experiment, at: float) -> int:
        """Keep a plan; how many times the weights of its arms were set until now.

        at: seconds since 1970. Raises ParameterError where it would move users of a plan that is kept.
        """
        table, plan = tables.experiments, json.dumps(plan_of(experiment))
        with writing(self._engine) as connection:
            insert = tables.upsert(connection, table).on_conflict_do_nothing(index_elements=["experiment"])
            first = {"experiment": experiment.name, "plan": plan, "weights": 1}
            connection.execute(insert, {**first, "changed_at": microseconds("now", now())})
            wanted = select(table).where(table.c.experiment == experiment.name).with_for_update()
            kept = connection.execute(wanted).one()
            if kept.plan == plan:
                return int(kept.weights)
            before = experiment_of(json.loads(kept.plan))
            if self._has_users(connection, experiment.name):
                check_change(before, experiment, at)
            weights = int(kept.weights) + (before.shares != experiment.shares)
            change = table.update().where(table.c.experiment == experiment.name)
            connection.execute(
                change.values(plan=plan, weights=weights, changed_at=microseconds("now", now()))
            )
        return weights

    def weights(self, experiment: str) -> int:
        """How many times the weights of an experiment's arms were set. Raises ParameterError for no plan."""
        table = tables.experiments
        with reading(self._engine) as connection:
            found = connection.scalar(select(table.c.weights).where(table.c.experiment == experiment))
        if found is None:
            raise ParameterError(f"experiment {experiment} is not declared in the database; declare it first")
        return int(found)

    def of_user(self, user: Id) -> dict[str, Assigned]:
        """Experiment -> the arm of a user's first exposure: cheap enough to ask before an answer."""
        kept = self._reads.arms(stored_id("user", user))
        return {experiment: Assigned(experiment, arm, reason) for experiment, arm, reason in kept}

    def assign(self, user: Id, assigned: Sequence[Assigned]) -> None:
        """Keep the arms of a user's first exposures; those that are kept stay as they are."""
        time, key = microseconds("now", now()), stored_id("user", user)
        rows = [
            {
                "experiment": each.experiment,
                "user": key,
                "arm": each.arm,
                "reason": each.reason,
                "weights": each.weights,
                "time": time,
            }
            for each in assigned
        ]
        with writing(self._engine) as connection:
            tables.hold_numbers(connection)
            insert = tables.upsert(connection, tables.assignments)
            connection.execute(insert.on_conflict_do_nothing(index_elements=["user", "experiment"]), rows)

    def counts(self, experiment: str) -> Mapping[str, int]:
        """Arm -> how many users were shown something in it."""
        table = tables.assignments
        by_arm = select(table.c.arm, func.count()).where(table.c.experiment == experiment)
        with reading(self._engine) as connection:
            return {arm: int(n) for arm, n in connection.execute(by_arm.group_by(table.c.arm))}

    def _has_users(self, connection: Connection, experiment: str) -> bool:
        table = tables.assignments
        one = select(table.c.number).where(table.c.experiment == experiment).limit(1)
        return connection.scalar(one) is not None
