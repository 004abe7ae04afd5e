"""`start_from:` the weights of a file or of a run, and what of them a network takes over."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from torch import nn

from lab.architectures import pretrained
from lab.architectures.libraries import library_of
from lab.architectures.members import Members
from lab.config.experiment import Experiment
from lab.data.base import DataModule
from lab.data.encodings.table import TableEncoding
from lab.errors import LabError
from lab.tracking.reading import stored_runs
from lab.weights import files, loading
from lab.weights.files import Weights
from lab.weights.loading import Loaded, plain_names

CHECKPOINT = "checkpoints/best.ckpt"
MEMBERS = "members."  # what the names of their weights begin with


def load(network: nn.Module, start_from: str) -> tuple[Loaded, str]:
    """Load weights into a network; returns what was loaded, and `start_from` with the run's id and the hash.

    Raises LabError where the weights cannot be read, are not those that were recorded, or fit nowhere.
    """
    with _naming_the_setting():
        weights, exact = _read(start_from)
        _check_members(network, weights, files.unpinned(exact)[0])
        return loading.load(network, weights, files.unpinned(exact)[0]), exact


def _check_members(network: nn.Module, weights: Weights, source: str) -> None:
    """Raise LabError for the weights of one network, from which several would start alike and learn the same."""
    of_members = any(isinstance(layer, Members) for layer in network.modules())
    if of_members and not any(name.startswith(MEMBERS) for name in plain_names(weights).values()):
        raise LabError(
            f"{source}: is one network, from which all members would start alike; use trainer.members=1, or start from "
            "a run with members"
        )


def other_names(start_from: str, data: DataModule) -> list[str]:
    """A line each where the run that is started from has as many columns of a table, or classes, and these are others.

    Weights fit by their shape alone. Nothing is known of a file.
    """
    source, _ = files.unpinned(start_from)
    if files.is_file(source):
        return []
    run = stored_runs.find(source)
    try:
        before = json.loads(run.artifact("encoding.json").read_text(encoding="utf-8"))
    except LabError:  # of another tool
        return []
    encoding = getattr(data, "encoding", None)
    table = isinstance(encoding, TableEncoding) and before["input"]["kind"] == "table"
    pairs = {
        "the class": (before["output"]["class_names"], list(data.class_names)),
        "the column": (
            [column["name"] for column in before["input"]["columns"]] if table else [],
            [column.name for column in encoding.columns] if isinstance(encoding, TableEncoding) else [],
        ),
    }
    return [
        f"weights fit by their shape alone: {what} '{differing[1]}' stands where run {run.id[:8]} has '{differing[0]}'"
        for what, names in pairs.items()
        if (differing := _first_difference(*names))
    ]


def _first_difference(before: list[str], now: list[str]) -> tuple[str, str] | None:
    """The first name that is another one now; None where there is none, and for another number of names."""
    if len(before) != len(now):
        return None
    return next(((old, new) for old, new in zip(before, now, strict=True) if old != new), None)


def pinned(experiment: Experiment) -> Experiment:
    """The experiment with the run and the hash of its weights, by which comparisons and studies are recognized."""
    if (start_from := experiment.start_from) is not None:
        with _naming_the_setting():
            start_from = _read(start_from)[1]
        experiment = replace(
            experiment, start_from=start_from, written={**experiment.written, "start_from": start_from}
        )
    model = experiment.model
    if model is not None and (weights := pretrained.pinned_weights(model.kind, model.settings)):
        section = {**experiment.written["model"], "weights": weights}
        written = {**experiment.written, "model": section}
        experiment = replace(experiment, model=model.with_settings({"weights": weights}), written=written)
    return experiment


def of_checkpoint(experiment: Experiment) -> Experiment:
    """The experiment for weights of its checkpoint: those that it started from are not read, and may be gone by now."""
    model = experiment.model
    weights = model.settings.get("weights") if model is not None and library_of(model.kind) else None
    if model is not None and weights not in pretrained.NONE:
        model = model.with_settings({"weights": pretrained.InCheckpoint(weights)})
    return replace(experiment, start_from=None, model=model)


@contextmanager
def _naming_the_setting() -> Iterator[None]:
    """Name the setting in front of errors."""
    try:
        yield
    except LabError as error:
        raise type(error)(*(f"start_from: {line}" for line in error.lines)) from None


def _read(start_from: str) -> tuple[Weights, str]:
    """The weights, and the text with the id of the run and their hash."""
    source, expected = files.unpinned(start_from)
    if files.is_file(source):
        weights = files.read(source)
        return weights, files.pinned(source, weights, expected)
    run = stored_runs.find(source)
    try:
        weights = files.read(str(run.artifact(CHECKPOINT)))
    except LabError as error:
        raise LabError(f"run {run.id} ({run.name}) has no weights: {error.lines[0]}") from None
    return weights, files.pinned(run.id, weights, expected)
