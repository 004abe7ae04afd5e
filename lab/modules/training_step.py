"""The training step, and every departure from Lightning's own loop.

Lightning's loop takes a tenth to half a millisecond for each batch that it hands to a module, more than a small network
takes to train on it. So it hands over a block of up to 16 batches, and the module trains on one after the other: this
is manual optimization, in which the module accumulates, clips, steps and schedules itself. `python -m
benchmarks.departures` measures what each departure saves alone; an epoch without it takes so many times as long:

| departure | instead of | mlp | conv1d | lstm | conv2d |
|---|---|---|---|---|---|
| blocks of up to 16 batches | 1 batch a block | 1.19 | 1.12 | 1.07 | 1.07 |
| blocks and own steps | 1 batch, automatic optimization | 1.24 | 1.07 | 1.06 | 1.10 |
| `default_generator.manual_seed` | `torch.manual_seed` | 1.44 | 1.13 | 1.04 | 1.08 |
| metrics buffered (metrics.py) | updated with each batch | 1.17 | 1.03 | 1.01 | 1.03 |
| the same, logged once an epoch | `log_dict` with each batch | 1.85 | 1.13 | 1.05 | 1.13 |
| batches cut from memory (data/loaders.py) | `DataLoader` | 1.12 | 1.01 | 0.99 | 1.03 |
| fused optimizer (optimizers.py) | PyTorch's default | 1.26 | 1.04 | 1.06 | 1.10 |
| nothing changed, for the noise | | 0.99 | 1.02 | 1.02 | 0.90 |

Own steps alone (1.03, 1.00, 0.97, 1.02) save nothing, but the blocks need them. Medians of 5 pairs at batch size 32,
one thread; the pairs of conv2d with nothing changed range from 0.72 to 1.08, so trust no figure of conv2d below 10 %.
"""

import contextlib
import math
from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from lab.architectures.members import Members, as_one
from lab.data.loaders import Batch, derived_seed, seed_generators
from lab.data.shares import WHOLE, Share
from lab.errors import TrainingFailed, see
from lab.modules import reduction
from lab.modules.averaging import WeightAverage
from lab.modules.diagnostics import GradientSamples
from lab.modules.mixing import Mixing

MAX_BATCHES = 16  # in a block: more save nothing
MAX_WORK = 2e10  # multiplications in a block, roughly a second on one core: between blocks, signals are handled
# Settings of Trainer that count batches, or act between two of them.
COUNTING = (
    *("max_steps", "min_steps", "val_check_interval", "profiler"),
    *("limit_train_batches", "limit_val_batches", "limit_test_batches"),
)


@dataclass(frozen=True)
class Stepping:
    """Rows in a batch, batches in an optimizer step, and how its gradients are clipped."""

    batch_size: int
    accumulate: int = 1
    clip_at: float | None = None
    clip_by: str = "norm"

    def batches(self, block: Batch, share: Share) -> Iterator[Batch]:
        """The batches of a block, of which a device has a share."""
        return zip(*(part.split(share.size(self.batch_size)) for part in block), strict=True)

    def ends_step(self, batch: int, batches: int) -> bool:
        """Whether an optimizer step follows this batch (from 0) of an epoch of so many batches."""
        return (batch + 1) % self.accumulate == 0 or batch + 1 == batches


