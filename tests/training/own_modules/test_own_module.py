"""A LightningModule of one's own: trained as it says itself, and tracked, resumed and compared like any other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from own_modules import FILE, write_mistake, write_own_modules
from resumed import assert_goes_on, fit

import lab
from lab.comparisons import comparison
from lab.comparisons import run as comparing
from lab.config.experiment import load
from lab.errors import LabError
from lab.studies import study
from lab.studies.objective import choose_objective
from lab.studies.study import Options
from lab.tracking.reading import stored_runs
from lab.training import building
from lab.training import run as training
from lab.training.own_modules.own_module import recorded_name
from lab.training.reproduce import reproduce

pytestmark = pytest.mark.usefixtures("workplace")

SHORT = ("data.batch_size=256", "trainer.max_epochs=3", "checkpoints.every_seconds=0")  # 5 or 6 batches an epoch


class NoProgress:
    """A study's progress that shows nothing."""

    def searching(self, *_: object) -> None: ...
    def confirming(self, *_: object) -> None: ...
    def testing(self) -> None: ...


@pytest.fixture(autouse=True)
def own_modules(workplace: Path) -> None:
    write_own_modules(workplace)


def test_the_labs_own_training_step_written_out_trains_the_same_to_the_last_bit(workplace: Path) -> None:
    (workplace / "experiments" / "same.yaml").write_text(
        FILE.replace('module: {kind: "KIND"}', "optimizer: {kind: adamw, lr: 0.01}")
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
    assert "lr" not in epoch
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
        ("f1_val", "val", "val/f1"),
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

    def test_without_a_monitored_metric_a_study_asks_for_one(self) -> None:
        with pytest.raises(LabError, match=r"--metric: is required where checkpoints.monitor is null; one of val/loss"):
            choose_objective(load("autoencoder", ["checkpoints.monitor=null"]), None)

    def test_it_is_reproduced_to_the_last_bit(self) -> None:
        training.run(load("gan", ["trainer.max_epochs=2"]))
        assert reproduce("latest:gan", [], lambda line: None).verdict == "BIT-EXACT"

    @pytest.mark.parametrize(
        "body",
        ["return self(batch), batch", "return self(batch).mean()", "raise NotImplementedError"],
    )
    def test_predictions_of_another_form_cost_the_exported_model_and_not_the_run(
        self, workplace: Path, monkeypatch: pytest.MonkeyPatch, body: str
    ) -> None:
        write_mistake(workplace, monkeypatch, f"    def predict_step(self, batch, batch_idx):\n        {body}")
        result = training.run(load("mistake", ["trainer.max_epochs=1"]))
        assert stored_runs.find("latest:mistake").status == "FINISHED"
        assert [text.partition(":")[0] for subject, text in result.notes if subject == "incomplete"] == [
            "without an exported model"
        ]


def test_batches_of_any_form_are_an_epoch(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = """
    def on_before_batch_transfer(self, batch, dataloader_idx):
        return Pair(*batch)

    def training_step(self, batch, batch_idx):
        return super().training_step((batch.x, batch.y), batch_idx)

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", nn.functional.cross_entropy(self(batch.x), batch.y), batch_size=len(batch.x))
"""
    write_mistake(workplace, monkeypatch, body)
    with (workplace / "mistakes.py").open("a") as file:
        file.write("\n\nclass Pair:\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n")
    history = fit(workplace / "pairs", "mistake").history
    assert [epoch["train/loss"] > 0 for epoch in history] == [True] * 3


def test_steps_of_several_optimizers_end_a_training_in_which_the_last_epoch_is_validated(workplace: Path) -> None:
    history = fit(workplace / "gan", "gan", "trainer.max_steps=5", "trainer.max_epochs=2").history  # two a batch
    assert ["val/energy_distance" in epoch for epoch in history] == [True]


def test_the_memory_format_is_that_of_the_module() -> None:
    weights = building.build(load("mixup", ["data={kind: digits}", "model={kind: conv2d}", "channels_last=true"]))
    formats = [p.is_contiguous(memory_format=torch.channels_last) for p in weights.module.parameters() if p.ndim == 4]
    assert formats
    assert all(formats)


def test_a_module_that_logs_no_loss_is_compared(workplace: Path) -> None:
    content = {
        "base": "gan",
        "settings": {"trainer.max_epochs": 1},
        "arms": {"small": {}, "large": {"module.latent": 32}},
        "metric": "energy_distance",
        "seeds": "3..3",
    }
    found = comparing.run(comparison.parse("latent", "", content), 1, lambda _: None).findings
    assert found.scores.of("large").keys() == {1, 2, 3}
