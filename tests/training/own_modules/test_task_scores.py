"""A user's module that does the task of the data is compared with the baselines, any other is not."""

import io
from pathlib import Path

import pytest
import torch
from modules.made_modules import task
from own_modules import write_mistake
from rich.console import Console
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import balanced_accuracy_score, root_mean_squared_error

from lab.config.experiment import load
from lab.data.preparation import Scale
from lab.modules.tasks.regression import RegressionModule
from lab.tracking.reading import stored_runs
from lab.tracking.reading.baselines import standing_of
from lab.training import run as training
from lab.training.building import build
from lab.training.own_modules.own_module import OwnObserver
from lab.training.own_modules.task_scores import TaskScores
from lab.training.results.report import outcome

pytestmark = pytest.mark.usefixtures("workplace")

REGRESSION = """
import lightning as L
import torch


class Regressor(L.LightningModule):
    def __init__(self, model: torch.nn.Module, standardised: bool = True):
        super().__init__()
        self.model, self.standardised = model, standardised
        self.errors = []

    def forward(self, x):
        return self.model(x).squeeze(1)

    def training_step(self, batch, batch_idx):
        return torch.nn.functional.mse_loss(self(batch[0]), batch[1].squeeze(1))

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.training_step(batch, batch_idx))

    def test_step(self, batch, batch_idx):
        self.errors.append((self(batch[0]) - batch[1].squeeze(1)).square())

    def on_test_epoch_end(self):
        self.log("test_rmse", torch.cat(self.errors).mean().sqrt() * (1 if self.standardised else 2))
        self.errors = []

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)
"""
REGRESSOR = """
data: {kind: diabetes}
model: {kind: mlp, hidden: 16, layers: 1}
module: {kind: "regressors:Regressor"}
trainer: {max_epochs: 20}
"""


def lines(result: training.Result) -> str:
    """What a run prints."""
    console = Console(width=200, file=io.StringIO())
    with console.capture() as captured:
        console.print(outcome(result))
    return captured.get()


def test_mixup_is_compared_with_both_baselines_as_a_run_of_the_lab_is() -> None:
    short = ["trainer.max_epochs=2", "trainer.limit_train_batches=4"]
    own = training.run(load("mixup", short))
    labs = training.run(load("conv1d", ["data.batch_size=64", *short]))
    assert own.main_metric == "accuracy"
    assert own.baseline["test/accuracy"] == labs.baseline["test/accuracy"]
    assert own.quick_baseline == {"test/accuracy": labs.quick_baseline["test/accuracy"]}
    low, high = own.intervals["test/accuracy"]
    assert low < own.metrics["test/accuracy"] < high
    printed = lines(own)
    assert "the majority class" in printed.splitlines()[0]
    stored = stored_runs.find("latest:mixup")
    standing = standing_of(stored.tags, stored.metrics)
    assert standing is not None
    assert standing.sentence == printed.splitlines()[0].strip()


def test_a_distilled_network_is_compared() -> None:
    training.run(load("conv2d", ["trainer.max_epochs=1", "model.channels=4", "model.layers=1"]))
    result = training.run(load("distill", ["trainer.max_epochs=1"]))
    assert (result.baseline_name, result.quick_baseline_name) == ("majority class", "logistic regression")
    assert result.quick_baseline["test/accuracy"] > 0.9


@pytest.mark.parametrize("name", ["autoencoder", "gan"])
def test_what_does_something_else_with_the_data_is_not(name: str) -> None:
    result = training.run(load(name, ["trainer.max_epochs=1"]))
    assert (result.main_metric, result.baseline, result.quick_baseline, result.intervals) == ("", {}, {}, {})
    assert not [text for subject, text in result.notes if subject == "baseline"]
    assert not {"lab.main_metric", "lab.baseline"} & stored_runs.find(f"latest:{name}").tags.keys()


def logs_at_test(workplace: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> training.Result:
    indented = "\n".join(f"        {line}" for line in body.splitlines())
    write_mistake(workplace, monkeypatch, f"    def test_step(self, batch, batch_idx):\n{indented}")
    return training.run(load("mistake", ["trainer.max_epochs=1"]))


def test_an_accuracy_over_classes_is_compared_with_that_of_the_majority_class(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = logs_at_test(
        workplace,
        monkeypatch,
        "self.macro = getattr(self, 'macro', MulticlassAccuracy(10))\n"
        "self.macro(self(batch[0]), batch[1])\nself.log('test_acc', self.macro)",
    )
    data = build(load("mistake")).data
    y = {split: data.splits[split].y.numpy() for split in ("train", "test")}
    majority = DummyClassifier().fit(y["train"][:, None], y["train"]).predict(y["test"][:, None])
    assert result.baseline["test/acc"] == pytest.approx(balanced_accuracy_score(y["test"], majority))


def test_a_number_that_is_not_the_accuracy_of_the_outputs_is_compared_with_none_and_the_reason_is_said(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = logs_at_test(workplace, monkeypatch, "self.log('test_accuracy', 0.125)")
    assert (result.baseline, result.quick_baseline) == ({}, {})
    ((_, note),) = [note for note in result.notes if note[0] == "baseline"]
    assert note.startswith("none: the module logs test/accuracy 0.125, but the accuracy of its outputs over all test")


def test_the_error_of_values_is_compared_in_the_units_in_which_it_is_logged(workplace: Path) -> None:
    (workplace / "regressors.py").write_text(REGRESSION)
    (workplace / "experiments" / "regressor.yaml").write_text(REGRESSOR)
    result = training.run(load("regressor"))
    data = build(load("regressor")).data
    y = {split: data.splits[split].y.numpy() for split in ("train", "test")}
    mean = DummyRegressor().fit(y["train"], y["train"]).predict(y["test"])
    assert result.baseline["test/rmse"] == pytest.approx(root_mean_squared_error(y["test"], mean), rel=1e-5)
    assert result.metrics["test/rmse"] < result.baseline["test/rmse"]
    low, high = result.intervals["test/rmse"]
    assert low < result.metrics["test/rmse"] < high
    assert not lines(result).startswith("No better than the training mean")
    assert result.quick_baseline["test/rmse"] < result.baseline["test/rmse"]


def test_a_metric_of_the_task_has_the_direction_that_it_has_there() -> None:
    columns = {"mass": slice(0, 1), "length": slice(1, 2)}
    scale = Scale(torch.zeros(2), torch.ones(2))
    of_task = TaskScores(RegressionModule(scale, columns, **task(torch.nn.MSELoss())), {"mae_mass": "mae_mass"})
    observer = OwnObserver({}, 0, 0)
    observer.logged["test/mae_mass"] = "test_mae_mass"  # a name that no table knows
    assert observer.directions() == {}
    observer.task_scores = of_task
    assert (observer.main_metric, observer.directions()) == ("mae_mass", {"mae_mass": False})
    declared = OwnObserver({"mae_mass": True}, 0, 0)
    declared.task_scores = of_task
    assert declared.directions() == {"mae_mass": True}
