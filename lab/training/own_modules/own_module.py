"""A LightningModule of the user's own under stock Lightning: its steps, and what a run records of them.

The module trains, validates, tests and optimizes as it says itself. The observer, a callback, makes its randomness a
function of (seed, epoch, batch), reads what it logs by `self.log`, and saves what a checkpoint would leave out.
"""

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.optim import Optimizer
from torchmetrics import Metric

from lab.data.lightning_data import tensors_in
from lab.data.loaders import Batch, derived_seed, seed_generators
from lab.errors import LabError, TrainingFailed, see
from lab.modules.diagnostics import GradientSamples
from lab.tracking.reading.directions import higher_is_better
from lab.tracking.reading.metric_names import split_of
from lab.training.own_modules import lightning_internals
from lab.training.own_modules.task_scores import TaskScores

DIRECTIONS = {"max": True, "min": False}


def recorded_name(name: str, split: str) -> str:
    """The name under which a value logged while a split is processed is recorded: `val_loss` as `val/loss`."""
    named, rest = split_of(name)
    return f"{named or split}/{rest}"


def declared_directions(module: LightningModule, kind: str) -> dict[str, bool]:
    """The attribute `directions = {"distance": "min"}` of a module, without splits; raises LabError."""
    declared = getattr(module, "directions", {})
    if not isinstance(declared, Mapping) or not set(map(str, declared.values())) <= DIRECTIONS.keys():
        raise LabError(f'module: {kind}.directions must say "min" or "max" for each metric, not {declared!r}')
    return {recorded_name(str(name), "val").partition("/")[2]: DIRECTIONS[str(way)] for name, way in declared.items()}


