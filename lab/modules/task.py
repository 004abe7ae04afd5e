"""What the modules of all tasks share: the steps, the epoch's scores, the optimizer, and stopping at NaN."""

import contextlib
import math
from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import lightning as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Metric, MetricCollection

from lab.data.loaders import Batch, derived_seed
from lab.errors import TrainingFailed
from lab.modules.diagnostics import GradientSamples
from lab.modules.metrics import EpochScores, as_floats
from lab.modules.stepping import Stepping


class TaskModule(L.LightningModule):
    """Base of the LightningModules: an architecture, its loss, and how it is optimized.

    What Lightning calls a batch is a block of them here (see `Stepping`), so the module takes its optimizer steps
    itself. Accumulation and clipping are settings of Trainer that Lightning leaves to such a module.
    `make_optimizer` takes parameters, `make_scheduler` an optimizer and the number of steps in the run,
    `own_metrics` gives metrics beside those of the task.
    A subclass gives `output`, which turns raw outputs into the user's terms: probabilities (N, classes), or
    values in the target's units.
    """

    output: nn.Module

    def __init__(
        self,
        architecture: nn.Module,
        loss: nn.Module,
        make_optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        make_scheduler: Callable[[Optimizer, int], dict[str, Any]],
        seed: int,
        stepping: Stepping,
        own_metrics: Callable[[], Mapping[str, Metric]] = dict,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.own_metrics = own_metrics
        self.architecture = architecture
        self.loss = loss
        self.make_optimizer = make_optimizer
        self.make_scheduler = make_scheduler
        self.seed = seed
        self.stepping = stepping
        self.scores: dict[str, EpochScores] = {}
        self.gradients = GradientSamples()
        self._published: dict[str, float] = {}
        self.test_outputs: list[dict[str, Tensor]] = []
        self.losses = array("d")  # of every batch of the run

    @abstractmethod
    def task_metrics(self) -> dict[str, Metric]:
        """The task's metrics, fresh."""

    def new_metrics(self) -> MetricCollection:
        """The task's and the experiment's own metrics, fresh."""
        metrics: dict[str, Metric | MetricCollection] = {**self.task_metrics(), **self.own_metrics()}
        return MetricCollection(metrics, compute_groups=False)

    @abstractmethod
    def trivial_predictions(self, batch: Batch) -> Tensor:
        """What the trivial baseline predicts for a batch."""

    @abstractmethod
    def target(self, batch: Batch) -> Tensor:
        """The truth of a batch, in the terms of `output`."""

    def loss_target(self, batch: Batch) -> Tensor:
        """The truth of a batch as the loss takes it."""
        return batch[1]

    def scored(self, predictions: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What the metrics take for a batch."""
        return {"preds": predictions, "target": self.target(batch)}

    def forward(self, x: Tensor) -> Tensor:
        """The architecture's raw outputs, (N, out_features)."""
        return self.architecture(x)

    def directions(self) -> dict[str, bool]:
        """Each metric's name, without its split, and whether higher is better; the loss first."""
        metrics = self.new_metrics().items()
        return {"loss": False} | {str(name): bool(metric.higher_is_better) for name, metric in metrics}

    def setup(self, stage: str) -> None:
        """Fresh scores for each split, on the device of the module."""
        for split in ("train", "val", "test"):
            self.scores[split] = EpochScores(self.new_metrics().to(self.device))

    def score_trivial(self, batches: Iterable[Batch]) -> dict[str, float]:
        """The metrics, without a loss, of the trivial baseline."""
        metrics = self.new_metrics()
        for batch in batches:
            metrics.update(**self.scored(self.trivial_predictions(batch), batch))
        return as_floats(metrics.compute())

    def on_train_start(self) -> None:
        """Choose the randomness of the epoch, which may have begun before a checkpoint."""
        self._seed_epoch()

    def _seed_epoch(self) -> None:
        self._epoch_seed = derived_seed(self.seed, self.current_epoch, 1)

    def training_step(self, block: Batch, batch_idx: int) -> dict[str, Any]:
        """Train on the batches of a block, one after the other; raises TrainingFailed where a loss is not finite.

        Gives the last `loss`, and the loss behind each optimizer step as `step_losses`.
        """
        first = batch_idx * self._block
        losses: list[Tensor] = []
        outputs: list[Tensor] = []
        steps: dict[int, int] = {}  # the optimizer step to the batch in the block that it ends
        for place, batch in enumerate(self.stepping.batches(block)):
            self._seed_batch(first + place)
            output = self.architecture(batch[0])
            loss = self.loss(output, self.loss_target(batch))
            if self._learn(loss, first + place):
                steps[self.trainer.global_step] = place
            losses.append(loss.detach())
            outputs.append(output.detach())
        values = torch.stack(losses).tolist()
        self._check_finite(values, first)
        self._collect("train", torch.cat(outputs), losses, block)
        return {"loss": losses[-1], "step_losses": {step: values[place] for step, place in steps.items()}}

    def _seed_batch(self, batch: int) -> None:
        """All randomness of a batch (dropout, noise) is a function of (seed, epoch, batch)."""
        if batch == 0:
            self._seed_epoch()
        # Not torch.manual_seed: on a machine without a GPU it formats three stack traces at every call.
        torch.default_generator.manual_seed(self._epoch_seed + batch)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(self._epoch_seed + batch)

    @property
    def batches_done(self) -> int:
        """Batches trained on in the epoch that goes on."""
        return self._batch + 1

    @property
    def between_steps(self) -> bool:
        """Whether the last batch made an optimizer step, so that no gradient waits for one."""
        return self.stepping.ends_step(self._batch, self._batches)

    def _learn(self, loss: Tensor, batch: int) -> bool:
        """Go back from the loss of a batch (from 0), and take an optimizer step where one is due; whether it was."""
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        self._batch = batch
        with self._outside_autocast():
            self._go_back(loss / self.stepping.accumulate if self.stepping.accumulate > 1 else loss)
            if not self.stepping.ends_step(batch, self._batches):
                return False
            optimizer.step()
            optimizer.zero_grad()
        if self._schedule["interval"] == "step":
            self._schedule["scheduler"].step()
        return True

    def _go_back(self, loss: Tensor) -> None:
        """The gradients of a loss; through Lightning where it scales the loss: its hooks take longer than they do."""
        if self.trainer.precision == "16-mixed":
            self.manual_backward(loss)
        else:
            loss.backward()

    @contextlib.contextmanager
    def _outside_autocast(self) -> Iterator[None]:
        """In mixed precision only the way forward is autocast, and the weights' casts hold for one step."""
        if not torch.is_autocast_enabled(self.device.type):
            yield
            return
        with torch.autocast(self.device.type, enabled=False):
            yield
        torch.clear_autocast_cache()

    def _check_finite(self, losses: list[float], first: int) -> None:
        """Raise TrainingFailed at the first loss that is not finite; the first of them is that of a batch."""
        for place, value in enumerate(losses):
            if not math.isfinite(value):
                raise TrainingFailed(self._not_finite(value, first + place))
            self.losses.append(value)

    def validation_step(self, block: Batch, batch_idx: int) -> None:
        """Score a block of the validation split."""
        self._score("val", block)

    def test_step(self, block: Batch, batch_idx: int) -> None:
        """Score a block of the test split and keep what came out, for the figures."""
        self.test_outputs.append(self._score("test", block))

    def _score(self, split: str, block: Batch) -> dict[str, Tensor]:
        outputs = self.architecture(block[0])
        return self._collect(split, outputs, [self.loss(outputs, self.loss_target(block))], block)

    def _collect(self, split: str, outputs: Tensor, losses: list[Tensor], block: Batch) -> dict[str, Tensor]:
        """Add a block to the epoch's scores: raw outputs, and the loss of each batch or of the whole."""
        # Scores in single precision, also where the step ran in a lower one.
        scored = self.scored(self.output(outputs.float()), block)
        sizes = self.stepping.sizes(len(outputs)) if len(losses) > 1 else [len(outputs)]
        self.scores[split].add(losses, sizes, scored)
        return scored

    def _not_finite(self, value: float, batch: int) -> str:
        return (
            f"the loss became {value} at step {self._step_of(batch)} "
            f"(epoch {self.current_epoch + 1}, batch {batch + 1}); the last finite loss was "
            f"{self.losses[-1] if self.losses else math.nan:.4g}\n"
            "try: a lower optimizer.lr (a tenth), trainer.gradient_clip_val=1.0, "
            "trainer.precision=32-true, or look for NaN in the data"
        )

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Sample the gradients as they came out; then clip."""
        if self.gradients.due(self._batch, self._batches):
            self.gradients.sample(self.parameters())
        if self.stepping.clip_at:
            clip = nn.utils.clip_grad_value_ if self.stepping.clip_by == "value" else nn.utils.clip_grad_norm_
            clip(self.parameters(), self.stepping.clip_at)

    def on_train_epoch_end(self) -> None:
        """Make the training scores of the epoch known to callbacks, and go on with the schedule."""
        self._publish("train")
        if self._schedule["interval"] == "epoch":
            watched = self._schedule.get("monitor")
            self._schedule["scheduler"].step(*([self.trainer.callback_metrics[watched]] if watched else []))

    def on_validation_epoch_end(self) -> None:
        """Make the validation scores of the epoch known to callbacks."""
        self._publish("val")

    def on_test_epoch_end(self) -> None:
        """Make the test scores known."""
        self._publish("test")

    def _publish(self, split: str) -> None:
        values = {f"{split}/{name}": value for name, value in self.scores[split].compute().items()}
        # Not log_dict, which takes milliseconds to find out what may be done with each value.
        self.trainer.callback_metrics.update({name: torch.tensor(value) for name, value in values.items()})
        self._published |= values

    def take_published(self) -> dict[str, float]:
        """The scores published since the last call."""
        published, self._published = self._published, {}
        return published

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what was collected of the epoch and of the run, beside the weights."""
        checkpoint["collected"] = {
            "scores": self.scores["train"].state_dict(),
            **self.gradients.state_dict(),
            "published": dict(self._published),
            "losses": torch.tensor(self.losses, dtype=torch.float64),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on collecting."""
        state = checkpoint["collected"]
        self.scores["train"].load_state_dict(state["scores"], self.device)
        self.gradients.load_state_dict(state, self.device)
        self._published = state["published"]
        self.losses = array("d", state["losses"].tolist())

    def configure_optimizers(self) -> Any:
        """Optimizer and schedule as the experiment says."""
        optimizer = self.make_optimizer(self.parameters())
        self._schedule = self.make_scheduler(optimizer, self._total_steps())
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self._schedule["scheduler"]}}

    def _total_steps(self) -> int:
        """Optimizer steps in the run."""
        _ = self.trainer.estimated_stepping_batches  # only now does Lightning count what an epoch has
        loader = self.trainer.train_dataloader
        self._block = getattr(loader, "block", 1)
        blocks = int(self.trainer.num_training_batches)
        self._batches = min(blocks * self._block, getattr(loader, "batches", blocks))
        steps = self._steps_in(self._batches) * int(self.trainer.max_epochs or 1)
        return steps if self.trainer.max_steps == -1 else min(steps, self.trainer.max_steps)

    def _steps_in(self, batches: int) -> int:
        return math.ceil(batches / self.stepping.accumulate)

    def _step_of(self, batch: int) -> int:
        """The optimizer step of the run (from 1) to which a batch (from 0) of this epoch belongs."""
        return self.current_epoch * self._steps_in(self._batches) + self._steps_in(batch + 1)
