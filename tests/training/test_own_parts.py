"""Parts of one's own in a file where one works: each in a whole run, each refused in words where it does not fit."""

import sys
from pathlib import Path

import pytest

from lab.config.experiment import from_sections, load, parse
from lab.errors import LabError
from lab.tracking.reading import stored_runs
from lab.training import provenance
from lab.training import run as training
from lab.training.building import build

IDEAS = '''
import numpy as np
import torch
from torch import nn
from torchmetrics import Metric

from lab.data.base import SampleDataModule, Samples


class Spirals(SampleDataModule):
    """Two spirals."""

    def __init__(self, turns: float = 1.0, seed: int = 0):
        super().__init__(batch_size=32, seed=seed)
        self.turns = turns

    def read(self) -> Samples:
        angle = np.linspace(0.5, 2 * np.pi * self.turns, 150)
        arm = np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=1)
        y = np.repeat([0, 1], 150)
        return Samples(np.concatenate([arm, -arm]), y, class_names=["in", "out"])


class Net(nn.Module):
    def __init__(self, in_features: int, classes: int, out_features: int, width: int = 8):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(in_features, width), nn.Tanh(), nn.Linear(width, out_features))

    def forward(self, x):
        return self.net(x)


class Focal(nn.Module):
    def __init__(self, gamma: float = 2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, target):
        loss = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return ((1 - (-loss).exp()) ** self.gamma * loss).mean()


class SignSGD(torch.optim.Optimizer):
    def __init__(self, params, lr: float = 0.01):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                p -= group["lr"] * p.grad.sign()
        return loss


def halving(optimizer, every: int = 2) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.StepLR(optimizer, every, 0.5)


class Sure(Metric):
    """Share of the predictions that are sure of themselves."""

    higher_is_better = True

    def __init__(self, above: float = 0.6):
        super().__init__()
        self.above = above
        self.add_state("sure", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("all", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted, true):
        self.sure += (predicted.max(1).values > self.above).sum()
        self.all += len(true)

    def compute(self):
        return self.sure / self.all


class Undirected(Sure):
    higher_is_better = None


class Whole(Sure):
    def compute(self):
        return torch.zeros(3)
'''

SECTIONS = {
    "data": {"kind": "own_ideas:Spirals", "turns": 1.5},
    "model": {"kind": "own_ideas:Net", "width": 16},
    "loss": {"kind": "own_ideas:Focal", "gamma": 1.0},
    "optimizer": {"kind": "own_ideas:SignSGD", "lr": 0.005},
    "scheduler": {"kind": "own_ideas:halving", "every": 1},
    "metrics": {
        "sure": {"kind": "own_ideas:Sure", "above": 0.55},
        "kappa": {"kind": "torchmetrics.classification:MulticlassCohenKappa"},
        "brier": {"kind": "torchmetrics.classification:BinaryCalibrationError"},
    },
    "early_stopping": {"monitor": "val/sure"},
    "trainer": {"max_epochs": 2},
}


@pytest.fixture(autouse=True)
def ideas(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "own_ideas.py").write_text(IDEAS)
    monkeypatch.delitem(sys.modules, "own_ideas", raising=False)  # of another test, from another folder


def refusal(name: str, *overrides: str) -> str:
    with pytest.raises(LabError) as caught:
        build(load(name, overrides))
    return str(caught.value)


def test_a_run_in_which_every_part_is_ones_own() -> None:
    experiment = from_sections("own", "Does it all work?", SECTIONS)
    result = training.run(experiment)
    assert result.task == "classification"
    assert {"test/sure", "test/kappa", "test/brier", "test/accuracy"} <= set(result.metrics)
    assert result.run_id is not None
    stored = stored_runs.find(result.run_id)
    assert stored.metrics["best/val/sure"] >= result.metrics["val/sure"]
    assert stored.metrics["test/kappa"] == result.metrics["test/kappa"]
    assert stored.params["loss.kind"] == "own_ideas:Focal"
    assert "own_ideas:Sure" in stored.params["metrics.sure"]
    assert stored.metrics["lr"] == 0.0025  # that of the last epoch, not of one after it
    again = parse("own", stored.artifact("config.yaml").read_text(encoding="utf-8"))
    assert again.metrics == experiment.metrics
    assert stored.artifact("code/own_ideas.py").read_text() == IDEAS  # no git here: it is not tracked


def test_changed_code_of_ones_own_is_said_when_a_run_is_reproduced(workplace: Path) -> None:
    result = training.run(from_sections("own", "", SECTIONS))
    assert result.run_id is not None
    run = stored_runs.find(result.run_id)
    assert provenance.code_differences(run) == []
    (workplace / "own_ideas.py").write_text(f"{IDEAS}# changed\n")
    assert provenance.code_differences(run) == ["code: own_ideas.py is not as in the run"]


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("{kind: 'own_ideas:Sore'}", "metrics.mine.kind: own_ideas has no 'Sore'; did you mean Sure?"),
        ("{kind: 'own_ideas:Sure', abov: 1.0}", "metrics.mine.abov: no such setting; did you mean metrics.mine.above?"),
        ("{kind: 'own_ideas:Focal'}", "metrics.mine.kind: own_ideas:Focal is not called"),
        ("{kind: 'own_ideas:Undirected'}", "does not say whether higher is better"),
        (
            "{kind: 'own_ideas:Whole'}",
            "metrics.mine: own_ideas:Whole cannot measure predictions (64, 10) against (64,)",
        ),
        ("{kind: 'torchmetrics.classification:BinaryF1Score'}", "is for two classes, the data has 10"),
        ("{kind: 'torchmetrics.regression:MeanSquaredError'}", "cannot measure predictions (64, 10) against (64,)"),
        ("{kind: accuracy}", "metrics.mine.kind: no such kind 'accuracy'"),
        ("{}", "metrics.mine.kind: is required; package.module:Class"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused(metric: str, message: str) -> None:
    assert message in refusal("digits", f"metrics={{mine: {metric}}}")


def test_names_of_the_tasks_own_metrics_are_taken() -> None:
    assert "metrics.accuracy: is taken by a metric of the task" in refusal(
        "digits", "metrics={accuracy: {kind: 'own_ideas:Sure'}}"
    )


def test_a_metric_for_classes_is_refused_where_there_are_none() -> None:
    message = refusal("diabetes", "metrics={kappa: {kind: 'torchmetrics.classification:MulticlassCohenKappa'}}")
    assert "asks for `num_classes`, but there are no classes to predict" in message


@pytest.mark.parametrize("kind", ["SpearmanCorrCoef", "MeanAbsolutePercentageError"])
def test_metrics_of_values(kind: str) -> None:
    built = build(load("diabetes", [f"metrics={{mine: {{kind: 'torchmetrics.regression:{kind}'}}}}"]))
    assert "mine" in built.module.directions()
