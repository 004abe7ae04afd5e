"""Studies as Optuna stores them, and their winners on fresh seeds; nothing here writes to the storage."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lab.errors import LabError
from lab.studies import storage
from lab.tracking import store
from lab.tracking.reading.run_table import RunTable

if TYPE_CHECKING:
    from optuna import Study


VIEWS = ("history", "importance", "slices", "contour", "parallel", "intermediate values", "timeline")


def names() -> list[str]:
    """The names of all studies, the latest first; raises LabError where there is no storage that can be read."""
    return _asked(lambda optuna, opened: list(reversed(optuna.study.get_all_study_names(opened))))


def load(name: str) -> "Study":
    """A study by its name; raises LabError."""
    return _asked(lambda optuna, opened: optuna.load_study(study_name=name, storage=opened))


def _asked(question: Callable[[Any, Any], Any]) -> Any:
    import optuna
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    storage.quiet_optuna()
    address = storage.address()
    if address.startswith("sqlite:///") and not Path(address.removeprefix("sqlite:///")).exists():
        raise LabError("no studies yet; `make study NAME=mlp TRIALS=20` makes one")
    try:
        return question(optuna, optuna.storages.RDBStorage(address, skip_table_creation=True))
    except KeyError:
        raise LabError("there is no such study (any more)") from None
    except (OptunaError, SQLAlchemyError, OSError, ImportError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise LabError(f"the study storage {store.without_password(address)} cannot be read: {reason}") from None


def trials(study: "Study") -> pd.DataFrame:
    """All trials, a row each."""
    frame = study.trials_dataframe(attrs=("number", "state", "value", "params", "duration"))
    if "duration" in frame:
        frame["duration"] = frame["duration"].dt.total_seconds()
    return frame.rename(columns=lambda name: name.removeprefix("params_"))


def figure(study: "Study", view: str, params: list[str]) -> Any:
    """A picture of optuna.visualization; None where the study has too few trials for it."""
    from optuna import visualization

    plots: dict[str, Callable[[], Any]] = {
        "history": lambda: visualization.plot_optimization_history(study),
        "importance": lambda: visualization.plot_param_importances(study),
        "slices": lambda: visualization.plot_slice(study, params=params or None),
        "contour": lambda: visualization.plot_contour(study, params=params),
        "parallel": lambda: visualization.plot_parallel_coordinate(study, params=params or None),
        "intermediate values": lambda: visualization.plot_intermediate_values(study),
        "timeline": lambda: visualization.plot_timeline(study),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of settings that only some trials have
        try:
            drawn = plots[view]()
        except (ValueError, RuntimeError):
            return None
    return drawn if drawn.data else None


def param_names(study: "Study") -> list[str]:
    """The settings that were searched, those of most trials first."""
    amounts: dict[str, int] = {}
    for trial in study.get_trials(deepcopy=False):
        for name in trial.params:
            amounts[name] = amounts.get(name, 0) + 1
    return sorted(amounts, key=lambda name: (-amounts[name], name))


def fresh_seeds(table: RunTable, study: str, metric: str) -> pd.DataFrame:
    """The candidates of a study on seeds that the search did not see: mean, standard deviation, each seed's value."""
    tags = table.tags
    if not {"lab.kind", "lab.study", "lab.candidate"} <= set(tags):
        return pd.DataFrame()
    chosen = tags.index[(tags["lab.kind"] == "fresh seed") & (tags["lab.study"] == study)]
    column = f"at_best/{metric}" if f"at_best/{metric}" in table.metrics else metric
    if not len(chosen) or column not in table.metrics or "seed" not in table.params:
        return pd.DataFrame()
    rows = pd.DataFrame(
        {
            "candidate": tags.loc[chosen, "lab.candidate"],
            "seed": table.params.loc[chosen, "seed"],
            "value": table.metrics.loc[chosen, column],
        }
    )
    found = rows.groupby("candidate")["value"].agg(["mean", "std", "count"])
    each = rows.pivot_table(index="candidate", columns="seed", values="value").add_prefix("seed ")
    joined = found.join(each).rename(columns={"std": "sd", "count": "seeds"})
    return joined.reset_index()
