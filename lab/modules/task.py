"""What the modules of all tasks share: the steps, the epoch's scores, the optimizer, and stopping at NaN."""

import math
from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Metric, MetricCollection

from lab.data.batches import Batch, derived_seed
from lab.errors import TrainingFailed
from lab.modules.scores import EpochScores, as_floats

GRADIENT_NORM_SAMPLES = 8  # per epoch; each costs about as much as a small layer


class TaskModule(L.LightningModule):
    """Base of the LightningModules: an architecture, its loss, and how it is optimized.

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
        own_metrics: Callable[[], Mapping[str, Metric]] = dict,
    ):
        super().__init__()
        self.own_metrics = own_metrics
        self.architecture = architecture
        self.loss = loss
        self.make_optimizer = make_optimizer
        self.make_scheduler = make_scheduler
        self.seed = seed
        self.scores: dict[str, EpochScores] = {}
        self._gradient_norms: list[Tensor] = []
        self._gradient_ratios: list[Tensor] = []
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

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """All randomness of a step (dropout, noise) is a function of (seed, epoch, batch)."""
        if batch_idx == 0:
            self._seed_epoch()
        # Not torch.manual_seed: on a machine without a GPU it formats three stack traces at every call.
        torch.default_generator.manual_seed(self._epoch_seed + batch_idx)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(self._epoch_seed + batch_idx)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The mean loss of a batch; raises TrainingFailed where it is not finite."""
        loss = self._step("train", batch)
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingFailed(self._not_finite(value, batch_idx))
        self.losses.append(value)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch of the validation split."""
        self._step("val", batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch of the test split and keep what came out, for the figures."""
        self._step("test", batch, keep=True)

    def _step(self, split: str, batch: Batch, keep: bool = False) -> Tensor:
        outputs = self(batch[0])
        loss = self.loss(outputs, self.loss_target(batch))
        # Scores in single precision, also where the step ran in a lower one.
        scored = self.scored(self.output(outputs.detach().float()), batch)
        self.scores[split].add(loss.detach(), scored)
        if keep:
            self.test_outputs.append(scored)
        return loss

    def _not_finite(self, value: float, batch_idx: int) -> str:
        return (
            f"the loss became {value} at step {self.trainer.global_step + 1} "
            f"(epoch {self.current_epoch + 1}, batch {batch_idx + 1}); the last finite loss was "
            f"{self.losses[-1] if self.losses else math.nan:.4g}\n"
            "try: a lower optimizer.lr (a tenth), trainer.gradient_clip_val=1.0, "
            "trainer.precision=32-true, or look for NaN in the data"
        )

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Sample the norm of all gradients, before clipping, and that of the first layer's against the last's."""
        every = max(1, int(self.trainer.num_training_batches) // GRADIENT_NORM_SAMPLES)
        if self.trainer.fit_loop.epoch_loop.batch_idx % every == 0:
            gradients = [p.grad for p in self.parameters() if p.grad is not None]
            weights = [gradient for gradient in gradients if gradient.dim() > 1] or gradients
            self._gradient_norms.append(nn.utils.get_total_norm(gradients).detach())
            self._gradient_ratios.append((weights[0].norm() / weights[-1].norm()).detach())

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as Lightning does; on a CPU also for a fused optimizer in mixed precision.

        Lightning refuses that, for the sake of the loss scaling that a GPU's half precision needs. On a CPU
        nothing is scaled.
        """
        if self.device.type == "cpu" and gradient_clip_val:
            clip = nn.utils.clip_grad_value_ if gradient_clip_algorithm == "value" else nn.utils.clip_grad_norm_
            clip(self.parameters(), gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_train_epoch_end(self) -> None:
        """Make the training scores of the epoch known to callbacks."""
        self._publish("train")

    def on_validation_epoch_end(self) -> None:
        """Make the validation scores of the epoch known to callbacks."""
        self._publish("val")

    def on_test_epoch_end(self) -> None:
        """Make the test scores known."""
        self._publish("test")

    def _publish(self, split: str) -> None:
        values = {f"{split}/{name}": value for name, value in self.scores[split].compute().items()}
        self.log_dict(values, logger=False)
        self._published |= values

    def take_published(self) -> dict[str, float]:
        """The scores published since the last call."""
        published, self._published = self._published, {}
        return published

    def take_gradients(self) -> dict[str, float]:
        """Means of what was sampled since the last call: norm, and ratio of first to last layer.

        A ratio far below 1 tells of vanishing gradients (Glorot & Bengio 2010).
        """
        sampled = {"gradient_norm": self._gradient_norms, "gradient_ratio": self._gradient_ratios}
        self._gradient_norms, self._gradient_ratios = [], []
        return {name: float(torch.stack(values).mean()) if values else math.nan for name, values in sampled.items()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what was collected of the epoch and of the run, beside the weights."""
        checkpoint["collected"] = {
            "scores": self.scores["train"].state_dict(),
            "gradient_norms": list(self._gradient_norms),
            "gradient_ratios": list(self._gradient_ratios),
            "published": dict(self._published),
            "losses": torch.tensor(self.losses, dtype=torch.float64),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on collecting."""
        state = checkpoint["collected"]
        self.scores["train"].load_state_dict(state["scores"], self.device)
        self._gradient_norms = [norm.to(self.device) for norm in state["gradient_norms"]]
        self._gradient_ratios = [ratio.to(self.device) for ratio in state["gradient_ratios"]]
        self._published = state["published"]
        self.losses = array("d", state["losses"].tolist())

    def configure_optimizers(self) -> Any:
        """Optimizer and schedule as the experiment says."""
        optimizer = self.make_optimizer(self.parameters())
        total_steps = int(self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": self.make_scheduler(optimizer, total_steps)}
