"""Arguments of Lightning's Trainer: each is honoured, or refused in one line before anything is recorded."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from lab.config.experiment import load
from lab.errors import LabError
from lab.training.building import Built, build
from lab.training.rehearsal import whole_batch
from lab.training.trainer import early_stopping_of, evaluate, fit, make_trainer

BATCHES = 11  # of 128 in an epoch of tiny, which has two
STEPS = 2 * BATCHES


class Observer(Callback):
    """Notes what happens during a training."""

    def __init__(self) -> None:
        self.validations = 0
        self.seen: dict[str, bool] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.validations += 1

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        self.seen["inference"] = torch.is_inference_mode_enabled()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        self.seen["anomaly"] = torch.is_anomaly_enabled()
        self.seen["deterministic"] = torch.are_deterministic_algorithms_enabled()
        self.seen["warn only"] = torch.is_deterministic_algorithms_warn_only_enabled()
        self.seen["benchmark"] = torch.backends.cudnn.benchmark


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Settings of the process that Lightning changes."""
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False


def trained(*overrides: str) -> tuple[Built, Trainer, Observer]:
    built = build(load("tiny", overrides))
    observer = Observer()
    trainer = make_trainer(built, [observer, *early_stopping_of(built)])
    fit(trainer, built)
    return built, trainer, observer


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("setting", "batches", "steps", "validations"),
    [
        ("max_epochs=3", 33, 33, 3),
        ("max_steps=3", 3, 3, 1),  # in the middle of an epoch: validated all the same
        ("max_steps=11", 11, 11, 1),
        ("max_steps=-1", STEPS, STEPS, 2),
        ("limit_train_batches=3", 6, 6, 2),
        ("limit_train_batches=0.5", 10, 10, 2),
        ("limit_train_batches=1.0", STEPS, STEPS, 2),
        ("accumulate_grad_batches=2", STEPS, 12, 2),
        ("accumulate_grad_batches=100", STEPS, 2, 2),
        ("val_check_interval=3", STEPS, STEPS, 6),
        ("val_check_interval=0.5", STEPS, STEPS, 4),
        ("check_val_every_n_epoch=2", STEPS, STEPS, 1),
    ],
)
def test_counts_are_honoured(setting: str, batches: int, steps: int, validations: int) -> None:
    built, trainer, observer = trained(f"trainer.{setting}")
    assert (len(built.module.losses), trainer.global_step, observer.validations) == (batches, steps, validations)
    assert "val/loss" in trainer.callback_metrics


@pytest.mark.usefixtures("tiny")
def test_limits_of_validation_and_test_are_honoured() -> None:
    built, trainer, _ = trained("trainer.limit_val_batches=1", "trainer.limit_test_batches=1", "trainer.max_epochs=1")
    assert built.module.scores["val"].samples == 128
    evaluate(trainer, built)
    assert built.module.scores["test"].samples == 128


@pytest.mark.usefixtures("tiny")
def test_min_epochs_holds_early_stopping_back() -> None:
    stopping = ("trainer.max_epochs=9", "early_stopping={monitor: val/loss, min_delta: 100, patience: 1}")
    assert trained(*stopping)[1].current_epoch == 2
    assert trained(*stopping, "trainer.min_epochs=4")[1].current_epoch == 4


@pytest.mark.usefixtures("tiny")
def test_max_time_ends_a_training_with_a_validation() -> None:
    _, trainer, observer = trained("trainer.max_time={seconds: 1}", "trainer.max_epochs=100000")
    assert 0 < trainer.current_epoch < 100_000
    assert observer.validations >= trainer.current_epoch


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("setting", "seen", "value"),
    [
        ("detect_anomaly=true", "anomaly", True),
        ("detect_anomaly=false", "anomaly", False),
        ("deterministic=true", "deterministic", True),
        ("deterministic=warn", "warn only", True),
        ("benchmark=true", "benchmark", True),
        ("inference_mode=true", "inference", True),
        ("inference_mode=false", "inference", False),
    ],
)
def test_switches_are_honoured(setting: str, seen: str, value: bool) -> None:
    built, trainer, observer = trained(f"trainer.{setting}", "trainer.max_epochs=1")
    evaluate(trainer, built)
    assert observer.seen[seen] is value


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("precision", "dtype"),
    [
        ("64-true", torch.float64),
        ("bf16-true", torch.bfloat16),
        ("32-true", torch.float32),
        ("bf16-mixed", torch.float32),
        ("bf16", torch.float32),
    ],
)
def test_a_precision_is_that_of_the_weights_and_is_rehearsed(precision: str, dtype: torch.dtype) -> None:
    built = build(load("tiny", [f"trainer.precision={precision}", "trainer.max_epochs=1"]))
    assert whole_batch.rehearse(built).notes == []
    assert torch.get_default_dtype() == torch.float32
    assert {weights.dtype for weights in built.module.parameters()} == {torch.float32}  # a copy was rehearsed
    fit(make_trainer(built), built)
    assert {weights.dtype for weights in built.module.parameters()} == {dtype}
    # The model that is kept takes the numbers of a data file.
    assert built.predictor()(torch.zeros(2, 1, 8, 8)).dtype == torch.float32


