"""A LightningModule of one's own: trained as it says itself, and tracked, resumed and compared like any other."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from resumed import assert_goes_on, fit

import lab
from lab.comparisons import comparison
from lab.comparisons import run as comparing
from lab.config.experiment import load
from lab.errors import LabError
from lab.studies import study
from lab.studies.study import Options
from lab.tracking.reading import stored_runs
from lab.training import building, whole_batch
from lab.training import run as training
from lab.training.own_module import recorded_name
from lab.training.reproduce import reproduce

pytestmark = pytest.mark.usefixtures("workplace")

SHORT = ("data.batch_size=256", "trainer.max_epochs=3", "checkpoints.every_seconds=0")  # 5 or 6 batches an epoch
STANDARD = """
import lightning as L
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

from lab.modules.optimizers import adamw


class Standard(L.LightningModule):
    '''What the lab does by itself, written out.'''

    def __init__(self, model: nn.Module, classes: int, lr: float = 0.01):
        super().__init__()
        self.model, self.lr = model, lr
        self.accuracy = MulticlassAccuracy(classes, average="micro")

    def forward(self, x):
        return self.model(x)

    def training_step(self, batch, batch_idx):
        loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        outputs = self(batch[0])
        self.accuracy(outputs, batch[1])
        self.log("val_loss", nn.functional.cross_entropy(outputs, batch[1]))
        self.log("val_acc", self.accuracy)

    def configure_optimizers(self):
        return adamw(self.parameters(), lr=self.lr)


class Logs(Standard):
    '''Logs in every way that Lightning has, draws random numbers, and has a schedule for each step.'''

    def __init__(self, model: nn.Module, classes: int):
        super().__init__(model, classes)
        self.seen = MulticlassAccuracy(classes)

    def training_step(self, batch, batch_idx):
        x, y = batch
        outputs = self(x + 0.1 * torch.randn_like(x))
        loss = nn.functional.cross_entropy(outputs, y)
        self.seen(outputs, y)
        self.log("seen", self.seen, on_step=False, on_epoch=True)
        self.log("both", loss, on_step=True, on_epoch=True)
        self.log("epoch_only", loss, on_step=False, on_epoch=True)
        self.log("step_only", loss)
        self.log("largest", loss, on_step=False, on_epoch=True, reduce_fx="max")
        self.log("total", loss, on_step=False, on_epoch=True, reduce_fx="sum")
        return loss

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, self.trainer.estimated_stepping_batches)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


class Manual(Standard):
    '''Accumulates over two batches by itself.'''

    def __init__(self, model: nn.Module, classes: int):
        super().__init__(model, classes)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.manual_backward(loss / 2)
        if batch_idx % 2:
            self.optimizers().step()
            self.optimizers().zero_grad()
        self.log("train_loss", loss)


class Two(Manual):
    '''Two optimizers in turn, each with a rate of its own.'''

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()[batch_idx % 2]
        optimizer.zero_grad()
        self.manual_backward(nn.functional.cross_entropy(self(batch[0]), batch[1]))
        optimizer.step()

    def configure_optimizers(self):
        return [torch.optim.SGD(self.parameters(), lr=rate) for rate in (0.1, 0.2)]
"""
FILE = """
data: {kind: digits, batch_size: 256}
model: {kind: mlp, hidden: 16, layers: 1, dropout: 0.2}
module: {kind: "own_modules:KIND"}
trainer: {max_epochs: 3}
"""


class NoProgress:
    """A study's progress that shows nothing."""

    def searching(self, *_: object) -> None: ...
    def confirming(self, *_: object) -> None: ...
    def testing(self) -> None: ...


@pytest.fixture(autouse=True)
def own_modules(workplace: Path) -> None:
    (workplace / "own_modules.py").write_text(STANDARD)
    for kind in ("Standard", "Logs", "Manual", "Two"):
        (workplace / "experiments" / f"{kind.lower()}.yaml").write_text(FILE.replace("KIND", kind))