class OwnObserver(Callback):
    """Seeds the batches of a user's LightningModule and collects what it logs.

    `order_seed` is for loaders that shuffle by the global generator.

    A value logged for steps alone (`on_step=True`, Lightning's default in a training step) is recorded as its mean
    over the batches of the epoch.
    """

    def __init__(self, declared: Mapping[str, bool], seed: int, order_seed: int):
        self.losses = array("d")
        self.test_outputs: list[dict[str, Tensor]] = []
        self.samples = 0
        self.batches_done = 0
        self.between_steps = True
        self.logged: dict[str, str] = {}  # recorded name to the name in the module
        self.task_scores: TaskScores | None = None  # where the module logs metrics of the data's own task
        self._directions = dict(declared)
        self._seed = seed
        self._order_seed = order_seed
        self._epoch_seed = 0
        self._published: dict[str, float] = {}
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._step_values: dict[str, Tensor] = {}
        self._steps_done = 0
        self._rates: dict[int, float] = {}
        self._gradients = GradientSamples()
        self._before: dict[str, Any] = {}
        self._loaded: dict[str, Any] = {}

    def learn(self, other: "OwnObserver") -> None:
        """Take over what another observer of the same module has seen it log."""
        self.logged, self._directions = dict(other.logged), dict(other._directions)

    @property
    def main_metric(self) -> str:
        """The metric by which the result is compared with its baselines; "" where it has none."""
        return self.task_scores.main_metric if self.task_scores else ""

    @property
    def trivial_name(self) -> str:
        """What the trivial baseline predicts; "" where there is none."""
        return self.task_scores.task.trivial_name if self.main_metric and self.task_scores else ""

    @property
    def baseline_note(self) -> str:
        """Why there is no baseline although a metric of the task is logged; "" where nothing is to be said."""
        return self.task_scores.note if self.task_scores else ""

    def directions(self) -> dict[str, bool]:
        """Each metric that has a known direction, without its split: declared, or that of the metric logged."""
        names = [name.partition("/")[2] for name in self.logged]
        said = (self.task_scores.directions() if self.task_scores else {}) | self._directions
        known = {name: higher_is_better(name, said) for name in names}
        return {name: up for name, up in (said | known).items() if up is not None}

    def test_directions(self) -> dict[str, bool]:
        """Nothing: `directions` has them."""
        return {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed the epoch, and continue with the gradients of a checkpoint."""
        self._trainer = trainer
        self._steps_done = trainer.global_step
        self._seed_epoch(trainer)
        for name, parameter in pl_module.named_parameters():
            if name in self._loaded.get("gradients", {}):
                parameter.grad = self._loaded["gradients"][name].to(parameter.device)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the order of a plain loader a function of (seed, epoch); the lab's loaders have one of their own."""
        self._seed_epoch(trainer)
        seed_generators(derived_seed(self._order_seed, trainer.current_epoch, 2), pl_module.device)

    def _seed_epoch(self, trainer: Trainer) -> None:
        self._epoch_seed = derived_seed(self._seed, trainer.current_epoch, 1)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Make all randomness of a batch a function of (seed, epoch, batch)."""
        self.batches_done = batch_idx
        seed_generators(self._epoch_seed + batch_idx, pl_module.device)
        if self._loaded:
            lightning_internals.restore_metric_states(pl_module, self._loaded["metrics"])

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Note the learning rate, and sample the gradients."""
        number = next((n for n, each in enumerate(trainer.optimizers) if each is optimizer), 0)
        self._rates[number] = float(optimizer.param_groups[0]["lr"])
        due = self._gradients.due(self.batches_done, max(int(trainer.num_training_batches), 1))
        if due and any(parameter.grad is not None for parameter in pl_module.parameters()):
            self._gradients.sample(pl_module.parameters())

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Collect the loss of the batch, and what was logged for this step alone."""
        if self._loaded:
            lightning_internals.add_collected(trainer, self._loaded["collected"])
            self._loaded = {}
        self.batches_done = batch_idx + 1
        last = self.batches_done == trainer.num_training_batches
        accumulated = trainer.accumulate_grad_batches if pl_module.automatic_optimization else 1
        self.between_steps = last or self.batches_done % accumulated == 0
        self.samples += next((len(tensor) for tensor in tensors_in(batch)), 0)
        self._step_values = lightning_internals.step_values(trainer)
        for name, value in self._step_values.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
            self._counts[name] = self._counts.get(name, 0) + 1
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor) and loss.numel() == 1:
            self._note_loss(float(loss.detach()), trainer)

    def _note_loss(self, loss: float, trainer: Trainer) -> None:
        if not math.isfinite(loss):
            before = self.losses[-1] if self.losses else math.nan
            where = f"epoch {trainer.current_epoch + 1}, batch {self.batches_done}"
            last = f"the last finite loss was {before:.4g}"
            raise TrainingFailed(f"the loss became {loss} in {where}; {last}{see('diverged')}")
        self.losses.append(loss)

    def steps(self, outputs: Any) -> dict[int, dict[str, float]]:
        """The newest optimizer step, and what was logged for it alone."""
        before, self._steps_done = self._steps_done, self._trainer.global_step
        if before == self._steps_done:
            return {}
        values = {f"{recorded_name(name, 'train')}_step": float(value) for name, value in self._step_values.items()}
        return {self._steps_done: values} if values else {}

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember what was logged before."""
        self._before = dict(trainer.callback_metrics)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Publish what the validation logged."""
        self._publish(self._new(trainer), "val")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember what was logged before."""
        self._before = dict(trainer.callback_metrics)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Publish what the test logged."""
        self._publish(self._new(trainer), "test")

    def _new(self, trainer: Trainer) -> dict[str, Tensor]:
        """What was logged since `_before` was taken; a value that was logged again is another tensor."""
        now = trainer.callback_metrics
        return {name: value for name, value in now.items() if self._before.get(name) is not value}

    def take_published(self) -> dict[str, float]:
        """The metrics of the epoch, or of the test, that were published since the last call."""
        if self.batches_done:  # an epoch has been trained, and not only tested
            means = {name: total / self._counts[name] for name, total in self._sums.items()}
            self._publish(means | lightning_internals.epoch_values(self._trainer), "train")
            self._note_directions(lightning_internals.logged_metrics(self._trainer))
            self.batches_done, self.samples, self._sums, self._counts = 0, 0, {}, {}
        published, self._published = self._published, {}
        return published

    def take_measured(self) -> dict[str, float]:
        """The learning rate of each optimizer's last step, and what was measured of the gradients of the epoch."""
        several = len(self._trainer.optimizers) > 1
        rates = {f"lr_{number + 1}" if several else "lr": rate for number, rate in sorted(self._rates.items())}
        return rates | self._gradients.take()

    def _publish(self, values: Mapping[str, Tensor], split: str) -> None:
        for name, value in values.items():
            if name.endswith("_epoch") and name.removesuffix("_epoch") in values:
                continue  # Lightning's second name for it
            recorded = recorded_name(name, split)
            self.logged[recorded] = name
            self._published[recorded] = float(value)

    def _note_directions(self, metrics: Mapping[str, Metric]) -> None:
        for name, metric in metrics.items():
            if metric.higher_is_better is not None:
                base = recorded_name(name, "train").partition("/")[2]
                self._directions.setdefault(base, bool(metric.higher_is_better))

    def score_trivial(self, batches: Iterable[Batch]) -> dict[str, float]:
        """The metrics of the trivial baseline that the module logs too."""
        return self.task_scores.trivial(batches) if self.task_scores else {}

    def test_intervals(self, correlated: int) -> dict[str, tuple[float, float]]:
        """The interval of each metric of the data's own task that the module logs in its test."""
        return self.task_scores.intervals(correlated) if self.task_scores else {}

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Save what Lightning leaves out: values collected in the epoch, states of metrics, gradients not yet used."""
        # Under automatic optimization a state is saved between two steps, where no gradient is pending.
        parameters = () if pl_module.automatic_optimization else pl_module.named_parameters()
        checkpoint["own_module"] = {
            "collected": lightning_internals.collected(trainer),
            "metrics": lightning_internals.metric_states(pl_module),
            "gradients": {name: p.grad for name, p in parameters if p.grad is not None},
            "sums": dict(self._sums),
            "counts": dict(self._counts),
            "samples": self.samples,
            "published": dict(self._published),
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "rates": dict(self._rates),
            **self._gradients.state_dict(),
        }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Continue with what was saved."""
        state = self._loaded = checkpoint["own_module"]
        device = pl_module.device
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._counts, self.samples, self._published = state["counts"], state["samples"], state["published"]
        self.losses = array("d", state["losses"].tolist())
        self._rates = state["rates"]
        self._gradients.load_state_dict(state, device)
