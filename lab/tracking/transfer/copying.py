"""One run, copied to another store: everything of it, in an order in which it can be interrupted and begun again.

Sending a value, param, tag or file twice is harmless, and what can only be created once, the run itself and its models,
is looked for by a tag first.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lab.tracking import batches, models
from lab.tracking.transfer import content
from lab.tracking.transfer.content import OWN_TAGS, SOURCE_TAG, Content

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

NOTE_TAG = "mlflow.note.content"


def copy(
    run: Content, source: "MlflowClient", target: "MlflowClient", experiment_id: str, known: Mapping[str, str]
) -> str:
    """Copy a run, and return its id there. `known` has the copies of runs, this one too where it was begun before."""
    info, tags = run.run.info, _tags(run.run, known)
    copied = known.get(info.run_id)
    if copied is None:
        begun = {SOURCE_TAG: info.run_id, **tags}
        copied = target.create_run(experiment_id, info.start_time, begun, info.run_name).info.run_id
    _log(run, target, copied, tags)
    _copy_files(run, source, target, copied)
    _copy_models(run, source, target, copied)
    if run.datasets:
        target.log_inputs(copied, datasets=run.datasets)
    target.set_terminated(copied, info.status, info.end_time)
    return copied


def experiment(source: "MlflowClient", target: "MlflowClient", experiment_id: str) -> str:
    """The id of the experiment of the same name in the other store, created with its note where there is none."""
    ours = source.get_experiment(experiment_id)
    theirs = target.get_experiment_by_name(ours.name)
    if theirs is None:
        created = target.create_experiment(ours.name)
        if NOTE_TAG in ours.tags:
            target.set_experiment_tag(created, NOTE_TAG, ours.tags[NOTE_TAG])
        return created
    if theirs.lifecycle_stage == "deleted":
        target.restore_experiment(theirs.experiment_id)
    return theirs.experiment_id


def _tags(run: "Run", known: Mapping[str, str]) -> dict[str, str]:
    """The tags of a copy: where one is the id of a run, such as its parent, that of its copy."""
    return {key: known.get(value, value) for key, value in run.data.tags.items() if key not in OWN_TAGS}


def _log(run: Content, target: "MlflowClient", copied: str, tags: Mapping[str, str]) -> None:
    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(each.key, each.value, each.timestamp, each.step) for each in run.metrics]
    params = [Param(*each) for each in run.run.data.params.items()]
    as_tags = [RunTag(*each) for each in tags.items()]
    batches.log(target, copied, metrics, params, as_tags)


def _copy_files(run: Content, source: "MlflowClient", target: "MlflowClient", copied: str) -> None:
    """Copy the files one after the other, so that the largest alone needs room here."""
    with tempfile.TemporaryDirectory() as folder:
        for path in run.files:
            local = Path(source.download_artifacts(run.run.info.run_id, path, folder))
            parent = str(Path(path).parent)
            target.log_artifact(copied, str(local), None if parent == "." else parent)
            local.unlink()


def _copy_models(run: Content, source: "MlflowClient", target: "MlflowClient", copied: str) -> None:
    there = {each.tags.get(SOURCE_TAG): each for each in content.models_of(target, target.get_run(copied))}
    for model in run.models:
        theirs = there.get(model.model_id) or _create(model, target, copied)
        with tempfile.TemporaryDirectory() as folder:
            models.upload(target, copied, theirs.model_id, content.download_model(source, model, folder))


def _create(model: "LoggedModel", target: "MlflowClient", copied: str) -> "LoggedModel":
    experiment_id = target.get_run(copied).info.experiment_id
    tags = {**model.tags, SOURCE_TAG: model.model_id}
    return target.create_logged_model(experiment_id, model.name, copied, tags, model.params, model.model_type)
