"""`lab sync --to`: a laptop's store in another one, whole, once, also after an interruption."""

import shutil
from pathlib import Path

import pytest
from made_runs import make_run
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Run

from lab.errors import LabError
from lab.tracking import store
from lab.tracking.transfer import content, copying
from lab.tracking.transfer.sync import sync


@pytest.fixture
def there(workplace: Path, prepared_store: Path) -> str:
    """The address of another store, which is empty."""
    shutil.copy(prepared_store, workplace / "there.db")
    return f"sqlite:///{workplace / 'there.db'}"


@pytest.fixture
def family(workplace: Path) -> tuple[str, str]:
    """A study with a note and a file, and its trial, with a curve that ends in NaN, a model and a data set."""
    client = store.client()
    parent = make_run(client, "digits", "study", {"trials": "1"}, tags={"mlflow.note.content": "**promising**"})
    curve = {"val/loss": [0.5, 0.25, float("nan")], "val/f1": [float("inf"), 0.5]}
    child = make_run(client, "digits", "trial", {"lr": "0.1"}, curve, {"mlflow.parentRunId": parent})
    client.log_text(parent, "seed: 1\n", "config.yaml")
    client.log_text(child, "1,2\n", "deep/er/table.csv")
    experiment = client.get_run(child).info.experiment_id
    model = client.create_logged_model(experiment, "model", child)
    (workplace / "model").mkdir()
    (workplace / "model" / "MLmodel").write_text("flavors: {}\nmodel_uuid: 1\n")
    (workplace / "model" / "weights").write_bytes(b"\0\1")
    client.log_model_artifacts(model.model_id, str(workplace / "model"))
    dataset = Dataset("houses", "0123", "local", '{"uri": "houses.csv"}')
    client.log_inputs(child, datasets=[DatasetInput(dataset, [])])
    return parent, child


def all_runs(uri: str) -> dict[str, Run]:
    client = MlflowClient(uri)
    found = client.search_runs([each.experiment_id for each in client.search_experiments()])
    return {run.info.run_name: run for run in found}


def test_every_run_is_there_once_whole_and_linked(family: tuple[str, str], there: str, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    first, second = sync(there), sync(there)
    assert (first.copied, first.different, second.copied, second.there) == (2, [], 0, 2)
    copies, theirs, ours = all_runs(there), MlflowClient(there), store.client()
    assert copies.keys() == {"study", "trial"}
    study, trial = copies["study"], copies["trial"]
    assert trial.data.tags["mlflow.parentRunId"] == study.info.run_id
    assert study.data.tags["mlflow.note.content"] == "**promising**"
    assert (trial.data.params, trial.info.status) == ({"lr": "0.1"}, "FINISHED")
    assert trial.info.end_time == ours.get_run(family[1]).info.end_time
    for metric in ("val/loss", "val/f1"):
        kept, sent = (
            [(each.step, each.timestamp, repr(each.value)) for each in client.get_metric_history(run, metric)]
            for client, run in ((ours, family[1]), (theirs, trial.info.run_id))
        )
        assert kept == sent
    assert Path(theirs.download_artifacts(trial.info.run_id, "deep/er/table.csv")).read_text() == "1,2\n"
    (model,) = content.models_of(theirs, trial)
    assert (content.download_model(theirs, model, str(tmp_path / "theirs")) / "weights").read_bytes() == b"\0\1"
    assert trial.inputs.dataset_inputs[0].dataset.digest == "0123"
    assert len(all_runs(store.tracking_uri())) == 2  # nothing is deleted here


def test_it_goes_on_after_an_interruption(family: tuple[str, str], there: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(copying, "_copy_models", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            sync(there)
    assert sync(there).copied == 2
    assert len(all_runs(there)) == 2


def test_what_changed_here_is_sent_again_to_the_same_run(family: tuple[str, str], there: str) -> None:
    sync(there)
    before = all_runs(there)["study"].info.run_id
    store.client().set_tag(family[0], "mlflow.note.content", "a dead end")
    assert sync(there).copied == 1
    after = all_runs(there)["study"]
    assert (after.info.run_id, after.data.tags["mlflow.note.content"]) == (before, "a dead end")


def test_a_copy_that_lost_a_file_is_not_called_verified(
    family: tuple[str, str], there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_copy_files", lambda *_: None)
    outcome = sync(there)
    assert sorted(outcome.different) == sorted(family)
    assert outcome.copied == 0


def test_a_running_run_and_its_children_wait(family: tuple[str, str], there: str) -> None:
    store.client().update_run(family[0], status="RUNNING")
    outcome = sync(there)
    assert (outcome.running, outcome.copied) == (2, 0)


def test_addresses_that_cannot_be_meant_are_refused(family: tuple[str, str]) -> None:
    for uri, message in {
        "runs.db": "--to: 'runs.db' is not the address of a store",
        store.tracking_uri(): "--to: that is this store",
        "http://127.0.0.1:9": "the store http://127.0.0.1:9 does not answer",
    }.items():
        with pytest.raises(LabError) as refused:
            sync(uri)
        assert message in str(refused.value)
