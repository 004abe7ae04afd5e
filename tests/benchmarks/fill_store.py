"""Fill a store with made-up runs, quickly: python tests/benchmarks/fill_store.py FOLDER [--runs 10000].

FOLDER/mlruns/mlflow.db then holds runs with 20 settings, 8 metrics of 50 points each, and the tags of the lab, and
one more experiment, `long`, of 50 runs with 1,000 points. `cd FOLDER` and start the dashboard there.
"""

import argparse
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

METRICS = ("train/loss", "train/accuracy", "val/loss", "val/accuracy", "val/f1", "lr", "gradient_norm", "best/val/loss")
NOW = int(time.time() * 1000)
MINUTE = 60_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--long-runs", type=int, default=50, help="further runs, of 1,000 points")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(options.folder)
    from lab.tracking import store

    store.client()
    fill(store.database(), options.runs, options.points)
    fill(store.database(), options.long_runs, 1_000, first=options.runs, experiments=("long",))


def fill(
    database: Path,
    runs: int,
    points: int = 50,
    first: int = 0,
    experiments: tuple[str, ...] = ("lstm", "gru", "mlp", "conv1d", "transformer"),
) -> list[str]:
    """Insert runs into MLflow's tables, numbered from `first`; their ids."""
    generator = np.random.default_rng(first)
    ids = [f"{number:08x}{number:024x}" for number in range(first, first + runs)]
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-1000000")  # kilobytes: the metrics' indices grow in memory
        for name in experiments:
            connection.execute(
                "INSERT OR IGNORE INTO experiments "
                "(name, artifact_location, lifecycle_stage, creation_time, last_update_time) "
                "VALUES (?, ?, 'active', ?, ?)",
                (name, f"{database.parent}/artifacts/{name}", NOW, NOW),
            )
        known = dict(connection.execute("SELECT name, experiment_id FROM experiments"))
        for number, run in enumerate(ids):
            name = experiments[number % len(experiments)]
            _insert_run(connection, run, number, name, known[name])
            connection.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)", _points(generator, run, points))
        connection.execute(
            "INSERT INTO latest_metrics SELECT key, value, timestamp, step, is_nan, run_uuid FROM metrics "
            "WHERE step = ? AND run_uuid >= ? AND run_uuid <= ?",
            (points, ids[0], ids[-1]),
        )
    connection.close()
    return ids


def _insert_run(connection: sqlite3.Connection, run: str, number: int, experiment: str, experiment_id: int) -> None:
    started = NOW - number * MINUTE - MINUTE
    connection.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, "
        "end_time, source_version, lifecycle_stage, artifact_uri, experiment_id) "
        "VALUES (?, ?, 'UNKNOWN', '', '', 'made-up', 'FINISHED', ?, ?, '', 'active', ?, ?)",
        (run, f"{experiment} {number}", started, started + MINUTE // 2, f"file:///nowhere/{run}", experiment_id),
    )
    settings = {
        "model.kind": experiment,
        "optimizer.lr": f"{10 ** -(1 + number % 4)}",
        "model.hidden": str(32 * (1 + number % 5)),
        "seed": str(number % 7),
        **{f"setting.number_{each}": str((number * each) % 11) for each in range(16)},
    }
    connection.executemany(
        "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)", [(run, *each) for each in settings.items()]
    )
    tags = {
        "lab.kind": "run",
        "lab.experiment": experiment,
        "data.fingerprint": f"{number % 3}",
        "mlflow.runName": f"{experiment} {number}",
        "mlflow.source.git.commit": "0" * 40,
    }
    connection.executemany(
        "INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)", [(run, *each) for each in tags.items()]
    )


def _points(generator: np.random.Generator, run: str, points: int) -> Iterator[tuple[str, float, int, str, int]]:
    steps = np.arange(1, points + 1)
    for number, metric in enumerate(METRICS):
        values = np.exp(-steps / points * (1 + number)) + generator.normal(0, 0.02, points)
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            yield metric, value, NOW + step, run, step


if __name__ == "__main__":
    main()
