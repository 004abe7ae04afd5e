"""What nothing public of Optuna does: changes of many trials in one transaction and in few statements.

Tests: TestOptunasInternals. Optuna's own calls read a trial twice for each value that they write.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import TrialState

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from sqlalchemy import Connection


class Changes:
    """What is said about trials in training (by their ids in the database), until it is written."""

    def __init__(self) -> None:
        # By table, and by trial and key: of two values the later one counts.
        self._rows: dict[Any, dict[tuple[int, Any], dict[str, Any]]] = {}
        self._replaced: dict[Any, list[dict[str, Any]]] = {}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def param(self, trial: int, name: str, internal: float, distribution: BaseDistribution, replaces: bool) -> None:
        """A parameter of a trial."""
        values = {"param_value": internal, "distribution_json": distribution_to_json(distribution)}
        self._put(models.TrialParamModel, trial, "param_name", name, values, replaces)

    def report(self, trial: int, step: int, value: float, replaces: bool) -> None:
        """An intermediate value of a trial."""
        stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
        values = {"intermediate_value": stored, "intermediate_value_type": kind}
        self._put(models.TrialIntermediateValueModel, trial, "step", step, values, replaces)

    def user_attribute(self, trial: int, key: str, value: Any, replaces: bool) -> None:
        """An attribute of a trial."""
        values = {"value_json": json.dumps(value)}
        self._put(models.TrialUserAttributeModel, trial, "key", key, values, replaces)

    def system_attribute(self, trial: int, key: str, value: Any, replaces: bool) -> None:
        """An attribute of a trial that Optuna uses."""
        values = {"value_json": json.dumps(value)}
        self._put(models.TrialSystemAttributeModel, trial, "key", key, values, replaces)

    def _put(self, model: Any, trial: int, by: str, key: Any, values: dict[str, Any], replaces: bool) -> None:
        self._rows.setdefault(model, {})[trial, key] = {"trial_id": trial, by: key, **values}
        if replaces:
            self._replaced.setdefault(model, []).append({"of": trial, "by": key})

    def write(self, connection: "Connection", checked: int | None = None) -> None:
        """Write them, a statement for each table; raises UpdateFinishedTrialError or KeyError as Optuna does.

        Whether the trial `checked` can be changed is found out by another statement of the transaction.
        """
        from sqlalchemy import bindparam

        if not self._rows:
            return
        _check_unfinished(
            connection, {trial for rows in self._rows.values() for trial, _ in rows}.difference({checked})
        )
        for model, rows in self._rows.items():
            table = model.__table__
            if replaced := self._replaced.get(model):
                key = table.c[list(next(iter(rows.values())))[1]]
                old = (table.c.trial_id == bindparam("of")) & (key == bindparam("by"))
                connection.execute(table.delete().where(old), replaced)
            connection.execute(table.insert(), list(rows.values()))


def _check_unfinished(connection: "Connection", trials: set[int]) -> None:
    from sqlalchemy import select

    if not trials:
        return
    table: Any = models.TrialModel.__table__
    found = connection.execute(select(table.c.trial_id, table.c.state).where(table.c.trial_id.in_(trials))).all()
    if missing := trials - {trial for trial, _ in found}:
        raise KeyError(f"No trial with trial_id {missing.pop()} exists.")
    if ended := [trial for trial, state in found if state not in (TrialState.RUNNING, TrialState.WAITING)]:
        raise UpdateFinishedTrialError(f"The trial with trial_id {ended[0]} has ended.")


def create_trial(database: RDBStorage, study: int, template: "FrozenTrial | None") -> tuple[int, int]:
    """Store a trial; its id and number, for which the public way reads all of it again."""
    trial = database._create_new_trial(study, template)
    return stored_id(trial), trial.number


def stored_id(trial: "FrozenTrial") -> int:
    """The id of a trial in the storage that it was read from."""
    return trial._trial_id


@contextmanager
def joined(database: RDBStorage, connection: "Connection") -> Iterator[None]:
    """Let all calls of a database take part in the transaction of a connection."""
    from sqlalchemy.orm import scoped_session, sessionmaker

    sessions = database.scoped_session
    database.scoped_session = scoped_session(sessionmaker(bind=connection))
    try:
        yield
    finally:
        database.scoped_session = sessions
