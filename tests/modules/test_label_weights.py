"""Weights of samples with labels or ordered classes: losses and metrics of scikit-learn with `sample_weight`."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from modules.made_modules import task
from modules.test_sample_weights import LABELS, LOGITS, TIGHT, WEIGHT, scores
from sklearn import metrics as reference
from torch import nn

from lab.config.experiment import from_sections
from lab.errors import LabError
from lab.modules.tasks.multilabel import MultilabelModule
from lab.modules.tasks.ordinal import OrderedProbabilities, OrdinalLoss, OrdinalModule
from lab.training.baselines import quick_baseline
from lab.training.building import Built, build
from lab.training.rehearsal.whole_batch import rehearse


def test_the_loss_and_the_metrics_of_labels_are_those_of_scikit_learn() -> None:
    y, weight = (LOGITS.flip(0) > 0.3).long(), WEIGHT.numpy()
    module = MultilabelModule(["a", "b", "c"], [1, 1, 1], 3, weighted=True, **task(nn.BCEWithLogitsLoss()))
    found = scores(module, LOGITS, y)
    true, p = y.numpy(), LOGITS.double().sigmoid().numpy()
    said, each = p > 0.5, range(3)
    losses = [reference.log_loss(true[:, label], p[:, label], sample_weight=weight) for label in each]
    areas = [reference.roc_auc_score(true[:, label], p[:, label], sample_weight=weight) for label in each]
    f1 = {kind: reference.f1_score(true, said, average=kind, sample_weight=weight) for kind in ("micro", "macro")}
    expected = {
        "loss": np.mean(losses),
        "auroc": np.mean(areas),
        "auroc_b": areas[1],
        **{f"f1_{kind}": value for kind, value in f1.items()},
        "f1_c": reference.f1_score(true[:, 2], said[:, 2], sample_weight=weight),
        "recall_a": reference.recall_score(true[:, 0], said[:, 0], sample_weight=weight),
        "subset_accuracy": reference.accuracy_score(true, said, sample_weight=weight),
        "hamming_loss": reference.hamming_loss(true, said, sample_weight=weight),
        "lrap": reference.label_ranking_average_precision_score(true, p, sample_weight=weight),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value), rel=TIGHT), name


def test_those_of_ordered_classes_too() -> None:
    outputs, weight = LOGITS[:, :2].sort(descending=True).values, WEIGHT.numpy()
    module = OrdinalModule(["a", "b", "c"], [1, 1, 1], weighted=True, **task(OrdinalLoss()))
    found = scores(module, outputs, LABELS)
    p = OrderedProbabilities()(outputs.double()).numpy()
    y, said = LABELS.numpy(), (p.cumsum(1)[:, :-1] < 0.5).sum(1)
    expected = {
        "loss": reference.log_loss(y, p, sample_weight=weight),
        "kappa": reference.cohen_kappa_score(y, said, weights="quadratic", sample_weight=weight),
        "mae": reference.mean_absolute_error(y, said, sample_weight=weight),
        "accuracy": reference.accuracy_score(y, said, sample_weight=weight),
        "balanced_accuracy": reference.balanced_accuracy_score(y, said, sample_weight=weight),
        "recall_b": reference.recall_score(y, said, average=None, sample_weight=weight)[1],
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value), rel=TIGHT), name


def built(target: str, weight: bool = True, **sections: Any) -> Built:
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 3))
    rows = pd.DataFrame(x, columns=["a", "b", "c"])
    rows["tags"] = [";".join(np.array(["blue", "red"])[row]) for row in x[:, :2] + random.normal(size=(200, 2)) > 0.5]
    rows["grade"] = np.array(["low", "mid", "high"])[np.digitize(x[:, 0] + random.normal(size=200), [-0.5, 0.5])]
    rows["times"] = random.integers(0, 4, 200)
    rows.to_csv("rows.csv", index=False)
    tasks = {"tags": {"task": "multilabel"}, "grade": {"task": "ordinal", "order": ["low", "mid", "high"]}}
    rest = [name for name in ("tags", "grade", "times") if name != target and (name != "times" or not weight)]
    data = {"kind": "table", "path": "rows.csv", "target": target, "drop": rest, "batch_size": 16, **tasks[target]}
    data |= {"weight": "times"} if weight else {}
    return build(from_sections("rows", "", {"data": data, "model": {"kind": "mlp", "hidden": 8}, **sections}))


@pytest.mark.usefixtures("empty_workplace")
class TestTraining:
    @pytest.mark.parametrize("target", ["tags", "grade"])
    def test_a_sample_counts_as_often_as_it_weighs(self, target: str) -> None:
        """Both baselines are measured on the test split as if each of its rows were there as often as it weighs."""
        made = built(target)
        assert np.isfinite(rehearse(made).loss)
        quick = quick_baseline.measure(made).metrics
        test: Any = made.data.splits["test"]
        often = torch.repeat_interleave(torch.arange(len(test)), test.weight.long())
        test.weight = torch.ones(len(often))
        test.unweighted.x, test.unweighted.y = test.unweighted.x[often], test.unweighted.y[often]
        for name, value in quick_baseline.measure(made).metrics.items():
            assert quick[name] == pytest.approx(value, rel=TIGHT), name

    def test_the_majority_of_a_label_is_that_of_the_weights(self) -> None:
        data = built("tags").data
        train: Any = data.splits["train"]
        expected = (train.weight[:, None] * train.unweighted.y).sum(0)
        assert data.label_counts == pytest.approx(expected.tolist())
        assert data.train_weight == pytest.approx(float(train.weight.sum()))

    def test_a_threshold_that_is_chosen_is_refused_in_one_line(self) -> None:
        with pytest.raises(LabError, match=r"^data.weight: a threshold is not measured with weights; leave one of"):
            built("tags", threshold="f1")
        built("tags", threshold=0.3)
