"""One run in words and tables: its summary against its baseline, its curves by theme, the command that repeats it."""

import shlex
from collections.abc import Sequence

import pandas as pd

SPLITS = ("train", "val", "test")
SUMMARIES = ("best/", "at_best/", "baseline/")
SYSTEM = "system/"
MOST_CHARTS = 24


def summary(metrics: pd.Series) -> pd.DataFrame:
    """Each metric of each split: at the best epoch (test: as tested), its best, its last, and the baseline's."""
    values = metrics.dropna()
    rows = []
    for name in dict.fromkeys(_plain(str(key)) for key in values.index):
        split, slash, _ = name.partition("/")
        if slash and split in SPLITS:
            rows.append(
                {
                    "metric": name,
                    "at the best epoch": values.get(f"at_best/{name}", values.get(name) if split == "test" else None),
                    "baseline": values.get(f"baseline/{name}"),
                    "best": values.get(f"best/{name}"),
                    "last": values.get(name) if split != "test" else None,
                }
            )
    order = {"test": 0, "val": 1, "train": 2}
    rows.sort(key=lambda row: order[str(row["metric"]).partition("/")[0]])
    return pd.DataFrame(rows, columns=["metric", "at the best epoch", "baseline", "best", "last"])


def _plain(name: str) -> str:
    return next((name.removeprefix(start) for start in SUMMARIES if name.startswith(start)), name)


def themes(names: Sequence[str]) -> dict[str, list[str]]:
    """Metrics that belong on one picture: `train/loss` and `val/loss` under `loss`; single values are left out."""
    found: dict[str, list[str]] = {}
    for name in names:
        split, slash, rest = name.partition("/")
        if name.startswith((*SUMMARIES, SYSTEM, "test/")) or name == "best_epoch":
            continue
        found.setdefault(rest if slash and split in SPLITS else name, []).append(name)
    return dict(sorted(found.items(), key=lambda theme: (-len(theme[1]), theme[0])))


def environment(tags: pd.Series) -> pd.DataFrame:
    """Code, data, versions and machine."""
    starts = ("version.", "machine.", "git.", "data.", "mlflow.source", "mlflow.user")
    found = {str(name): value for name, value in tags.dropna().items() if str(name).startswith(starts)}
    return pd.DataFrame({"tag": list(found), "value": list(found.values())})


def own_tags(tags: pd.Series) -> pd.DataFrame:
    """The tags that say neither where a run came from nor what MLflow keeps for itself."""
    starts = ("version.", "machine.", "git.", "data.", "mlflow.")
    found = {str(name): value for name, value in tags.dropna().items() if not str(name).startswith(starts)}
    return pd.DataFrame({"tag": list(found), "value": list(found.values())})


def command(experiment: str, params: pd.Series) -> str:
    """The command that trains with the same settings again, whatever the experiment's file says by now."""
    settings = [f"{name}={value}" for name, value in params.dropna().items() if name != "search"]
    return shlex.join([".venv/bin/lab", "run", experiment, *settings])
