"""The artifacts of a run: its origin, curves, test outputs and exported model."""

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning.pytorch.utilities.model_summary import ModelSummary

from lab import files
from lab.config import schema
from lab.data.encodings.sequence import SequenceEncoding
from lab.data.table import Table
from lab.errors import printable
from lab.tracking import models
from lab.tracking.writing.tracker import Tracker
from lab.training import provenance
from lab.training.building import Built
from lab.training.checkpoints.callback import BestAndLast

EXAMPLE_ROWS = 4


def keep_origin(built: Built, tracker: Tracker, code: bool) -> None:
    """Save encoding, split, model summary, the files that are skipped, and, with `code`, the code unknown to git."""
    if code:
        keep_code(tracker)
    tracker.text("encoding.json", f"{json.dumps(encoding_of(built), indent=1)}\n")
    if built.data.skipped:
        tracker.text("skipped.txt", "".join(f"{printable(line)}\n" for line in built.data.skipped))
    np.savez_compressed(tracker.path("split.npz"), **built.data.split_indices)  # type: ignore[arg-type]
    tracker.artifact("split.npz")
    tracker.text("model_summary.txt", f"{ModelSummary(built.module, max_depth=-1)}\n")


def keep_code(tracker: Tracker) -> None:
    """Save the uncommitted changes, and the imported files that git does not track, as far as they can be read."""
    if changes := provenance.uncommitted_changes():
        tracker.text("git.diff", changes)
    with contextlib.suppress(OSError):
        for path, text in provenance.untracked_code().items():
            tracker.text(f"{provenance.CODE}/{path}", text)


def encoding_of(built: Built) -> dict[str, Any]:
    """How raw data is encoded for the model, and the names of its outputs."""
    data, numbered = built.data, built.numbered_outputs()
    names = {"class_names": list(data.class_names), "target_names": list(data.target_names)}
    if numbered:
        names = {"class_names": [], "target_names": [f"output {number + 1}" for number in range(numbered)]}
    encoding = data.encoding
    if isinstance(encoding, SequenceEncoding):
        encoding = dataclasses.replace(encoding, longest=_longest(built))
    return {"input": encoding.as_json(), "output": {"task": data.task, **names}}


def _longest(built: Built) -> int:
    """The steps that the network takes at most; 0 where its constructor does not ask for the length."""
    network = built.experiment.model or built.experiment.module
    limited = network is not None and schema.accepts(network.target, "length")
    return built.data.sizes.input_shape[1] if limited else 0


def keep_training(tracker: Tracker, history: list[dict[str, float]], checkpoints: BestAndLast) -> None:
    """Save checkpoints, learning curves and profiles, as far as there are any."""
    folders = (checkpoints.last.parent, tracker.folder / "profile")
    paths = [path.relative_to(tracker.folder) for folder in folders for path in sorted(folder.glob("*"))]
    for path in paths:
        if not files.is_temporary(path):
            tracker.artifact(str(path))
    if history:
        from lab.training.results import figures  # matplotlib takes a while to import

        name = "figures/learning_curves.png"
        figures.learning_curves(history, checkpoints.best_epoch).savefig(tracker.path(name), dpi=120)
        tracker.artifact(name)


def keep_test_outputs(built: Built, tracker: Tracker) -> None:
    """Save the confusion matrix, or predictions and true values, of the test split: as data and as a figure."""
    outputs = built.observer.test_outputs
    if not outputs:  # of a module of one's own
        return
    from lab.training.results import figures  # matplotlib takes a while to import

    predicted = torch.cat([part["preds"] for part in outputs]).cpu().numpy()
    true = torch.cat([part["target"] for part in outputs]).cpu().numpy()
    if built.data.task == "classification":
        names = built.data.class_names
        counts = confusion_counts(true, predicted.argmax(axis=1), len(names))
        content = {"class_names": names, "counts": counts.tolist()}
        tracker.text("confusion_matrix.json", json.dumps(content) + "\n")
        file, figure = "figures/confusion_matrix.png", figures.confusion_matrix(counts, names)
    else:
        header = ",".join(f"{kind}_{step + 1}" for kind in ("true", "predicted") for step in range(true.shape[1]))
        table = np.concatenate([true, predicted], axis=1)
        np.savetxt(tracker.path("predictions.csv"), table, "%.15g", ",", header=header, comments="")
        tracker.artifact("predictions.csv")
        file = "figures/predicted_against_true.png"
        figure = figures.predicted_against_true(predicted, true)
    figure.savefig(tracker.path(file), dpi=120)
    tracker.artifact(file)


def confusion_counts(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often each true class (row) was predicted as each class (column), (classes, classes)."""
    return np.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def keep_model(built: Built, tracker: Tracker) -> None:
    """Save the model of the best epoch, which takes raw inputs and predicts without the lab."""
    write_model(built, Path(tracker.path("model")))
    tracker.model("model", built.data.task)


def write_model(built: Built, folder: Path) -> None:
    """Write the model with its present weights to a folder; raises what torch.export raises."""
    encoding = built.data.encoding
    example = built.data.raw_examples(EXAMPLE_ROWS)
    if isinstance(built.data, Table):
        models.save_for_rows(built.predictor(), encoding_of(built), example, built.data.example, folder)
    elif isinstance(encoding, SequenceEncoding):
        rows = pd.DataFrame({"x": encoding.as_lists(example)})
        models.save_for_rows(built.predictor(), encoding_of(built), example, rows, folder)
    else:
        models.save(built.predictor(), example, folder)