def test_the_labs_own_training_step_written_out_trains_the_same_to_the_last_bit(workplace: Path) -> None:
    (workplace / "experiments" / "same.yaml").write_text(
        FILE.replace('module: {kind: "own_modules:KIND"}', "optimizer: {kind: adamw, lr: 0.01}")
    )
    own, labs = fit(workplace / "own", "standard"), fit(workplace / "labs", "same")
    assert own.losses == labs.losses
    weights = [list(outcome.weights.values()) for outcome in (own, labs)]
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))
    for mine, theirs in zip(own.history, labs.history, strict=True):
        assert mine["val/loss"] == pytest.approx(theirs["val/loss"], rel=1e-6)
        assert mine["val/acc"] == pytest.approx(theirs["val/accuracy"], rel=1e-6)
        assert mine["train/loss"] == pytest.approx(theirs["train/loss"], rel=0.02)  # batches of other sizes count alike
        assert mine["lr"] == theirs["lr"]
        assert mine["gradient_norm"] == theirs["gradient_norm"]


@pytest.mark.parametrize(
    ("name", "overrides", "stops"),
    [
        ("logs", (), (8, 3)),
        ("logs", ("trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=0.5"), (9, 1)),
        ("logs", ("early_stopping={patience: 1}", "trainer.precision=bf16-mixed"), (4,)),
        ("manual", (), (8, 1)),
        ("autoencoder", ("module.noise=0.3",), (8,)),
        ("gan", (), (7, 2)),
        ("mixup", ("trainer.limit_train_batches=4",), (6,)),
        ("contrastive", ("trainer.limit_train_batches=4",), (6,)),
    ],
)
def test_a_training_that_was_broken_off_goes_on_as_if_nothing_had_happened(
    workplace: Path, name: str, overrides: tuple[str, ...], stops: tuple[int, ...]
) -> None:
    assert_goes_on(workplace, name, (*SHORT, *overrides), stops)


def test_each_optimizer_has_a_learning_rate(workplace: Path) -> None:
    (epoch, *_) = fit(workplace / "two", "two").history
    assert (epoch["lr_1"], epoch["lr_2"]) == (0.1, 0.2)
    assert epoch["gradient_norm"] > 0


def test_whatever_is_logged_is_recorded_for_every_epoch(workplace: Path) -> None:
    outcome = fit(workplace / "logs", "logs")
    samples = len(building.build(load("logs")).data.splits["train"])
    for number, epoch in enumerate(outcome.history):
        losses = outcome.losses[6 * number : 6 * number + 6]
        assert epoch["train/step_only"] == pytest.approx(np.mean(losses), rel=1e-6)
        weighted = np.average(losses, weights=[256] * 5 + [samples - 5 * 256])
        assert [epoch["train/both"], epoch["train/epoch_only"]] == pytest.approx([weighted, weighted], rel=1e-6)
        assert epoch["train/largest"] == pytest.approx(max(losses))
        assert epoch["train/total"] == pytest.approx(sum(losses), rel=1e-6)
        assert 0 <= epoch["train/seen"] <= 1


@pytest.mark.parametrize(
    ("name", "split", "recorded"),
    [
        ("val_loss", "val", "val/loss"),
        ("val/loss", "val", "val/loss"),
        ("valid_f1_macro", "val", "val/f1_macro"),
        ("training/acc", "train", "train/acc"),
        ("generator_loss", "train", "train/generator_loss"),
        ("loss", "test", "test/loss"),
        ("value", "val", "val/value"),
    ],
)
def test_a_metric_is_recorded_under_its_split(name: str, split: str, recorded: str) -> None:
    assert recorded_name(name, split) == recorded


