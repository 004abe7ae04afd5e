"""Runs read through MLflow's client: slower, and all there is where the store is a server."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import pandas as pd

from lab.errors import LabError
from lab.tracking import store
from lab.tracking.tables import RunTable, history_table, run_table

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUNS_PER_CALL = 1_000
EXPERIMENTS_PER_CALL = 100
P = ParamSpec("P")
R = TypeVar("R")


def _told(method: Callable[P, R]) -> Callable[P, R]:
    """The method with MLflow's errors in one line."""

    @wraps(method)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        from mlflow.exceptions import MlflowException

        try:
            return method(*args, **kwargs)
        except MlflowException as error:
            address = store.without_password(store.tracking_uri())
            reason = str(error).partition("\n")[0][:200]
            raise LabError(f"the store {address} does not answer: {reason}") from None

    return told


class ClientTables:
    """Reads any store that MLflow's client can read."""

    def __init__(self, client: "MlflowClient"):
        self._client = client

    @_told
    def runs(self, ids: Collection[str] | None = None, archived: bool = False) -> RunTable:
        """All runs, or those of these ids; the archived ones instead where asked for."""
        names = self._experiments()
        found = list(self._search(names, archived, "" if ids is None else _filter(ids)))
        return run_table(
            [_info(run, names) for run in found],
            [(run.info.run_id, *entry) for run in found for entry in run.data.params.items()],
            [(run.info.run_id, *entry) for run in found for entry in run.data.tags.items()],
            [
                (run.info.run_id, metric.key, metric.value, metric.timestamp, metric.value != metric.value)
                for run in found
                for metric in run.data._metric_objs  # the only place where the time of a value stands
            ],
        )

    @_told
    def states(self) -> pd.DataFrame:
        """The columns name, status and ended of all runs; MLflow's client knows no smaller question than all."""
        names = self._experiments()
        rows = [_info(run, names) for run in self._search(names, False, "")]
        frame = pd.DataFrame(
            [(row[0], row[1], row[3], row[5]) for row in rows], columns=["run", "name", "status", "ended"]
        )
        return frame.set_index("run").astype({"ended": "float64"})

    @_told
    def histories(
        self, ids: Sequence[str], metrics: Sequence[str], since: Mapping[str, int] | None = None
    ) -> pd.DataFrame:
        """Every recorded value of these metrics of these runs, or only those recorded since a time."""
        earliest = since or {}
        return history_table(
            (run, name, point.step, point.timestamp, point.value, point.value != point.value)
            for run in ids
            for name in metrics
            for point in self._client.get_metric_history(run, name)
            if point.timestamp >= earliest.get(run, 0)
        )

    def _experiments(self) -> dict[str, str]:
        from mlflow.entities import ViewType

        names: dict[str, str] = {}
        token = None
        while True:
            page = self._client.search_experiments(ViewType.ALL, max_results=1_000, page_token=token)
            names |= {each.experiment_id: each.name for each in page}
            if not (token := page.token):
                return names

    def _search(self, names: Mapping[str, str], archived: bool, filter_string: str) -> Iterator["Run"]:
        from mlflow.entities import ViewType

        view = ViewType.DELETED_ONLY if archived else ViewType.ACTIVE_ONLY
        every = list(names)
        for first in range(0, len(every), EXPERIMENTS_PER_CALL):
            some = every[first : first + EXPERIMENTS_PER_CALL]
            token = None
            while True:
                page = self._client.search_runs(some, filter_string, view, RUNS_PER_CALL, page_token=token)
                yield from page
                if not (token := page.token):
                    break


def _filter(ids: Collection[str]) -> str:
    return f"attributes.run_id IN ({', '.join(repr(each) for each in ids)})" if ids else "attributes.run_id = ''"


def _info(run: "Run", experiments: Mapping[str, str]) -> tuple[Any, ...]:
    info = run.info
    return info.run_id, info.run_name, experiments[info.experiment_id], info.status, info.start_time, info.end_time
