"""The files of a run: where it came from, its curves, what it predicted, its model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities.model_summary import ModelSummary
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lab.data.base import DataModule
from lab.data.table import Table
from lab.tracking import models
from lab.tracking.writing.tracker import Tracker
from lab.training import provenance
from lab.training.building import Built
from lab.training.checkpoints import BestAndLast

EXAMPLE_ROWS = 4
# Okabe & Ito (2008): told apart by people with any colour vision.
COLOURS = {"train": "#0072B2", "val": "#D55E00"}
STYLES = {"train": "-", "val": "--"}


def keep_origin(built: Built, tracker: Tracker, code: bool) -> None:
    """The encoding, the split, the model summary and, with `code`, the uncommitted changes."""
    changes = provenance.uncommitted_changes() if code else ""
    if changes:
        tracker.text("git.diff", changes)
    tracker.text("encoding.json", f"{json.dumps(encoding_of(built.data), indent=1)}\n")
    np.savez_compressed(tracker.path("split.npz"), **built.data.split_indices)  # type: ignore[arg-type]
    tracker.artifact("split.npz")
    tracker.text("model_summary.txt", f"{ModelSummary(built.module, max_depth=-1)}\n")


def encoding_of(data: DataModule) -> dict[str, Any]:
    """What stands before and behind the model: how raw data is encoded, and what the outputs are called."""
    output = {"task": data.task, "class_names": list(data.class_names), "target_names": list(data.target_names)}
    return {"input": data.encoding.as_json(), "output": output}


def keep_training(tracker: Tracker, history: list[dict[str, float]], checkpoints: BestAndLast) -> None:
    """Checkpoints, learning curves and profiles, as far as there are any."""
    folders = (checkpoints.last.parent, tracker.folder / "profile")
    for path in (path for folder in folders for path in sorted(folder.glob("*")) if path.suffix != ".new"):
        tracker.artifact(str(path.relative_to(tracker.folder)))
    if history:
        name = "figures/learning_curves.png"
        draw_learning_curves(history, checkpoints.best_epoch).savefig(tracker.path(name), dpi=120)
        tracker.artifact(name)


def keep_test_outputs(built: Built, tracker: Tracker) -> None:
    """The confusion matrix, or predictions against the truth, of the test split: as data and as a picture."""
    outputs = built.module.test_outputs
    predicted = torch.cat([part["preds"] for part in outputs]).cpu().numpy()
    true = torch.cat([part["target"] for part in outputs]).cpu().numpy()
    if built.data.task == "classification":
        names = built.data.class_names
        counts = confusion_counts(true, predicted.argmax(axis=1), len(names))
        content = {"class_names": names, "counts": counts.tolist()}
        tracker.text("confusion_matrix.json", json.dumps(content) + "\n")
        picture, figure = "figures/confusion_matrix.png", draw_confusion_matrix(counts, names)
    else:
        header = ",".join(f"{kind}_{step + 1}" for kind in ("true", "predicted") for step in range(true.shape[1]))
        table = np.concatenate([true, predicted], axis=1)
        np.savetxt(tracker.path("predictions.csv"), table, "%.9g", ",", header=header, comments="")
        tracker.artifact("predictions.csv")
        picture = "figures/predicted_against_true.png"
        figure = draw_predicted_against_true(predicted, true)
    figure.savefig(tracker.path(picture), dpi=120)
    tracker.artifact(picture)


def confusion_counts(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often each true class (row) was predicted as each class (column), (classes, classes)."""
    return np.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def keep_model(built: Built, tracker: Tracker) -> None:
    """The best epoch's model, which takes raw inputs and needs no lab to predict."""
    samples, _ = next(iter(built.data.loader("train")))
    example = built.data.input_scale.invert(samples[:EXAMPLE_ROWS]).numpy()
    folder = Path(tracker.path("model"))
    if isinstance(built.data, Table):
        models.save_for_rows(built.predictor(), encoding_of(built.data), example, built.data.example, folder)
    else:
        models.save(built.predictor(), example, folder)
    tracker.model("model", built.data.task)


def draw_learning_curves(history: Sequence[dict[str, float]], best_epoch: int) -> Figure:
    """Loss and metrics by epoch, training solid and validation dashed, the best epoch marked."""
    names = [name.removeprefix("val/") for name in history[-1] if name.startswith("val/")] or ["loss"]
    figure = Figure(figsize=(4.2 * len(names), 3.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for split, colour in COLOURS.items():
            points = [(row["epoch"], row[f"{split}/{name}"]) for row in history if f"{split}/{name}" in row]
            if points:
                axes.plot(*zip(*points, strict=True), STYLES[split], color=colour, label=split)
        axes.axvline(best_epoch, color="grey", linewidth=0.8, linestyle=":", label=f"best, {best_epoch}")
        axes.set(xlabel="epoch", title=name)
        axes.legend(frameon=False)
    return figure


def draw_confusion_matrix(counts: NDArray[np.int64], class_names: Sequence[str]) -> Figure:
    """Counts (true class, predicted class), shaded by the share of the true class."""
    size = 2.4 + 0.42 * len(class_names)
    figure = Figure(figsize=(size + 0.8, size), layout="constrained")
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, predicted in np.ndindex(*counts.shape):
        colour = "white" if shares[true, predicted] > 0.5 else "black"
        axes.text(predicted, true, str(counts[true, predicted]), ha="center", va="center", color=colour, fontsize=8)
    ticks = range(len(class_names))
    axes.set(xlabel="predicted", ylabel="true", xticks=ticks, yticks=ticks, yticklabels=class_names)
    axes.set_xticklabels(class_names, rotation=45 if max(map(len, class_names)) > 3 else 0)
    return figure


def draw_predicted_against_true(predicted: NDArray[np.floating], true: NDArray[np.floating]) -> Figure:
    """Predictions (N, T) against the truth (N, T); on the line they are right."""
    figure = Figure(figsize=(4.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(true.ravel(), predicted.ravel(), ".", color=COLOURS["train"], alpha=0.6)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes.plot(ends, ends, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlabel="true", ylabel="predicted")
    return figure
