"""Studies, read from Optuna's storage, and their winners on fresh seeds. Read-only."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dashboard import selection
from dashboard.figures.parallel import parallel_coordinates
from lab.errors import LabError, without_password
from lab.studies import storage
from lab.tracking.reading.run_table import RunTable

if TYPE_CHECKING:
    from optuna import Study

VIEWS = ("history", "importance", "slices", "contour", "parallel", "intermediate values", "timeline")


def names() -> list[str]:
    """The names of all studies, the latest first; none without a storage. Raises LabError if it cannot be read."""
    if not _exists(storage.address()):
        return []
    return _query(lambda optuna, opened: list(reversed(optuna.study.get_all_study_names(opened))))


def load(name: str) -> "Study":
    """A study by its name; raises LabError."""
    return _query(lambda optuna, opened: optuna.load_study(study_name=name, storage=opened))


def _query(query: Callable[[Any, Any], Any]) -> Any:
    """The result of a function of the optuna module and the opened storage; raises LabError."""
    import optuna
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    storage.quiet_optuna()
    address = storage.address()
    if not _exists(address):
        raise LabError("no studies yet; `make study NAME=mlp TRIALS=20` makes one")
    try:
        return query(optuna, optuna.storages.RDBStorage(address, skip_table_creation=True))
    except KeyError:
        raise LabError("there is no such study; it may have been deleted") from None
    except (OptunaError, SQLAlchemyError, OSError, ImportError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise LabError(f"the study storage {without_password(address)} cannot be read: {reason}") from None


def _exists(address: str) -> bool:
    """Whether the storage may have studies: a file that is not there has none."""
    return not address.startswith("sqlite:///") or Path(address.removeprefix("sqlite:///")).exists()


def trials(study: "Study") -> pd.DataFrame:
    """All trials, one row each; durations in seconds."""
    frame = study.trials_dataframe(attrs=("number", "state", "value", "params", "duration"))
    if "duration" in frame:
        frame["duration"] = frame["duration"].dt.total_seconds()
    return frame.rename(columns=lambda name: name.removeprefix("params_"))


def runs_of_trials(table: RunTable, study: str) -> dict[int, str]:
    """The address of the run of each trial, by its number; of a trial that was run again, of the latest run."""
    tags = table.tags
    if not {"lab.kind", "lab.study", "lab.trial"} <= set(tags):
        return {}
    runs = tags.index[(tags["lab.kind"] == "trial") & (tags["lab.study"] == study)]
    numbers = pd.to_numeric(tags.loc[runs, "lab.trial"], errors="coerce").dropna()
    pairs = [(int(number), str(run)) for run, number in numbers.items()]
    return {number: selection.run_address(table, run) for number, run in reversed(pairs)}


def run_of_study(table: RunTable, study: str) -> str | None:
    """The run that stands for a study, the latest; None where there is none."""
    tags = table.tags
    if not {"lab.kind", "lab.study"} <= set(tags):
        return None
    return next(iter(tags.index[(tags["lab.kind"] == "study") & (tags["lab.study"] == study)]), None)


def metric_of_study(table: RunTable, study: str) -> str:
    """The metric that a study optimizes, as its run recorded it; empty where there is no such record."""
    run = run_of_study(table, study)
    recorded = table.tags["lab.metric"].get(run) if run and "lab.metric" in table.tags else None
    return recorded if isinstance(recorded, str) else ""


def searched_settings(study: "Study") -> list[str]:
    """The settings that were searched, those of most trials first."""
    counts: dict[str, int] = {}
    for trial in study.get_trials(deepcopy=False):
        for name in trial.params:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))


def figure(study: "Study", view: str, params: list[str]) -> Any:
    """A figure of optuna.visualization; None if the study has too few trials for it."""
    from optuna import visualization

    plots: dict[str, Callable[[], Any]] = {
        "slices": lambda: visualization.plot_slice(study, params=params or None),
        "contour": lambda: visualization.plot_contour(study, params=params),
        "parallel": lambda: _parallel(study, params),
        "intermediate values": lambda: visualization.plot_intermediate_values(study),
        "timeline": lambda: visualization.plot_timeline(study),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna warns of settings that only some trials have
        try:
            found = plots[view]()
        except (ValueError, RuntimeError):
            return None
    return found if found.data else None


def _parallel(study: "Study", params: list[str]) -> Any:
    """The finished trials; Optuna's own figure has no line for a trial without one of the settings."""
    frame = trials(study)
    frame = frame[frame["state"].eq("COMPLETE") & frame["value"].notna()]
    names = [name for name in params or searched_settings(study) if name in frame]
    if not names or not len(frame):
        raise ValueError("no finished trial")
    return parallel_coordinates(frame[[*names, "value"]], "value").figure


def fresh_seeds(table: RunTable, study: str, metric: str) -> pd.DataFrame:
    """The candidates of a study on seeds that the search did not use: mean, sd, and the value of each seed."""
    tags = table.tags
    if not {"lab.kind", "lab.study", "lab.candidate"} <= set(tags):
        return pd.DataFrame()
    runs = tags.index[(tags["lab.kind"] == "fresh seed") & (tags["lab.study"] == study)]
    column = f"at_best/{metric}" if f"at_best/{metric}" in table.metrics else metric
    if not len(runs) or column not in table.metrics or "seed" not in table.params:
        return pd.DataFrame()
    values = pd.DataFrame(
        {
            "candidate": tags.loc[runs, "lab.candidate"],
            "seed": table.params.loc[runs, "seed"],
            "value": table.metrics.loc[runs, column],
        }
    )
    summary = values.groupby("candidate")["value"].agg(["mean", "std", "count"])
    per_seed = values.pivot_table(index="candidate", columns="seed", values="value").add_prefix("seed ")
    return summary.join(per_seed).rename(columns={"std": "sd", "count": "seeds"}).reset_index()