def block_size(trainer: Mapping[str, Any], batch_size: int, parameters: int, sample_shape: tuple[int, ...]) -> int:
    """Batches in a block: many for a small network, one for a large one, the same on every machine.

    One where a setting of Trainer counts batches. `sample_shape` is (C, ...): at worst every parameter is used at
    each position.
    """
    if any(trainer.get(name) is not None for name in COUNTING):
        return 1
    positions = math.prod(sample_shape[1:])
    work = 3 * parameters * positions * batch_size  # forward, and twice as much backward
    return int(min(max(MAX_WORK // max(work, 1), 1), MAX_BATCHES))


class BlockModule(L.LightningModule):
    """A module that trains on blocks of batches, with optimizer steps of its own.

    `make_optimizer` takes a network; `make_scheduler` an optimizer and the number of optimizer steps in the run.
    With `mixing` the samples of a batch are mixed in pairs; with `average` averaged weights are evaluated. A subclass
    gives the network `architecture`, the outputs, the loss, and what is collected of a block. Where the network has
    members, `training_loss` gives a tuple of outputs and the mean of their losses.
    """

    architecture: nn.Module

    def __init__(
        self,
        make_optimizer: Callable[[nn.Module], Optimizer],
        make_scheduler: Callable[[Optimizer, int], dict[str, Any]],
        seed: int,
        stepping: Stepping,
        mixing: Mixing | None = None,
        average: WeightAverage | None = None,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.make_optimizer = make_optimizer
        self.make_scheduler = make_scheduler
        self.seed = seed
        self.stepping = stepping
        self.mixing = mixing
        self.average = average
        self.share = WHOLE  # of each batch, while several devices train together
        self.gradients = GradientSamples()
        self.losses = array("d")  # of every batch of the run
        self.learning_rate = math.nan  # of the last optimizer step

    @abstractmethod
    def training_loss(self, batch: Batch) -> tuple[Tensor, Tensor, Batch]:
        """Raw outputs (B, ...) and mean loss () of a batch, and the batch as it was trained on: mixed, perhaps."""

    @abstractmethod
    def collect_training(self, outputs: Tensor, losses: list[Tensor], block: Batch) -> None:
        """Add a block to the scores of the epoch: raw outputs, and the loss of each batch."""

    def training_step(self, block: Batch, batch_idx: int) -> dict[str, Any]:
        """Train on the batches of a block, one after the other; raises TrainingFailed for a loss that is not finite.

        Returns the last `loss`, and the loss at each optimizer step as `step_losses`.
        """
        first = batch_idx * self._block
        losses: list[Tensor] = []
        of_batches: list[Tensor] = []  # the losses on all devices
        outputs: list[Tensor] = []
        trained: list[Batch] = []
        steps: dict[int, int] = {}  # optimizer step to the batch of the block that completes it
        for index, batch in enumerate(self.stepping.batches(block, self.share)):
            self._seed_batch(first + index)
            output, loss, mixed = self._loss_of(batch)
            losses.append(loss.detach())
            loss, of_batch = self._of_all_devices(loss, output, mixed)
            if self._learn(loss, first + index):
                steps[self.trainer.global_step] = index
            of_batches.append(of_batch)
            outputs.append(output.detach())
            trained.append(mixed)
        values = torch.stack(of_batches).tolist()
        self._check_finite(values, first)
        self.collect_training(torch.cat(outputs), losses, _joined(trained) if self.mixing else block)
        return {"loss": of_batches[-1], "step_losses": {step: values[index] for step, index in steps.items()}}

    @abstractmethod
    def counted(self, loss: Tensor, batch: Batch) -> tuple[Tensor, float]:
        """The mean loss () of a batch, and its weight in a mean over batches."""

    def _of_all_devices(self, loss: Tensor, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss () to back-propagate here, and that of the whole batch, of which this device has a share."""
        if self.share.devices == 1:
            return loss, loss.detach()
        adds_up = getattr(self.loss, "reduction", "mean") == "sum"
        return reduction.of_whole_batch(loss, outputs, *self.counted(loss.detach(), batch), adds_up)

    def _loss_of(self, batch: Batch) -> tuple[Tensor, Tensor, Batch]:
        try:
            outputs, loss, trained = self.training_loss(batch)
        except StopIteration as error:  # Lightning would take it for the end of the data
            raise RuntimeError("StopIteration was raised in the forward pass or in the loss") from error
        return as_one(self.architecture, outputs), loss, trained

    def _seed_batch(self, batch: int) -> None:
        """Make all randomness of a batch (dropout, noise) a function of (seed, epoch, batch)."""
        if batch == 0:
            self._seed_epoch()
        seed_generators(self._epoch_seed + batch, self.device)

    def _seed_epoch(self) -> None:
        device = (self.share.rank,) if self.share.rank else ()
        self._epoch_seed = derived_seed(self.seed, self.current_epoch, 1, *device)

    def on_fit_start(self) -> None:
        """Take the share of each batch that is for this device."""
        self.share = Share(self.trainer.global_rank, self.trainer.world_size)

    def on_fit_end(self) -> None:
        """Take whole batches: a device tests alone."""
        self.share = WHOLE

    def on_train_start(self) -> None:
        """Seed the epoch, which a checkpoint may have interrupted, and go on with its averaged weights."""
        self._seed_epoch()
        if self.average:
            self.average.restore(self.architecture)

    def _learn(self, loss: Tensor, batch: int) -> bool:
        """Back-propagate the loss of a batch (from 0), and take an optimizer step if one is due; whether it was."""
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        self._batch = batch
        with self._outside_autocast():
            self.manual_backward(loss / self.stepping.accumulate if self.stepping.accumulate > 1 else loss)
            if not self.stepping.ends_step(batch, self._batches):
                return False
            optimizer.step()
            optimizer.zero_grad()
        if self.average:
            self.average.after_step(self.architecture, self.current_epoch + 1, batch + 1 == self._batches)
        if self._schedule["interval"] == "step":
            self._schedule["scheduler"].step()
        return True

    @contextlib.contextmanager
    def _outside_autocast(self) -> Iterator[None]:
        """In mixed precision only the forward pass is autocast."""
        if not torch.is_autocast_enabled(self.device.type):
            yield
            return
        with torch.autocast(self.device.type, enabled=False):
            yield

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Note the learning rate, sample the gradients as computed; then clip."""
        self.learning_rate = optimizer.param_groups[0]["lr"]
        if self.gradients.due(self._batch, self._batches):
            self.gradients.sample(*(network.parameters() for network in self.networks))
        if self.stepping.clip_at:
            clip = nn.utils.clip_grad_value_ if self.stepping.clip_by == "value" else nn.utils.clip_grad_norm_
            for network in self.networks:
                clip(network.parameters(), self.stepping.clip_at)

    @property
    def networks(self) -> list[nn.Module]:
        """What is trained by itself: each member, or all parameters, those of the loss included."""
        return list(self.architecture.members) if isinstance(self.architecture, Members) else [self]

    def evaluated_weights(self) -> dict[str, Tensor]:
        """The state of the module with the weights that are validated, tested and exported."""
        averaged = self.average.weights() if self.average else {}
        return self.state_dict() | {f"architecture.{name}": value for name, value in averaged.items()}

    def step_schedule(self) -> None:
        """Advance a schedule that counts epochs."""
        if self._schedule["interval"] == "epoch":
            monitor = self._schedule.get("monitor")
            self._schedule["scheduler"].step(*([self.trainer.callback_metrics[monitor]] if monitor else []))

    def _check_finite(self, losses: list[float], first: int) -> None:
        """Raise TrainingFailed at the first loss that is not finite; `first` is the index of the first batch."""
        for index, value in enumerate(losses):
            if not math.isfinite(value):
                raise TrainingFailed(self._not_finite(value, first + index))
            self.losses.append(value)

    def _not_finite(self, value: float, batch: int) -> str:
        return (
            f"the loss became {value} at step {self._step_of(batch)} "
            f"(epoch {self.current_epoch + 1}, batch {batch + 1}); the last finite loss was "
            f"{self.losses[-1] if self.losses else math.nan:.4g}\n"
            "try: a lower optimizer.lr (a tenth), trainer.gradient_clip_val=1.0, "
            f"trainer.precision=32-true, or look for NaN in the data{see('diverged')}"
        )

    @property
    def batches_done(self) -> int:
        """Finished batches of the current epoch."""
        return self._batch + 1

    @property
    def between_steps(self) -> bool:
        """Whether the last batch completed an optimizer step, so that no gradient is pending."""
        return self.stepping.ends_step(self._batch, self._batches)

    def configure_optimizers(self) -> Any:
        """Build the optimizer and schedule of the experiment."""
        optimizer = self.make_optimizer(self)
        self._schedule = self.make_scheduler(optimizer, self._total_steps())
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self._schedule["scheduler"]}}

    def _total_steps(self) -> int:
        """Optimizer steps in the run."""
        _ = self.trainer.estimated_stepping_batches  # makes Lightning count the batches of an epoch
        loader = self.trainer.train_dataloader
        self._block = getattr(loader, "block", 1)
        blocks = int(self.trainer.num_training_batches)
        self._batches = min(blocks * self._block, getattr(loader, "batches", blocks))
        assert self.trainer.max_epochs, "an experiment has a number of epochs"
        steps = self._steps_in(self._batches) * self.trainer.max_epochs
        return steps if self.trainer.max_steps == -1 else min(steps, self.trainer.max_steps)

    def _steps_in(self, batches: int) -> int:
        return math.ceil(batches / self.stepping.accumulate)

    def _step_of(self, batch: int) -> int:
        """The optimizer step of the run (from 1) to which a batch (from 0) of this epoch belongs."""
        return self.current_epoch * self._steps_in(self._batches) + self._steps_in(batch + 1)


def _joined(batches: list[Batch]) -> Batch:
    return tuple(torch.cat(parts) for parts in zip(*batches, strict=True))
