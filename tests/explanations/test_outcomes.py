"""Which samples a run gets most wrong, against a plain loop."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch.nn.functional import binary_cross_entropy, cross_entropy

from lab.data.time_series.windows import WindowDataset
from lab.explanations.explain import explain
from lab.explanations.outcomes import Outcomes, lists, outcomes
from lab.explanations.trained import Trained, load
from lab.modules.tasks.thresholds import ThresholdModule
from lab.tracking.reading import stored_runs


def trained_run(name: str) -> Trained:
    return load(stored_runs.find(name))


def test_classes(folder: Path) -> None:
    trained = trained_run("digits")
    found = outcomes(trained, "val")
    x, y = trained.samples("val", torch.arange(len(found)))
    logits = trained.module(x)
    losses = cross_entropy(logits, y, reduction="none")
    probabilities = logits.softmax(1)
    np.testing.assert_allclose(found.loss, losses, rtol=1e-5)
    assert found.wrong is not None
    assert found.wrong.sum() == (logits.argmax(1) != y).sum()
    chosen = lists(trained, "val", found)
    assert list(chosen) == ["most confident errors", "highest loss", "confident and right"]
    assert chosen["highest loss"].tolist() == losses.argsort(descending=True)[:12].tolist()
    errors = [n for n in probabilities.amax(1).argsort(descending=True).tolist() if logits[n].argmax() != y[n]]
    assert chosen["most confident errors"].tolist() == errors[:12]
    right = chosen["confident and right"]
    assert (logits[right].argmax(1) == y[right]).all()


def test_of_two_classes_the_threshold_of_the_run_decides(folder: Path) -> None:
    trained = trained_run("cancer")
    x, _ = trained.samples("val", torch.arange(len(outcomes(trained, "val"))))
    second = trained.module(x).sigmoid().flatten().numpy()
    assert isinstance(trained.module, ThresholdModule)
    trained.module.thresholds = (0.99,)
    found = outcomes(trained, "val")
    assert ((second > 0.5) != (second > 0.99)).any()
    assert found.predicted.tolist() == (second > 0.99).astype(int).tolist()


def test_of_labels_an_error_is_as_confident_as_its_most_confident_wrong_label(folder: Path) -> None:
    trained = trained_run("tags")
    found = outcomes(trained, "val")
    x, y = trained.samples("val", torch.arange(len(found)))
    probabilities = trained.module(x).sigmoid()
    np.testing.assert_allclose(
        found.loss, binary_cross_entropy(probabilities, y.float(), reduction="none").mean(1), 1e-5
    )
    assert isinstance(trained.module, ThresholdModule)
    said = (probabilities > torch.tensor(trained.module.thresholds)).long()
    assert (found.predicted == said.numpy()).all()
    assert found.wrong is not None
    assert found.confidence is not None
    assert found.wrong.tolist() == (said != y).any(1).tolist()
    sure = torch.where(said == 1, probabilities, 1 - probabilities)
    for number in lists(trained, "val", found)["most confident errors"]:
        most = max(float(sure[number, label]) for label in range(3) if said[number, label] != y[number, label])
        assert found.confidence[number] == pytest.approx(most, rel=1e-5)
    (first, *_) = explain("tags").samples
    assert set(first["true"].split(";")) <= {"blue", "green", "red", "none"}
    assert first["label"] in (set(first["true"].split(";")) ^ set(first["predicted"].split(";")))


def test_of_ordered_classes_the_median_is_said(folder: Path) -> None:
    trained = trained_run("grades")
    found = outcomes(trained, "val")
    x, y = trained.samples("val", torch.arange(len(found)))
    probabilities = trained.module.predictions(trained.module(x))
    said = [int((row.cumsum(0)[:-1] < 0.5).sum()) for row in probabilities]
    assert found.predicted.tolist() == said
    np.testing.assert_allclose(found.loss, -probabilities.gather(1, y[:, None])[:, 0].log(), rtol=1e-4)
    assert explain("grades").samples[0]["true"] in ("low", "mid", "high")


def test_the_metric_is_that_of_the_run(folder: Path) -> None:
    for name in ("digits", "cancer", "sales", "shop", "grades"):
        trained = trained_run(name)
        main = trained.module.main_metric
        assert outcomes(trained, "val").score == pytest.approx(trained.run.metrics[f"at_best/val/{main}"], rel=1e-6)


def test_classes_are_those_that_the_threshold_of_the_run_decides(folder: Path) -> None:
    trained = trained_run("decided")
    (limit,) = json.loads(trained.run.artifact("encoding.json").read_text())["output"]["thresholds"]
    assert limit != 0.5
    found = outcomes(trained, "val")
    x, y = trained.samples("val", torch.arange(len(found)))
    probability = trained.module(x).sigmoid()[:, 0]
    said = probability > limit
    assert found.predicted.tolist() == said.int().tolist()
    assert found.confidence == pytest.approx(torch.where(said, probability, 1 - probability).numpy(), rel=1e-5)
    assert found.score == pytest.approx(f1_score(y, said, average="macro"), abs=1e-6)


def test_values_are_ranked_by_their_residual(folder: Path) -> None:
    trained = trained_run("shop")
    found = outcomes(trained, "val")
    assert found.wrong is None
    residuals = np.abs(found.true - found.predicted)[:, 0]
    chosen = lists(trained, "val", found)
    assert chosen["largest errors"].tolist() == np.argsort(-residuals)[:12].tolist()
    assert chosen["smallest errors"].tolist() == np.argsort(residuals)[:12].tolist()


def test_listed_windows_do_not_overlap_in_what_they_forecast(folder: Path) -> None:
    trained = trained_run("sales")
    found = outcomes(trained, "val")
    windows = trained.data.splits["val"]
    assert isinstance(windows, WindowDataset)
    assert found.error is not None
    chosen = lists(trained, "val", found)
    for name, order in (("largest errors", np.argsort(-found.error)), ("smallest errors", np.argsort(found.error))):
        expected: list[int] = []
        for number in order:  # windows of 3 steps that touch each other do not overlap
            if not any(abs(windows.starts[number] - windows.starts[other]) < 3 for other in expected):
                expected.append(int(number))
        assert chosen[name].tolist() == expected[:12]


def test_the_class_that_is_predicted_or_the_worst_label_is_explained_and_of_values_the_first() -> None:
    whole, halves = np.array([2, 1]), np.array([0.5, 0.5])
    classes = Outcomes(np.array([0, 1]), whole, halves, 0.5, confidence=halves)
    labels = Outcomes(np.eye(2), np.ones((2, 2)), halves, 0.5, confidence=halves, label=np.array([1, 0]))
    values = Outcomes(whole[:, None] + 0.5, whole[:, None] + 1.5, halves, 0.5, error=halves)
    found = [[of.explained(number) for number in (0, 1)] for of in (classes, labels, values)]
    assert found == [[2, 1], [1, 0], [0, 0]]