class TestAWholeRun:
    def test_it_is_recorded_tested_and_predicts_like_any_other(self) -> None:
        lab_run = training.run(load("mixup", ["trainer.max_epochs=1", "trainer.limit_train_batches=4"]))
        run = stored_runs.find("latest:mixup")
        assert (run.status, run.metrics["test/accuracy"]) == ("FINISHED", lab_run.metrics["test/accuracy"])
        assert '"accuracy": true' in run.tags["lab.directions"]
        assert {"best/val/loss", "at_best/val/accuracy", "lr", "gradient_norm"} <= run.metrics.keys()
        model = lab.load("latest:mixup")
        predicted = model.predict(np.zeros((2, *model.encoding.shape)))
        assert predicted.columns[0] == "prediction"
        assert predicted.filter(like="probability").sum(axis=1).tolist() == pytest.approx([1, 1], rel=1e-5)

    def test_outputs_that_are_not_the_tasks_are_numbered(self) -> None:
        training.run(load("autoencoder", ["trainer.max_epochs=1"]))
        predicted = lab.load("latest:autoencoder").predict(np.zeros((2, 1, 8, 8)))
        assert list(predicted.columns) == [f"prediction of output {number}" for number in range(1, 65)]

    def test_two_optimizers_have_two_learning_rates_and_the_best_epoch_is_that_of_its_own_metric(self) -> None:
        result = training.run(load("gan", ["trainer.max_epochs=3"]))
        run = stored_runs.find("latest:gan")
        assert {"lr_1", "lr_2", "train/generator_loss", "val/energy_distance"} <= run.metrics.keys()
        assert run.metrics["best/val/energy_distance"] == run.metrics["at_best/val/energy_distance"]
        assert result.metrics["val/energy_distance"] == run.metrics["at_best/val/energy_distance"]

    def test_a_small_network_learns_from_the_network_of_a_run(self) -> None:
        training.run(load("conv2d", ["trainer.max_epochs=1", "model.channels=4", "model.layers=1"]))
        result = training.run(load("distill", ["trainer.max_epochs=2"]))
        assert result.metrics["val/accuracy"] > 0.3
        assert result.parameters - result.frozen == 64 * 16 + 16 + 16 * 10 + 10

    def test_it_is_compared(self) -> None:
        content = {
            "base": "autoencoder",
            "settings": {"trainer.max_epochs": 2},
            "arms": {"clear": {}, "noisy": {"module.noise": 3.0}},
            "metric": "loss",
            "margin": 0.001,
            "seeds": "3..3",
        }
        found = comparing.run(comparison.parse("noise", "Does noise harm?", content), 1, lambda _: None).findings
        assert found.verdicts["noisy"].mean > 0.1
        assert found.scores.of("clear").keys() == {1, 2, 3}

    def test_its_settings_are_tuned(self, workplace: Path) -> None:
        overrides = ["trainer.max_epochs=1", "search={module.latent: [1, 16]}"]
        found = study.run(load("autoencoder", overrides), Options(trials=3, seeds=2, pruner="none"), NoProgress())
        assert found.objective.metric == "val/loss"
        assert found.ranked[0].values == {"module.latent": 16}
        assert found.final.experiment.module.settings["latent"] == 16

    def test_it_is_reproduced_to_the_last_bit(self) -> None:
        training.run(load("gan", ["trainer.max_epochs=2"]))
        assert reproduce("latest:gan", [], lambda line: None).verdict == "BIT-EXACT"


STEP = "def training_step(self, batch, batch_idx)"
MISTAKES = {
    (STEP, "return self.nothing"): r"fails in its first epoch: AttributeError: .*'nothing' \(mistakes.py:\d+\)",
    (STEP, "return self(batch[0]).mean().detach()"): "fails in its first epoch: RuntimeError: .* does not require grad",
    (STEP, "return None"): "takes no optimizer step with a gradient, so nothing can be learned",
    (STEP, "return super().training_step(batch, 0) / 0"): "fails in its first epoch: .*the loss became inf",
    ("def configure_optimizers(self)", "raise SystemExit(3)"): r"SystemExit: 3 \(mistakes.py:\d+\)",
    (
        "def train_dataloader(self)",
        "return []",
    ): "train_dataloader would not be called, since the batches come from data:",
    ("def validation_step(self, batch, batch_idx)", "self.log('val_los', 0.0)"): (
        "checkpoints.monitor: mistakes:Mistake logs no 'val/loss'; did you mean val/los"
    ),
    ("def on_save_checkpoint(self, checkpoint)", "checkpoint['x'] = nn.ReLU()"): (
        "the checkpoint of mistakes:Mistake holds more than tensors and plain values"
    ),
    ("def on_train_epoch_end(self)", "self.logger.experiment.add_image(1)"): (
        r"AttributeError: the lab's logger has log_metrics.* \(mistakes.py:\d+\)"
    ),
    ("def configure_callbacks(self)", "return L.pytorch.callbacks.ModelCheckpoint()"): (
        "configure_callbacks gives a ModelCheckpoint, but the lab keeps the checkpoints"
    ),
    ("@property\n    def directions(self)", "return {'loss': 'down'}"): 'directions must say "min" or "max"',
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[1])
def test_a_mistake_is_one_line_before_anything_is_recorded(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, mistake: tuple[str, str]
) -> None:
    monkeypatch.delitem(sys.modules, "mistakes", raising=False)
    head, body = mistake
    (workplace / "mistakes.py").write_text(f"{STANDARD}\n\nclass Mistake(Standard):\n    {head}:\n        {body}\n")
    (workplace / "experiments" / "mistake.yaml").write_text(FILE.replace("own_modules:KIND", "mistakes:Mistake"))
    with pytest.raises(LabError, match=MISTAKES[mistake]) as raised:
        whole_batch.rehearse(building.build(load("mistake")))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("missing", ["training_step", "configure_optimizers"])
