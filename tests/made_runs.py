"""Runs made up for tests: of the lab's shape, of a stranger's, with NaN, infinity, HTML, and one that is running."""

import json
import time
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from lab.tracking import store

EVIL = "<img src=x onerror=alert(1)> **bold** $x$ " + "long " * 100


@dataclass(frozen=True)
class Filled:
    """The client of a filled store, and the ids of its runs by their role."""

    client: MlflowClient
    seeds: list[str]
    running: str
    broken: str
    empty: str
    evil: str


def make_run(
    client: MlflowClient,
    experiment: str,
    name: str,
    params: dict[str, str] | None = None,
    metrics: dict[str, list[float]] | None = None,
    tags: dict[str, str] | None = None,
    status: str = "FINISHED",
) -> str:
    """A run with metrics that begin at step 1, one value a second."""
    found = client.get_experiment_by_name(experiment)
    folder = (store.root() / "artifacts" / experiment).as_uri()
    experiment_id = found.experiment_id if found else client.create_experiment(experiment, folder)
    began = int(time.time() * 1000) - 60_000
    run = client.create_run(experiment_id, start_time=began, run_name=name).info.run_id
    client.log_batch(
        run,
        metrics=[
            Metric(key, value, began + 1000 * step, step)
            for key, values in (metrics or {}).items()
            for step, value in enumerate(values, 1)
        ],
        params=[Param(*each) for each in (params or {}).items()],
        tags=[RunTag(*each) for each in (tags or {}).items()],
    )
    if status != "RUNNING":
        client.set_terminated(run, status)
    return run


def fill() -> Filled:
    """Make the runs in the store of the folder where the test works."""
    client = store.client()
    seeds = []
    for lr in ("0.01", "0.1"):
        for seed in (1, 2, 3):
            values = [1 / (step + seed / 10 + float(lr)) for step in range(1, 6)]
            run = make_run(
                client,
                "digits",
                f"digits optimizer.lr={lr} seed={seed}",
                {"optimizer.lr": lr, "seed": str(seed), "trainer.max_epochs": "5", "model.kind": "mlp"},
                {
                    "val/loss": values,
                    "train/loss": [value / 2 for value in values],
                    "test/accuracy": [0.9],
                    "baseline/test/accuracy": [0.1],
                },
                {
                    "lab.kind": "run",
                    "lab.experiment": "digits",
                    "data.fingerprint": "abc",
                    "lab.question": "Does it work?",
                },
            )
            matrix = {"class_names": ["a<b", "c"], "counts": [[3, 1], [0, 4]]}
            client.log_text(run, json.dumps(matrix), "confusion_matrix.json")
            client.log_text(run, f"optimizer: {{lr: {lr}}}\n", "config.yaml")
            seeds.append(run)
    running = make_run(
        client,
        "digits",
        "going on",
        {"trainer.max_epochs": "10"},
        {"val/loss": [3.0, 2.0]},
        {"lab.kind": "run"},
        "RUNNING",
    )
    broken = make_run(
        client, "foreign", "broken", {"seed": "1"}, {"val/loss": [1.0, float("nan"), float("inf"), -float("inf"), 0.5]}
    )
    empty = make_run(client, "foreign", "nothing recorded", status="FAILED")
    evil = make_run(client, "<b>evil</b>", EVIL[:250], {"name": EVIL}, {"val/loss": [1.0, 2.0]}, {"tag": EVIL})
    return Filled(client, seeds, running, broken, empty, evil)
