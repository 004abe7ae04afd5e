"""Experiments on labels and ordered classes: their baselines, and what a threshold is refused for."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from resumed import assert_goes_on
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from lab.config.experiment import from_sections, load
from lab.errors import LabError
from lab.modules import training_step
from lab.modules.metrics import epoch_scores
from lab.modules.tasks.classification import ClassificationModule
from lab.modules.tasks.multilabel import MultilabelModule
from lab.modules.tasks.thresholds import best
from lab.training.baselines import quick_baseline
from lab.training.building import Built, build
from lab.training.rehearsal.check import check

pytestmark = pytest.mark.usefixtures("empty_workplace")
RANDOM = np.random.default_rng(0)


def arrays(built: Built, split: str) -> tuple[Any, Any]:
    dataset: Any = built.data.splits[split]
    return dataset.x.flatten(1).double().numpy(), dataset.y.numpy()


def test_the_baselines_of_labels_are_their_majority_and_one_regression_for_each() -> None:
    built = build(load("labels"))
    (x, y), (x_val, y_val), (x_test, y_test) = (arrays(built, split) for split in ("train", "val", "test"))
    said = []
    for label in range(y.shape[1]):
        model = LogisticRegression(max_iter=100, random_state=0).fit(x, y[:, label])
        scores, of_test = (model.predict_proba(part)[:, 1].astype(np.float32) for part in (x_val, x_test))
        limit = best(scores, y_val[:, label], "f1", of_both=False)
        assert limit is not None
        said.append(of_test > np.float32(limit))
    found = quick_baseline.measure(built)
    assert found.name == "one-vs-rest logistic regression"
    assert found.metrics["test/f1_macro"] == pytest.approx(
        f1_score(y_test, np.array(said).T, average="macro"), abs=1e-6
    )
    assert built.task_module.thresholds == (0.5,) * 4  # type: ignore[attr-defined]
    majority = np.tile(y.mean(0) > 0.5, (len(y_test), 1))
    trivial = built.task_module.score_trivial(built.data.loader("test"))
    assert trivial["f1_macro"] == pytest.approx(f1_score(y_test, majority, average="macro", zero_division=0))
    assert trivial["subset_accuracy"] == pytest.approx(accuracy_score(y_test, majority))


def test_the_baselines_of_ordered_classes_are_their_median_and_a_logistic_regression() -> None:
    built = build(load("ordinal"))
    (x, y), (x_test, y_test) = (arrays(built, split) for split in ("train", "test"))
    model = LogisticRegression(max_iter=100, random_state=0).fit(x, y)
    said = (model.predict_proba(x_test).cumsum(1)[:, :-1] < 0.5).sum(1)
    found = quick_baseline.measure(built)
    assert found.metrics["test/mae"] == pytest.approx(np.abs(said - y_test).mean(), abs=1e-6)
    trivial = built.task_module.score_trivial(built.data.loader("test"))
    assert trivial["mae"] == pytest.approx(np.abs(np.sort(y)[(len(y) - 1) // 2] - y_test).mean())
    assert trivial["kappa"] == pytest.approx(0)


def test_a_label_without_a_training_sample_has_a_baseline_too() -> None:
    built = build(load("labels"))
    built.data.splits["train"].y[:, 2] = 0  # type: ignore[attr-defined]
    assert np.isfinite(quick_baseline.measure(built).metrics["test/f1_macro"])


@pytest.mark.parametrize("name", ["labels", "ordinal"])
def test_a_check_says_what_a_guess_costs(name: str) -> None:
    found = check(load(name))
    assert found.guess == pytest.approx(found.loss, rel=0.2)
    assert not found.not_exported


def test_no_threshold_leaves_the_metrics_of_classes_as_they_are() -> None:
    plain, half = (build(load("breast_cancer", overrides)) for overrides in ([], ["threshold=0.5"]))
    outputs = torch.randn(64, 1)
    batch = (torch.zeros(64, 1), torch.from_numpy(RANDOM.integers(2, size=64)))
    values = []
    for built in (plain, half):
        metrics = built.task_module.new_metrics("test")
        metrics.update(**built.task_module.scored(outputs, batch))
        values.append({str(name): float(value) for name, value in metrics.compute().items()})
    assert values[0] == pytest.approx(values[1], nan_ok=True)
    assert "decided" not in plain.task_module.scored(outputs, batch)
    assert isinstance(half.module, ClassificationModule)
    assert half.module.described == ""


def test_a_threshold_of_ones_own_counts_in_every_metric_that_decides() -> None:
    built = build(load("breast_cancer", ["threshold=0.9"]))
    outputs, target = torch.randn(64, 1) * 3, torch.from_numpy(RANDOM.integers(2, size=64))
    metrics = built.task_module.new_metrics("test")
    metrics.update(**built.task_module.scored(outputs, (outputs, target)))
    said = (outputs.sigmoid()[:, 0] > 0.9).long().numpy()
    found = {str(name): float(value) for name, value in metrics.compute().items()}
    assert found["accuracy"] == pytest.approx(accuracy_score(target, said))
    assert found["f1"] == pytest.approx(f1_score(target, said, average="macro"))
    assert found["recall_benign"] == pytest.approx(said[target.numpy() == 1].mean())
    assert found["auroc"] == pytest.approx(roc_auc_score(target, outputs[:, 0]), abs=1e-6)


def test_where_the_validation_split_has_no_yes_the_usual_threshold_stays_and_that_is_said() -> None:
    built = build(load("labels"))
    assert isinstance(built.module, MultilabelModule)
    built.data.splits["val"].y[:, 1] = 0  # type: ignore[attr-defined]
    built.module.choose_thresholds(built.data.loader("val"))
    assert built.module.thresholds[1] == 0.5
    assert built.module.undecided == ["prime"]
    assert "0.5 where it has only yes or only no: prime" in built.module.described


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("diabetes", "threshold=0.3", "threshold: is for two classes or for labels, not for regression; leave it out"),
        ("sunspots", "threshold=f1", "threshold: is for two classes or for labels, not for forecasting; leave it out"),
        ("digits", "threshold=f1", "threshold: is for two classes or for labels, not for 10 classes; leave it out"),
        ("ordinal", "threshold=f1", "threshold: is for two classes or for labels, not for ordinal; leave it out"),
        ("labels", "threshold=1.5", "threshold: must be less than 1, or f1, balanced_accuracy or accuracy, not 1.5"),
        ("labels", "threshold=f2", "threshold: must be a number, or f1, balanced_accuracy or accuracy, not 'f2'"),
        ("gan", "threshold=0.3", "threshold: would not be used, since module: has its own"),
        ("labels", "loss.kind=mse", "loss.kind: mse does not fit multilabel; use bce"),
        ("labels", "loss={kind: bce, class_weights: {odd: 3}}", "loss.class_weights: are for classes"),
        ("ordinal", "loss.kind=cross_entropy", "loss.kind: cross_entropy does not fit ordinal; use ordinal"),
    ],
)
def test_what_fits_no_task_is_refused(name: str, override: str, message: str) -> None:
    with pytest.raises(LabError) as refused:
        build(load(name, [override]))
    assert message in refused.value.lines[0]


def test_metrics_of_ones_own_get_the_number_of_labels() -> None:
    kind = "{kind: 'torchmetrics.classification:MultilabelExactMatch'}"
    built = build(load("labels", [f"metrics={{exact: {kind}}}"]))
    assert built.observer.directions()["exact"]
    with pytest.raises(LabError, match="asks for `num_labels`, but there are no labels to predict"):
        build(load("digits", [f"metrics={{exact: {kind}}}"]))
    kind = "{kind: 'torchmetrics.classification:BinaryRecall'}"
    with pytest.raises(LabError, match="BinaryRecall is for two classes, the data has 4 labels"):
        build(load("labels", [f"metrics={{of_yes: {kind}}}"]))


def test_images_may_have_several_labels(tmp_path: Path) -> None:
    from made_data import draw

    draw(tmp_path / "pictures", 12)
    paths = sorted((tmp_path / "pictures").rglob("*.png"))
    tags = [
        "light;small" if "light" in str(path) else "small" if number % 2 else "" for number, path in enumerate(paths)
    ]
    names = [str(path.relative_to(tmp_path)) for path in paths]
    pd.DataFrame({"file": names, "tags": tags}).to_csv(tmp_path / "list.csv", index=False)
    data = {"kind": "images", "path": "list.csv", "target": "tags", "task": "multilabel", "batch_size": 4}
    built = build(from_sections("tagged", "", {"data": data, "model": {"kind": "conv2d", "channels": 4}}))
    assert (built.data.task, built.data.class_names) == ("multilabel", ("light", "small"))


@pytest.mark.parametrize(
    ("name", "overrides", "stop"),
    [
        ("labels", ("model={kind: linear}", "trainer.max_epochs=2", "data.batch_size=256", "threshold=f1"), 7),
        ("ordinal", ("trainer.max_epochs=2", "data.batch_size=128"), 3),
    ],
)
def test_a_run_that_was_broken_off_goes_on_to_the_last_bit(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, name: str, overrides: tuple[str, ...], stop: int
) -> None:
    monkeypatch.setattr(training_step, "MAX_BATCHES", 1)
    monkeypatch.setattr(epoch_scores, "BUFFERED_ROWS", 300)  # the metrics hold a part of the epoch
    assert_goes_on(workplace, name, ("checkpoints.every_seconds=0", *overrides), (stop,))