REFUSED = {
    "max_epochs=0": "trainer.max_epochs: must be at least 1, not 0",
    "max_epochs=-1": "trainer.max_epochs: must be at least 1, not -1",
    "max_steps=0": "trainer.max_steps: must be at least 1, or -1, not 0",
    "max_steps=-5": "trainer.max_steps: must be at least 1, or -1, not -5",
    "min_epochs=3": "trainer.min_epochs: 3 is more than trainer.max_epochs, 2",
    "min_steps=23": "trainer.min_steps: 23 is more than the 22 steps of the run",
    "max_time='00:00:00:00'": "trainer.max_time: must be longer than 0 seconds",
    "max_time={seconds: 0}": "trainer.max_time: must be longer than 0 seconds",
    "max_time={seconds: -1}": "trainer.max_time",
    "max_time=soon": "is not a valid duration",
    "limit_train_batches=0": "trainer.limit_train_batches: must be at least 1, or greater than 0, not 0",
    "limit_train_batches=1.5": "trainer.limit_train_batches: must be a whole number, or at most 1, not 1.5",
    "limit_train_batches=0.09": "0.09 of 11 batches is none; use at least 0.091",
    "limit_val_batches=0": "trainer.limit_val_batches: must be at least 1",
    "limit_val_batches=0.4": "0.4 of 2 batches is none; use at least 0.5",
    "limit_test_batches=0": "trainer.limit_test_batches: must be at least 1",
    "limit_test_batches=0.3": "0.3 of 3 batches is none; use at least 0.33",
    "limit_predict_batches=1": "trainer.limit_predict_batches: no such setting",
    "overfit_batches=1": "trainer.overfit_batches: not with the lab's loaders; limit_train_batches=1 trains on one",
    "val_check_interval=0": "trainer.val_check_interval: must be at least 1",
    "val_check_interval=12": "12 is more than the 11 batches of an epoch",
    "val_check_interval=0.05": "trainer.val_check_interval: 0.05 of 11 batches is none",
    "check_val_every_n_epoch=0": "must be at least 1, not 0",
    "check_val_every_n_epoch=null": "must be a whole number, not null",
    "check_val_every_n_epoch=3": "3 is more than the 2 epochs: no epoch is validated",
    "reload_dataloaders_every_n_epochs=1": "the data of a run stays the same",
    "sync_batchnorm=true": "trainer.sync_batchnorm: batch norm takes the samples on its own device",
    "num_nodes=2": "trainer.num_nodes: must be 1, not 2: a run trains on the devices of one machine",
    "strategy=fsdp": "trainer.strategy: must be auto or ddp, not 'fsdp': each device has the whole network",
    "strategy=deepspeed": "trainer.strategy: must be auto or ddp, not 'deepspeed'",
    "strategy=ddp_spawn": "trainer.strategy: must be auto or ddp, not 'ddp_spawn'",
    "devices=0": "trainer: ",
    "devices=1000": "trainer.devices: 1000 processes are too many for",
    "devices=[0, 1]": "trainer: ",
    "accelerator=tpu": "trainer: ",
    "precision=7": "trainer: Precision 7 is invalid",
    "gradient_clip_val=-1": "must be at least 0",
    "gradient_clip_val=.nan": "must be a finite number",
    "gradient_clip_algorithm=value": "without trainer.gradient_clip_val nothing is clipped",
    "fast_dev_run=true": "trainer.fast_dev_run: no such setting",
    "use_distributed_sampler=false": "trainer.use_distributed_sampler: no such setting",
    "profiler=advanced": "must be simple or pytorch, not 'advanced'",
}


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("setting", REFUSED)
def test_what_cannot_be_honoured_is_refused_in_one_line(setting: str) -> None:
    assert REFUSED[setting] in refusal(lambda: whole_batch.rehearse(build(load("tiny", [f"trainer.{setting}"]))))


@pytest.mark.usefixtures("tiny")
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    assert "trainer: " in refusal(lambda: whole_batch.rehearse(build(load("tiny", ["trainer.accelerator=gpu"]))))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("setting", ["limit_train_batches=0.091", "min_steps=22", "val_check_interval=11"])
def test_what_is_just_enough_is_accepted(setting: str) -> None:
    whole_batch.rehearse(build(load("tiny", [f"trainer.{setting}"])))


def refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(LabError) as refused:
        attempt()
    (line,) = refused.value.lines
    return line


@pytest.mark.parametrize("section", ["early_stopping", "checkpoints"])
def test_what_is_monitored_is_checked_by_the_rehearsal(tiny: str, section: str) -> None:
    built = build(load(tiny, [f"{section}.monitor=val/acuracy"]))
    with pytest.raises(LabError, match=rf"{section}.monitor: no .*metric 'val/acuracy'.*did you mean val/accuracy"):
        whole_batch.rehearse(built)
