"""Averaged weights: those of a plain loop with torch's swa_utils, evaluated, stored as the best, resumed exactly."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from resumed import assert_goes_on, fit
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

import lab
from lab.config.experiment import load
from lab.data.loaders import derived_seed
from lab.errors import LabError
from lab.modules.averaging import WeightAverage
from lab.training import resume
from lab.training.building import Built, build
from lab.training.checkpoints import files
from lab.training.rehearsal import whole_batch
from lab.training.trainer import evaluate, make_trainer

SETTINGS = (
    *("data.batch_size=256", "trainer.max_epochs=4", "scheduler.kind=constant", "model.hidden=16"),
    *("optimizer={kind: adamw, lr: 0.003, weight_decay: 0.05}", "checkpoints.every_seconds=0"),
)
EMA = ("trainer.average=ema", "trainer.average_decay=0.9")
CHANGED = (
    *("data.mix=cutmix", "data.augment=[{kind: shift, most: 1}, {kind: mask}]"),
    "checkpoints.every_seconds=0",
)
SWA = ("trainer.average=swa", "trainer.average_from=2")


def plain_loop(built: Built, kind: str) -> tuple[list[Tensor], AveragedModel]:
    """The weights and their average of a loop with torch's own averaging."""
    network = copy.deepcopy(built.module.architecture).train()
    average = get_ema_multi_avg_fn(0.9) if kind == "ema" else get_swa_multi_avg_fn()
    averaged = AveragedModel(network, multi_avg_fn=average)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05, fused=True)
    dataset: Any = built.data.splits["train"]
    order = built.data.train_dataloader().sampler
    for epoch in range(4):
        order.set_epoch(epoch)
        for number, indices in enumerate(order.indices().split(256)):
            torch.manual_seed(derived_seed(0, epoch, 1) + number)
            nn.functional.cross_entropy(network(dataset.x[indices]), dataset.y[indices]).backward()
            optimizer.step()
            optimizer.zero_grad()
            if kind == "ema":
                averaged.update_parameters(network)
        if kind == "swa" and epoch >= 1:
            averaged.update_parameters(network)
    return list(network.parameters()), averaged


@pytest.mark.usefixtures("empty_workplace")
@pytest.mark.parametrize(("kind", "settings"), [("ema", EMA), ("swa", SWA)])
def test_weights_and_average_have_the_bits_of_a_plain_loop(kind: str, settings: tuple[str, ...]) -> None:
    built = build(load("digits", [*SETTINGS, *settings, "model.norm=none"]))
    weights, averaged = plain_loop(built, kind)
    make_trainer(built).fit(built.module, built.data)
    average = built.task_module.average
    assert average is not None
    assert average.model is not None
    found = average.model.module.parameters()
    for one, other in zip(found, averaged.module.parameters(), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(built.task_module.architecture.parameters(), weights, strict=True):
        assert torch.equal(one, other), "the weights that are trained are not averaged"


@pytest.mark.parametrize("settings", [EMA, SWA])
def test_the_average_is_what_is_validated_tested_and_kept(workplace: Path, settings: tuple[str, ...]) -> None:
    outcome = fit(workplace / "run", "digits", *SETTINGS, *settings, "checkpoints.monitor=null")
    saved = files.read(workplace / "run" / "best.ckpt")
    built = build(load("digits", list(SETTINGS)))
    built.module.load_state_dict(saved["state_dict"])
    trainer = make_trainer(built)
    trainer.validate(built.module, built.data.val_dataloader(), verbose=False)
    validated, tested = built.observer.take_published(), evaluate(trainer, built)
    assert validated["val/loss"] == pytest.approx(outcome.history[-1]["val/loss"], abs=1e-6)
    assert tested["test/loss"] == pytest.approx(outcome.tested["test/loss"], abs=1e-6)
    assert not all(torch.equal(outcome.weights[name], value) for name, value in outcome.best_weights.items())


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("digits", (*SETTINGS, *EMA)),
        ("digits", (*SETTINGS, *SWA)),
        ("digits", (*SETTINGS, *EMA, "trainer.average_from=2", "trainer.precision=64-true")),
        ("conv2d", (*SETTINGS[:3], *EMA, *CHANGED, "model.norm=batch")),
    ],
)
def test_a_run_that_was_broken_off_goes_on_with_the_same_average(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, name: str, settings: tuple[str, ...]
) -> None:
    monkeypatch.setattr("lab.modules.training_step.MAX_BATCHES", 2)
    assert_goes_on(workplace, name, settings, (5, 4))  # 6 batches an epoch, in 3 blocks


def test_the_model_of_a_run_is_the_averaged_one(workplace: Path) -> None:
    from lab.training import run as training

    result = training.run(load("digits", [*SETTINGS, *EMA]))
    samples = build(load("digits", list(SETTINGS))).data
    model = lab.load(str(result.run_id))
    x, y = (torch.cat(part) for part in zip(*samples.loader("test"), strict=True))
    predicted = model.predict(samples.input_scale.invert(x).numpy())
    right = (torch.as_tensor(predicted.to_numpy()[:, -10:].astype(float)).argmax(1) == y).double().mean()
    assert float(right) == pytest.approx(result.metrics["test/accuracy"], abs=1e-6)


def test_statistics_of_batch_norm_are_averaged_and_counters_copied() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average = WeightAverage("swa", 0.9, 1)
    means = []
    for _ in range(3):
        network(torch.randn(8, 3))
        average.after_step(network, 1, ends_epoch=True)
        means.append(network[1].running_mean.clone())
    weights = average.weights()
    torch.testing.assert_close(weights["1.running_mean"], torch.stack(means).mean(0))
    assert int(weights["1.num_batches_tracked"]) == 3


@pytest.mark.usefixtures("empty_workplace")
@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("digits", ("trainer.average=emma",), "trainer.average: must be ema or swa, .*not 'emma'"),
        ("digits", ("trainer.average=ema", "trainer.average_decay=1"), "average_decay: must be less than 1, not 1"),
        (
            "digits",
            ("trainer.average=swa", "trainer.average_from=50"),
            "average_from: 50 is more than .*, 40",
        ),
        ("digits", ("trainer.averge=swa",), "trainer.averge: no such setting; did you mean trainer.average"),
        ("mixup", ("trainer.average=ema",), "trainer.average: is not for a module of your own"),
    ],
)
def test_what_cannot_be_averaged_is_one_line(name: str, settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(LabError, match=message) as raised:
        load(name, settings)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("empty_workplace")
def test_a_run_that_ends_before_its_average_begins_is_refused() -> None:
    with pytest.raises(LabError, match=r"trainer\.max_steps: 20 end before a weight is averaged, at step 24"):
        whole_batch.rehearse(build(load("digits", [*SETTINGS, "trainer.average=swa", "trainer.max_steps=20"])))


def test_a_run_whose_average_would_have_begun_later_is_not_extended(workplace: Path) -> None:
    from lab.training import run as training

    result = training.run(load("digits", [*SETTINGS, "trainer.average=swa"]))
    with pytest.raises(LabError, match="swa begins after three quarters of the epochs"):
        resume.resume(str(result.run_id), ["trainer.max_epochs=8"], (), print)
