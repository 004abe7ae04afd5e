"""The training step: the same weights, bit for bit, as a loop written by hand, and the count of its steps."""

import copy
import math
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from lab.config.experiment import load
from lab.data.loaders import derived_seed
from lab.errors import TrainingFailed
from lab.modules.training_step import MAX_BATCHES, MAX_WORK, block_size
from lab.training.building import Built, build
from lab.training.trainer import make_trainer

# 1,295 samples: 21 batches, in blocks of 16 and 5.
DIGITS = ("data.batch_size=64", "data.test_fraction=0.2", "model.hidden=16", "trainer.max_epochs=2")
BATCHES = 21
# What makes any experiment train as `plain_loop` does, with accumulation and clipping.
ALIKE = (
    "data.batch_size=256",
    "optimizer={kind: adamw, lr: 0.003, weight_decay: 0.05}",
    "scheduler.kind=onecycle",
    "loss={kind: cross_entropy}",
    "trainer.max_epochs=1",
    "trainer.accumulate_grad_batches=2",
    "trainer.gradient_clip_val=0.1",
)


class StepLosses(Callback):
    """The loss at each optimizer step, as the module hands it to callbacks."""

    def __init__(self) -> None:
        self.found: dict[int, float] = {}

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any) -> None:
        self.found |= outputs["step_losses"]


def trained(built: Built) -> list[Tensor]:
    make_trainer(built).fit(built.module, built.data)
    return weights(built.module.architecture)


def weights(network: nn.Module) -> list[Tensor]:
    return [value.detach().clone() for value in network.state_dict().values()]


def plain_loop(
    built: Built, accumulate: int = 1, clip: Any = None, bf16: bool = False, batch_size: int = 64
) -> list[Tensor]:
    """Train a copy of the network on the same batches; `clip` takes the parameters."""
    network = copy.deepcopy(built.module.architecture).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05, fused=True)
    dataset: Any = built.data.splits["train"]
    epochs = built.experiment.trainer["max_epochs"]
    steps = epochs * math.ceil(len(dataset) / batch_size / accumulate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, cycle_momentum=False)
    order = built.data.train_dataloader().sampler
    for epoch in range(epochs):
        order.set_epoch(epoch)
        batches = order.indices().split(batch_size)
        for number, indices in enumerate(batches):
            torch.manual_seed(derived_seed(0, epoch, 1) + number)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16, cache_enabled=False):  # as Lightning does
                loss = nn.functional.cross_entropy(network(dataset.x[indices]), dataset.y[indices])
            (loss / accumulate).backward()
            if (number + 1) % accumulate == 0 or number + 1 == len(batches):
                if clip:
                    clip(list(network.parameters()))
                optimizer.step()
                optimizer.zero_grad()
                schedule.step()
    return weights(network)


@pytest.mark.usefixtures("empty_workplace")
class TestEqualsAPlainLoop:
    @pytest.mark.parametrize(
        ("settings", "accumulate", "clip"),
        [
            ((), 1, None),
            (("trainer.accumulate_grad_batches=4",), 4, None),
            (("trainer.gradient_clip_val=0.1",), 1, lambda p: nn.utils.clip_grad_norm_(p, 0.1)),
            (
                ("trainer.gradient_clip_val=0.01", "trainer.gradient_clip_algorithm=value"),
                1,
                lambda p: nn.utils.clip_grad_value_(p, 0.01),
            ),
            (
                ("trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=0.1"),
                2,
                lambda p: nn.utils.clip_grad_norm_(p, 0.1),
            ),
        ],
        ids=["plain", "accumulated", "clipped by norm", "clipped by value", "accumulated and clipped"],
    )
    def test_bit_for_bit(self, settings: tuple[str, ...], accumulate: int, clip: Any) -> None:
        built = build(load("digits", [*DIGITS, *settings]))
        expected = plain_loop(built, accumulate, clip)
        found = trained(built)
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))

    def test_in_mixed_precision_too(self) -> None:
        built = build(load("digits", [*DIGITS, "trainer.precision=bf16-mixed", "trainer.accumulate_grad_batches=2"]))
        expected = plain_loop(built, 2, bf16=True)
        found = trained(built)
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))

    @pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
    @pytest.mark.parametrize("name", ["mlp", "conv1d", "conv2d", "lstm", "gru", "transformer"])
    def test_every_architecture(self, name: str, precision: str) -> None:
        built = build(load(name, [*ALIKE, f"trainer.precision={precision}"]))
        expected = plain_loop(
            built, 2, lambda p: nn.utils.clip_grad_norm_(p, 0.1), precision == "bf16-mixed", batch_size=256
        )
        found = trained(built)
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))

    def test_and_each_setting_makes_a_difference(self) -> None:
        built = build(load("digits", list(DIGITS)))
        plain = plain_loop(built)
        for other in (plain_loop(built, 4), plain_loop(built, clip=lambda p: nn.utils.clip_grad_value_(p, 0.01))):
            assert not all(torch.equal(one, two) for one, two in zip(plain, other, strict=True))