def test_a_module_without_the_essential_hooks_is_refused(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delitem(sys.modules, "mistakes", raising=False)
    code = f"class Mistake(Standard):\n    {missing} = L.LightningModule.{missing}\n"
    (workplace / "mistakes.py").write_text(f"{STANDARD}\n\n{code}")
    (workplace / "experiments" / "mistake.yaml").write_text(FILE.replace("own_modules:KIND", "mistakes:Mistake"))
    with pytest.raises(LabError, match=f"module: mistakes:Mistake has no {missing}"):
        whole_batch.rehearse(building.build(load("mistake")))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer.lr=0.1"], "optimizer: would not be used, since module: has its own"),
        (["loss={kind: mse}"], "loss: would not be used"),
        (["model=null"], "model: is required: own_modules:Standard takes a network as its argument `model`"),
        (["threads=auto"], "threads: auto cannot be tried for a module of your own; write a number"),
        (["module.lrr=0.1"], "module.lrr: no such setting; did you mean module.lr"),
        (["checkpoints.monitor=val/f1"], "checkpoints.monitor: own_modules:Standard logs no 'val/f1'"),
        (["module.kind=torch.nn:Linear"], "module.kind: torch.nn:Linear is not called"),
        (
            ["data={kind: sunspots}"],
            "module.kind: own_modules:Standard requires `classes`, which sunspots does not have",
        ),
    ],
)
def test_a_setting_that_would_not_be_honoured_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(LabError, match=message):
        whole_batch.rehearse(building.build(load("standard", overrides)))


def test_a_network_that_the_module_does_not_take_is_refused() -> None:
    with pytest.raises(LabError, match=r"model: would not be used: .*:Autoencoder has no argument"):
        load("autoencoder", ["model={kind: mlp}"])


PLAIN_DATA = """
import lightning as L
import torch
from torch.utils.data import DataLoader, TensorDataset


class Blobs(L.LightningDataModule):
    def __init__(self, distance: float = 3.0, batch_size: int = 16):
        super().__init__()
        self.distance, self.batch_size = distance, batch_size

    def setup(self, stage):
        generator = torch.Generator().manual_seed(0)
        y = torch.arange(100) % 2
        x = torch.randn(100, 4, generator=generator) + self.distance * y[:, None]
        self.parts = TensorDataset(x[:80], y[:80]), TensorDataset(x[80:90], y[80:90])

    def train_dataloader(self):
        return DataLoader(self.parts[0], self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.parts[1], self.batch_size)

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch[0] / 2, batch[1]


class Sorts(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.layer(x)

    def training_step(self, batch, batch_idx):
        return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", torch.nn.functional.cross_entropy(self(batch[0]), batch[1]))
        self.log("largest", batch[0].max())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
"""


class TestALightningDataModule:
    @pytest.fixture(autouse=True)
    def blobs(self, workplace: Path) -> None:
        (workplace / "plain.py").write_text(PLAIN_DATA)
        (workplace / "experiments" / "blobs.yaml").write_text(
            "data: {kind: 'plain:Blobs'}\nmodule: {kind: 'plain:Sorts'}\ntrainer: {max_epochs: 3}\n"
        )

    def test_a_run_uses_its_loaders_and_hooks(self) -> None:
        result = training.run(load("blobs"))
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(100, 4, generator=generator) + 3.0 * (torch.arange(100) % 2)[:, None]
        assert result.metrics["val/largest"] == pytest.approx(float(x[80:90].max()) / 2)
        assert ("module", "plain:Sorts has no test_step, so nothing is tested") in result.notes
        assert len(lab.load("latest:blobs").predict(np.zeros((2, 4)))) == 2

    def test_a_run_is_reproduced_and_goes_on_at_the_beginning_of_an_epoch(self, workplace: Path) -> None:
        training.run(load("blobs"))
        assert reproduce("latest:blobs", [], lambda line: None).verdict == "BIT-EXACT"
        assert_goes_on(workplace, "blobs", ("checkpoints.every_seconds=0",), (7, 3))

    def test_only_a_module_of_ones_own_is_trained_on_it(self) -> None:
        with pytest.raises(LabError, match="which only a module of your own can be trained on"):
            building.build(load("digits", ["data={kind: 'plain:Blobs'}"]))
