"""Every shipped experiment: it builds, and trains and validates for a step."""

import pytest
from shipped import SHIPPED

from lab.config.experiment import load
from lab.training.building import build
from lab.training.rehearsal.whole_batch import rehearse
from lab.training.trainer import fit, make_trainer, silence_libraries

pytestmark = pytest.mark.usefixtures("empty_workplace")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_experiment_runs_for_a_step(name: str) -> None:
    silence_libraries()
    without_teacher = ["module.weight=0"] if name == "distill" else []
    built = build(load(name, ["trainer.max_epochs=1", "trainer.limit_train_batches=1", *without_teacher]))
    rehearse(built)
    trainer = make_trainer(built)
    fit(trainer, built)
    assert trainer.global_step == len(trainer.optimizers)
    published = built.observer.take_published()
    assert built.experiment.checkpoints["monitor"] in published
    assert all(value == value for value in published.values())


@pytest.mark.parametrize(
    "overrides",
    [
        ("trainer.precision=bf16-mixed",),
        ("trainer.accumulate_grad_batches=3", "trainer.gradient_clip_val=0.5"),
        ("optimizer={kind: sgd, lr: 0.1, momentum: 0.9, nesterov: true}", "scheduler.kind=cosine"),
        ("optimizer.kind=rmsprop", "scheduler={kind: step, every: 1, factor: 0.5}"),
        ("optimizer={kind: adam, lr: 0.001}", "scheduler={kind: plateau, patience: 1}"),
        (
            "optimizer={kind: torch.optim.Adagrad}",
            "scheduler={kind: torch.optim.lr_scheduler.StepLR, step_size: 1}",
        ),
        ("data.num_workers=2",),
        ("early_stopping={monitor: val/accuracy, patience: 1}",),
    ],
)
@pytest.mark.parametrize("name", ["digits", "lstm"])
def test_every_technique_runs(name: str, overrides: tuple[str, ...]) -> None:
    silence_libraries()
    limits = ["trainer.max_epochs=2", "trainer.limit_train_batches=3", "trainer.limit_val_batches=1"]
    built = build(load(name, [*limits, *overrides]))
    fit(make_trainer(built), built)
    assert built.module.take_published()["val/loss"] > 0


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_every_precision_runs_on_a_gpu(precision: str) -> None:
    silence_libraries()
    built = build(load("conv2d", [f"trainer.precision={precision}", "trainer.max_steps=3"]))
    trainer = make_trainer(built)
    fit(trainer, built)
    assert trainer.strategy.root_device.type == "cuda"
