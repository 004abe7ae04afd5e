"""Studies of a small experiment, and what they store."""

import optuna

from lab.config.experiment import load
from lab.studies import storage, study
from lab.studies.search import Counts
from lab.studies.study import Options, StudyResult
from lab.tracking import store


class NoProgress:
    """A Progress that shows nothing."""

    def searching(self, counts: Counts, running: int, best: tuple[int, float] | None) -> None: ...
    def confirming(self, done: int, total: int) -> None: ...
    def testing(self) -> None: ...


def run(name: str, *overrides: str, **options: object) -> StudyResult:
    chosen = Options(**({"trials": 4, "top": 1, "seeds": 2} | options))  # type: ignore[arg-type]
    return study.run(load(name, overrides), chosen, NoProgress())


def stored() -> optuna.Study:
    return optuna.load_study(study_name=None, storage=storage.address())


def children(kind: str) -> list:
    return store.client().search_runs(["1"], f"tags.`lab.kind` = '{kind}'")
