"""How fast a store is read, beside MLflow's own client: python tests/benchmarks/reading.py FOLDER.

FOLDER is one that fill_store.py filled.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil


def main() -> None:
    os.chdir(Path(sys.argv[1]))
    from lab.tracking import store
    from lab.tracking.tables import open_tables

    tables = open_tables()
    table = tables.runs()
    size = f"{len(table.ids):,} runs, {table.metrics.shape[1]} metrics, {table.params.shape[1]} settings"
    seconds = [_timed(lambda: tables.runs()) for _ in range(5)]
    print(f"table of {size}: {min(seconds):.2f} s (best of 5; worst {max(seconds):.2f} s)")
    print(f"look for changes: {_timed(tables.states):.3f} s")
    long = [run for run in table.ids if table.info.at[run, "experiment"] == "long"][:50]
    points = len(tables.histories(long, ["val/loss"]))
    print(f"{len(long)} curves, {points:,} points: {_timed(lambda: tables.histories(long, ['val/loss'])):.2f} s")
    print(f"memory of this process: {psutil.Process().memory_info().rss / 2**20:.0f} MiB")
    client = store.client()
    print(f"mlflow search_runs, the same runs: {_timed(lambda: _search(client)):.1f} s")
    print(f"mlflow get_metric_history, the same curves: {_timed(lambda: _histories(client, long)):.2f} s")


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _search(client) -> None:
    experiments = [each.experiment_id for each in client.search_experiments()]
    token = None
    while True:
        page = client.search_runs(experiments, max_results=1_000, page_token=token)
        if not (token := page.token):
            return


def _histories(client, runs: list[str]) -> None:
    for run in runs:
        client.get_metric_history(run, "val/loss")


if __name__ == "__main__":
    main()
