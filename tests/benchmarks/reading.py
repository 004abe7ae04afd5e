"""How fast a store is read, beside MLflow's own client: PYTHONPATH=tests python -m benchmarks.reading FOLDER.

FOLDER is one that fill_store.py filled.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import fill_store
from benchmarks.measuring import Size, Table, Target, interleaved, ratio, timed, workplace

from lab.tracking import store
from lab.tracking.reading.tables import open_tables

if TYPE_CHECKING:
    from mlflow import MlflowClient

CURVES = 50
SLOW_PAIRS = 2  # most rounds with MLflow's client, which takes many seconds


def main() -> None:
    os.chdir(Path(sys.argv[1]))
    for row in _rows(SLOW_PAIRS)[0]:
        print("  ".join(row))


def measure(size: Size) -> Table:
    """The table of all runs, and curves of 1,000 points, by the lab's reader and by MLflow's client."""
    with workplace():
        database = store.database()
        fill_store.fill(database, size.runs)
        fill_store.fill(database, min(CURVES, size.runs), 1_000, first=size.runs, experiments=("long",))
        rows, seconds = _rows(min(size.pairs, SLOW_PAIRS))
    return Table(
        "Reading",
        ("what", "lab, s", "MLflow's client, s", "lab ÷ client"),
        rows,
        "Runs have 20 settings, 8 metrics and 5 tags; the local store.",
        [Target(f"table of {size.runs:,} runs", seconds, 1.0, unit=" s")] if size.runs >= 10_000 else [],
    )


def _rows(rounds: int) -> tuple[list[tuple[str, ...]], float]:
    """The rows of the table, and the seconds that the lab's table of runs took."""
    tables, client = open_tables(), store.client()
    table = tables.runs()
    long = [run for run in table.ids if table.info.at[run, "experiment"] == "long"][:CURVES]
    measured = interleaved(
        {
            "table": lambda: timed(tables.runs),
            "search": lambda: timed(lambda: _search(client)),
            "curves": lambda: timed(lambda: tables.histories(long, ["val/loss"])),
            "histories": lambda: timed(lambda: _histories(client, long)),
        },
        rounds,
    )
    named = (f"table of {len(table.ids):,} runs", "table", "search"), (f"{len(long)} curves", "curves", "histories")
    rows: list[tuple[str, ...]] = []
    for name, ours, theirs in named:
        seconds = [f"{min(measured[each]):.2f}" for each in (ours, theirs)]
        rows.append((name, *seconds, f"{ratio(measured[ours], measured[theirs]):.2f}"))
    return rows, min(measured["table"])


def _search(client: "MlflowClient") -> None:
    experiments = [each.experiment_id for each in client.search_experiments()]
    token = None
    while True:
        page = client.search_runs(experiments, max_results=1_000, page_token=token)
        if not (token := page.token):
            return


def _histories(client: "MlflowClient", runs: list[str]) -> None:
    for run in runs:
        client.get_metric_history(run, "val/loss")


if __name__ == "__main__":
    main()
