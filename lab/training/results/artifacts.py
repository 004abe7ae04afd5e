"""The artifacts of a run: its origin, curves, test outputs and exported model."""

import contextlib
import dataclasses
from collections.abc import Sequence
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
from lab.modules.tasks import combination
from lab.modules.tasks.regression import RegressionModule
from lab.modules.tasks.task import TaskModule
from lab.modules.tasks.thresholds import ThresholdModule
from lab.tracking import models, store
from lab.tracking.writing.tracker import Tracker
from lab.training import provenance
from lab.training.building import Built
from lab.training.checkpoints.callback import BestAndLast

EXAMPLE_ROWS = 4
MAX_TEST_SAMPLES = 20_000  # whose probabilities are kept
MAX_PROBABILITIES = 2_000_000


def keep_origin(built: Built, tracker: Tracker, code: bool) -> None:
    """Save encoding, split, model summary, the files that are skipped, and, with `code`, the code unknown to git."""
    if code:
        keep_code(tracker)
    tracker.text("encoding.json", f"{files.to_json(encoding_of(built), indent=1)}\n")
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
    bands = built.module.bands() if isinstance(built.module, RegressionModule) else []
    limits = list(getattr(built.module, "thresholds", ()))
    shares = combination.shares_of(built.module.architecture) if isinstance(built.module, TaskModule) else {}
    output = {"task": data.task, **names, **({"bands": bands} if bands else {})}
    output |= {"thresholds": limits} if limits else {}
    encoding = data.encoding
    if isinstance(encoding, SequenceEncoding):
        encoding = dataclasses.replace(encoding, longest=_longest(built))
    return {"input": encoding.as_json(), "output": output, **({"shares": dict(shares)} if shares else {})}


def _longest(built: Built) -> int:
    """The steps that the network takes at most; 0 where its constructor does not ask for the length."""
    network = built.experiment.model or built.experiment.module
    limited = network is not None and schema.accepts(network.target, "length")
    return built.data.sizes.input_shape[1] if limited else 0


def keep_decided(built: Built, tracker: Tracker) -> None:
    """Save what the validation split decided for the weights of the best epoch, thresholds or shares, if anything."""
    module = built.module
    thresholds = module.described if isinstance(module, ThresholdModule) else ""
    shares = combination.described(module.architecture) if isinstance(module, TaskModule) else ""
    said = {store.THRESHOLD_TAG: thresholds, store.COMBINATION_TAG: shares}
    if tags := {name: text for name, text in said.items() if text}:
        tracker.tags(tags)
        tracker.text("encoding.json", f"{files.to_json(encoding_of(built), indent=1)}\n")


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
    """Save what was predicted for the test split and what is true: as data and as a figure.

    The confusion matrix of classes, the scores of labels, or values.
    """
    outputs = built.observer.test_outputs
    if not outputs or built.data.task == "language":  # of a module of one's own; or a token for every character
        return
    from lab.training.results import figures  # matplotlib takes a while to import

    predicted = torch.cat([part["preds"] for part in outputs]).cpu().numpy()
    true = torch.cat([part["target"] for part in outputs]).cpu().numpy()
    if built.data.task == "multilabel":
        content = label_scores(true, _decided(outputs), built.data.class_names)
        tracker.text("labels.json", files.to_json(content) + "\n")
        _keep_probabilities(tracker, true, predicted, built.data.class_names)
        file, figure = "figures/labels.png", figures.label_bars(content)
    elif built.data.task in ("classification", "ordinal"):
        names = built.data.class_names
        counts = confusion_counts(true, _decided(outputs), len(names))
        matrix = {"class_names": names, "counts": counts.tolist()}
        tracker.text("confusion_matrix.json", files.to_json(matrix) + "\n")
        _keep_probabilities(tracker, true, predicted, names)
        file, figure = "figures/confusion_matrix.png", figures.confusion_matrix(counts, names)
    else:
        beside = _beside(built, outputs)
        kinds = ("true", "predicted", *beside)
        header = ",".join(f"{kind}_{step + 1}" for kind in kinds for step in range(true.shape[1]))
        table = np.concatenate([true, predicted, *beside.values()], axis=1)
        np.savetxt(tracker.path("predictions.csv"), table, "%.15g", ",", header=header, comments="")
        tracker.artifact("predictions.csv")
        file = "figures/predicted_against_true.png"
        bands = _bands(beside, built.experiment.conformal)
        figure = figures.predicted_against_true(predicted, true, bands)
        _keep_forecast(built, tracker, true, predicted, bands)
    figure.savefig(tracker.path(file), dpi=120)
    tracker.artifact(file)


