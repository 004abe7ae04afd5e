"""What MLflow knows of a run beyond its metrics: who, from where, on which data."""

import getpass
import json
import platform
import sys
from pathlib import Path

import pytest
from mlflow.entities import Run

from lab.config.experiment import load
from lab.tracking import store
from lab.tracking.writing import leftovers, outbox
from lab.tracking.writing.outbox import Outbox
from lab.training.run import run

TAGS = {"data.fingerprint": "0123456789abcdef", "lab.task": "regression"}
OF_A_FILE = {"data.kind": "table", "data.path": "prices/houses.csv"}


def recorded(settings: dict[str, str], tags: dict[str, str]) -> Run:
    outbox = Outbox()
    tracker = outbox.tracker()
    tracker.start("houses", "houses seed=1", settings, tags)
    tracker.end("FINISHED")
    return store.client().get_run(outbox.close().run_ids[tracker.id])


def test_a_run_knows_its_user_its_command_its_machine_and_its_data(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/lab", "run", "mlp", "seed=3"])
    result = run(load("mlp", ["trainer.max_epochs=1", "seed=3"]))
    assert result.run_id is not None
    found = store.client().get_run(result.run_id)
    assert found.data.tags["mlflow.user"] == found.info.user_id == getpass.getuser()
    assert found.data.tags["mlflow.source.name"] == "lab run mlp seed=3"
    assert found.data.tags["mlflow.source.type"] == "LOCAL"
    assert found.data.tags["machine.host"] == platform.node()
    (used,) = found.inputs.dataset_inputs
    assert used.dataset.name == found.data.params["data.kind"]
    assert used.dataset.digest == found.data.tags["data.fingerprint"]
    assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "training"}


def test_the_data_of_a_file_is_named_by_it_and_found_by_mlflows_search(workplace: Path) -> None:
    one = recorded(OF_A_FILE, TAGS)
    (used,) = one.inputs.dataset_inputs
    assert (used.dataset.name, json.loads(used.dataset.source)) == ("houses", {"uri": "prices/houses.csv"})
    found = store.client().search_runs([one.info.experiment_id], "datasets.name = 'houses'")
    assert [each.info.run_id for each in found] == [one.info.run_id]


def test_a_run_without_a_fingerprint_has_no_dataset(workplace: Path) -> None:
    assert recorded({}, {}).inputs.dataset_inputs == []


def test_runs_on_the_same_data_share_its_dataset_and_a_second_sending_adds_none(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "start_sender", lambda folder: _NoSender())
    waiting = Outbox()
    for _ in range(2):
        tracker = waiting.tracker()
        tracker.start("houses", "houses", OF_A_FILE, TAGS)
        tracker.end("FINISHED")
    waiting.release()
    assert leftovers.send_all()[1]  # the server was away until now
    client = store.client()
    (experiment,) = (each for each in client.search_experiments() if each.name == "houses")
    datasets = [each.inputs.dataset_inputs for each in client.search_runs([experiment.experiment_id])]
    assert [[one.dataset.digest for one in each] for each in datasets] == [[TAGS["data.fingerprint"]]] * 2


class _NoSender:
    """A sender that a power failure ended at once."""

    returncode = 1
    stdout = None

    def poll(self) -> int:
        return 1