@pytest.mark.usefixtures("empty_workplace")
class TestSteps:
    @pytest.mark.parametrize(
        ("settings", "steps"),
        [
            ((), 2 * BATCHES),
            (("trainer.accumulate_grad_batches=4",), 2 * 6),
            (("trainer.max_steps=10",), 10),
            (("trainer.max_steps=1000",), 2 * BATCHES),
            (("trainer.limit_train_batches=5",), 2 * 5),
        ],
    )
    def test_the_schedule_is_as_long_as_the_run(self, settings: tuple[str, ...], steps: int) -> None:
        built = build(load("digits", [*DIGITS, *settings]))
        trainer = make_trainer(built)
        trainer.fit(built.module, built.data)
        schedule: Any = trainer.lr_scheduler_configs[0].scheduler
        assert schedule.total_steps == steps
        assert schedule.last_epoch == trainer.global_step == steps

    def test_the_last_batch_of_an_epoch_completes_its_step(self) -> None:
        built = build(load("digits", [*DIGITS, "trainer.accumulate_grad_batches=4"]))
        make_trainer(built).fit(built.module, built.data)
        assert built.module.batches_done == BATCHES
        assert built.module.between_steps

    def test_the_loss_of_a_step_is_that_of_the_batch_that_completes_it(self) -> None:
        built = build(load("digits", [*DIGITS, "trainer.accumulate_grad_batches=4"]))
        recorded = StepLosses()
        make_trainer(built, [recorded]).fit(built.module, built.data)
        ends = [4, 8, 12, 16, 20, 21]
        batches = [*ends, *(BATCHES + end for end in ends)]
        losses = built.module.losses
        assert recorded.found == {step: losses[batch - 1] for step, batch in enumerate(batches, 1)}

    def test_the_step_of_a_loss_that_is_not_finite_counts_optimizer_steps(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built = build(load("digits", [*DIGITS, "trainer.accumulate_grad_batches=4"]))
        batch = BATCHES + 9  # of the second epoch
        calls = iter(range(2 * BATCHES))
        whole = built.module.batch_loss

        def batch_loss(batch_of: Any) -> Any:
            output, loss = whole(batch_of)
            return output, loss * math.inf if built.module.training and next(calls) == batch else loss

        monkeypatch.setattr(built.module, "batch_loss", batch_loss)
        with pytest.raises(TrainingFailed, match=r"inf at step 9 \(epoch 2, batch 10\)"):
            make_trainer(built).fit(built.module, built.data)
        assert len(built.module.losses) == batch


class TestBlockSize:
    def test_small_networks_get_the_largest_block_and_large_ones_a_single_batch(self) -> None:
        assert block_size({}, 1, 1, (1,)) == MAX_BATCHES
        assert block_size({}, 64, 10**9, (3, 224, 224)) == 1

    def test_between_the_two_a_block_has_the_most_work_allowed(self) -> None:
        parameters, batch_size, positions = 10**6, 32, 5 * 7
        work_of_a_batch = 3 * parameters * batch_size * positions
        size = block_size({}, batch_size, parameters, (3, 5, 7))
        assert 1 < size < MAX_BATCHES
        assert size * work_of_a_batch <= MAX_WORK < (size + 1) * work_of_a_batch

    def test_a_setting_that_counts_batches_gets_single_ones(self) -> None:
        assert block_size({"max_steps": 5}, 1, 1, (1,)) == 1
        assert block_size({"max_steps": None, "max_epochs": 5}, 1, 1, (1,)) == MAX_BATCHES