def _keep_probabilities(tracker: Tracker, true: np.ndarray, probabilities: np.ndarray, names: Sequence[str]) -> None:
    """Save test_outputs.npz: `probabilities` (N, K), `true`, `names` and the `total` of samples.

    Of a large test split N evenly spread samples. `true` is class numbers (N,), of labels 0 and 1 (N, K).
    """
    total = len(true)
    most = min(MAX_TEST_SAMPLES, max(MAX_PROBABILITIES // probabilities.shape[1], 1))
    chosen = np.unique(np.linspace(0, total - 1, min(most, total)).astype(int))
    content = {"true": true[chosen].astype(np.int32), "probabilities": probabilities[chosen].astype(np.float32)}
    np.savez_compressed(tracker.path("test_outputs.npz"), **content, names=np.array(names, str), total=total)
    tracker.artifact("test_outputs.npz")


def _beside(built: Built, outputs: list[dict[str, torch.Tensor]]) -> dict[str, np.ndarray]:
    """What is predicted beside each value, (N, T), by name: quantiles, and the ends of intervals."""
    module = built.module
    if not isinstance(module, RegressionModule) or not module.bands():
        return {}
    names = module.bands()
    found = {}
    if "quantiles" in outputs[0]:
        quantiles = torch.cat([part["quantiles"] for part in outputs]).cpu().numpy()
        found = {names[index]: quantiles[:, index] for index in range(quantiles.shape[1])}
    ends = [name for name in names if name in outputs[0]]
    return found | {name: torch.cat([part[name] for part in outputs]).cpu().numpy() for name in ends}


def _bands(beside: dict[str, np.ndarray], level: float | None) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """The bands of a figure, the widest first: name, lower and upper ends (N, T)."""
    from lab.training.results import figures

    quantiles = [name for name in beside if name.startswith("quantile")]
    pairs = [(quantiles[index], quantiles[-1 - index]) for index in range(len(quantiles) // 2)]
    bands = [(f"{low} to {high.split()[-1]}", beside[low], beside[high]) for low, high in pairs]
    return bands if level is None else [(f"{figures.INTERVAL} {level:g}", beside["lower"], beside["upper"]), *bands]


def _keep_forecast(built: Built, tracker: Tracker, true: np.ndarray, predicted: np.ndarray, bands: list[Any]) -> None:
    """Save the margins of the intervals, and the figure of a forecast with bands."""
    from lab.training.results import figures

    module = built.module
    if isinstance(module, RegressionModule) and module.conformal is not None:
        samples = len(built.data.splits["val"])  # type: ignore[arg-type]
        content = {"level": module.conformal, "samples": samples, "margins": module.margins.tolist()}
        tracker.text("conformal.json", files.to_json(content) + "\n")
    if bands and built.data.task == "forecasting":
        name = "figures/forecast.png"
        columns = built.data.target_columns()
        figures.forecast(true, predicted, bands, columns).savefig(tracker.path(name), dpi=120)
        tracker.artifact(name)


def confusion_counts(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often each true class (row) was predicted as each class (column), (classes, classes)."""
    return np.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def _decided(outputs: Sequence[dict[str, torch.Tensor]]) -> np.ndarray:
    """What was said of each sample: what the module decided on, else the most probable class."""
    parts = [part["decided"] if "decided" in part else part["preds"].argmax(dim=1) for part in outputs]
    return torch.cat(parts).cpu().numpy()


def label_scores(true: np.ndarray, decided: np.ndarray, names: Sequence[str]) -> dict[str, list[Any]]:
    """Of each label: the samples that have it, precision, recall and F1, None where there is none; from (N, K)."""
    found, said, actual = (true * decided).sum(0), decided.sum(0), true.sum(0)
    scores = {"precision": (found, said), "recall": (found, actual), "f1": (2 * found, said + actual)}
    content: dict[str, list[Any]] = {"labels": list(names), "samples": actual.tolist()}
    for name, (part, of) in scores.items():
        pairs = zip(part.tolist(), of.tolist(), strict=True)
        content[name] = [value / whole if whole else None for value, whole in pairs]
    return content


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
    elif isinstance(built.module, ThresholdModule) and built.module.described:
        models.save_deciding(built.predictor(), encoding_of(built), example, folder)
    else:
        models.save(built.predictor(), example, folder)
