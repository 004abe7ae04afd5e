"""What the modules of all tasks share: an architecture, its loss, and the scores of an epoch."""

from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from lab.architectures.members import mean_of_losses
from lab.data.loaders import Batch
from lab.modules import reduction
from lab.modules.metrics import bootstrap, loss_interval
from lab.modules.metrics.epoch_scores import EpochScores, has_nan, measured, weighted
from lab.modules.sample_weights import weight_of, weighted_loss
from lab.modules.training_step import BlockModule

NETWORK = "architecture."  # what the names of its weights begin with


class TaskModule(BlockModule):
    """Base of the LightningModules: an architecture and its loss, scored in the terms of the task.

    `own_metrics` gives metrics beside those of the task. `main_metric` is the one by which a result is judged against
    its baselines; higher is better. `trivial_name` says in words what the trivial baseline predicts. With `weighted`
    the samples have weights, the third part of each batch: so have the loss and the metrics. Where targets are values
    (`mixes_targets`), a mixture of two samples has the mixture as its target, else two losses.
    """

    mixes_targets = False

    main_metric: str
    trivial_name: str
    baseline_note = ""

    def __init__(
        self,
        architecture: nn.Module,
        loss: nn.Module,
        own_metrics: Callable[[], Mapping[str, Metric]] = dict,
        weighted: bool = False,
        **training: Any,
    ):
        super().__init__(**training)
        self.own_metrics = own_metrics
        self.architecture = architecture
        self.loss = loss
        self.weighted = weighted
        self.scores: dict[str, EpochScores] = {}
        self._published: dict[str, float] = {}
        self._directions: dict[str, bool] = {}
        self.test_outputs: list[dict[str, Tensor]] = []
        self.tested = loss_interval.TestedBatches()

    @abstractmethod
    def output(self) -> nn.Module:
        """A new layer that turns raw outputs into the user's terms; part of the model that is exported."""

    @abstractmethod
    def predictions(self, outputs: Tensor) -> Tensor:
        """Raw outputs in the user's terms, as the metrics take them, also where a step ran in a lower precision."""

    @abstractmethod
    def task_metrics(self) -> dict[str, Metric]:
        """New metrics of the task."""

    def test_metrics(self) -> dict[str, Metric]:
        """New metrics that only the test has; higher is better."""
        return {}

    def new_metrics(self, split: str = "val") -> MetricCollection:
        """New metrics: those of the task, and those of the experiment's `metrics:`, which replace one of its name."""
        of_test = self.test_metrics() if split == "test" else {}
        metrics: dict[str, Metric | MetricCollection] = {**of_test, **self.task_metrics(), **self.own_metrics()}
        return reduction.only_together(MetricCollection(metrics, compute_groups=False))

    @abstractmethod
    def scored_trivially(self, batch: Batch) -> dict[str, Tensor]:
        """As `scored`, for the predictions of the trivial baseline."""

    @abstractmethod
    def target(self, batch: Batch) -> Tensor:
        """The targets of a batch, in the terms of `output`."""

    def loss_target(self, batch: Batch) -> Tensor:
        """The targets of a batch as the loss takes them."""
        return batch[1]

    def guess(self, samples: int, *outputs: int) -> Tensor:
        """The raw outputs (N, *outputs) of a network that has learned nothing: 0."""
        return torch.zeros(samples, *outputs)

    def scored(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The arguments of the metrics' update for the raw outputs of a batch."""
        return {"preds": self.predictions(outputs), "target": self.target(batch), **weight_of(batch)}

    def forward(self, x: Tensor) -> Tensor:
        """The architecture's raw outputs, (N, out_features)."""
        return self.architecture(x)

    def directions(self) -> dict[str, bool]:
        """Each metric's name, without its split, and whether higher is better; the loss first."""
        if not self._directions:  # asked for after every epoch, and metrics are slow to make
            metrics = {str(name): metric for name, metric in self.new_metrics().items()}
            self._directions = {"loss": False} | _directions_of(metrics)
        return dict(self._directions)

    def test_directions(self) -> dict[str, bool]:
        """The same of those that only the test has, by full name."""
        return {f"test/{name}": up for name, up in _directions_of(self.test_metrics()).items()}

    def setup(self, stage: str) -> None:
        """Start new scores for each split, on the module's device."""
        for split in ("train", "val", "test"):
            self.scores[split] = EpochScores(self.new_metrics(split).to(self.device))

    def score_trivial(self, batches: Iterable[Batch]) -> dict[str, float]:
        """The metrics, without a loss, of the trivial baseline."""
        return self._scores_of(self.scored_trivially, batches)

    def score_outputs(self, model: Callable[[Tensor], Tensor], batches: Iterable[Batch]) -> dict[str, float]:
        """The metrics, without a loss, of another model of inputs (B, ...) to raw outputs."""
        return self._scores_of(lambda batch: self.scored(model(batch[0]), batch), batches)

    def _scores_of(self, scored: Callable[[Batch], dict[str, Tensor]], batches: Iterable[Batch]) -> dict[str, float]:
        return measured(self.new_metrics(), map(scored, batches))

    def batch_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Raw outputs (B, ...) and mean loss () of a batch."""
        outputs = self.architecture(batch[0])
        return outputs, self.loss_of(outputs, batch)

    def loss_of(self, outputs: Tensor | tuple[Tensor, ...], batch: Batch) -> Tensor:
        """The mean loss () of the raw outputs (B, ...) of a batch; of several members the mean of theirs."""
        if isinstance(outputs, tuple):
            return mean_of_losses([self.loss_of(each, batch) for each in outputs])
        target = self.loss_target(batch)
        if self.weighted:
            return weighted_loss(self.loss, outputs, target, batch[2])
        loss: Tensor = self.loss(outputs, target)
        return loss

    def training_loss(self, batch: Batch) -> tuple[Tensor, Tensor, Batch]:
        """As `batch_loss`, of the mixed batch where samples are mixed; and the batch that the outputs are scored on.

        Mixed classes are scored on that with the larger share, mixed values on their mixture.
        """
        if self.mixing is None:
            return *self.batch_loss(batch), batch
        mixed = self.mixing(batch)
        if self.mixes_targets:
            trained = mixed.x, mixed.values
            return *self.batch_loss(trained), trained
        outputs, loss = self.batch_loss((mixed.x, mixed.y))
        rest = self.loss_of(outputs, (mixed.x, mixed.other))
        return outputs, mixed.share * loss + (1 - mixed.share) * rest, (mixed.x, mixed.y)

    def collect_training(self, outputs: Tensor, losses: list[Tensor], block: Batch) -> None:
        """Add a block to the training scores of the epoch."""
        self._collect("train", outputs, losses, block)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch of the validation split."""
        self._score("val", batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch of the test split, and store its outputs for the figures and intervals."""
        outputs, loss = self.batch_loss(batch)
        self.test_outputs.append(self._collect("test", outputs, [loss], batch))
        self.tested.keep(outputs, batch)

    def _score(self, split: str, batch: Batch) -> dict[str, Tensor]:
        outputs, loss = self.batch_loss(batch)
        return self._collect(split, outputs, [loss], batch)

    def _collect(self, split: str, outputs: Tensor, losses: list[Tensor], block: Batch) -> dict[str, Tensor]:
        """Add a block to the epoch's scores: raw outputs, and the loss of each of its batches."""
        scored = self.scored(outputs, block)
        size = self.share.size(self.stepping.batch_size)
        weights = block[2].split(size) if self.weighted else None
        self.scores[split].add(*weighted(self.loss, losses, self.loss_target(block).split(size), weights), scored)
        return scored

    def test_intervals(self, correlated: int) -> dict[str, tuple[float, float]]:
        """The interval of each test metric and of the loss, by full name; `correlated` neighbours are alike."""
        scored = {name: torch.cat([part[name] for part in self.test_outputs]) for name in self.test_outputs[0]}
        if has_nan(scored):
            return {}
        metrics = self.new_metrics().to(next(iter(scored.values())).device)  # a tested module is back on the CPU
        found = bootstrap.intervals(metrics, scored, correlated)
        tested = [tuple(tensor.to(self.device) for tensor in part) for part in self.tested.parts]
        samples = sum(len(part["target"]) for part in self.test_outputs)
        if tested and (ends := loss_interval.interval(tested, samples, self._mean_loss, correlated)) is not None:
            found["loss"] = ends
        return {f"test/{name}": ends for name, ends in found.items()}

    @torch.no_grad()
    def _mean_loss(self, part: Batch) -> tuple[float, float]:
        """The mean loss of raw outputs and their batch, and its weight among batches."""
        outputs, batch = part[0], part  # of which only the targets and weights are looked at
        loss, weight = self.counted(self.loss_of(outputs, batch), batch)
        return float(loss), weight

    def counted(self, loss: Tensor, batch: Batch) -> tuple[Tensor, float]:
        """The mean loss () of a batch, and its weight in a mean over batches."""
        weights = [batch[2]] if self.weighted else None
        (mean,), (weight,) = weighted(self.loss, [loss], [self.loss_target(batch)], weights)
        return mean, weight

    def on_train_epoch_end(self) -> None:
        """Publish the training scores of the epoch, and advance the schedule."""
        self._publish("train")
        self.step_schedule()

    def on_validation_epoch_start(self) -> None:
        """Validate averaged weights, if there are any, with the same statistics on all devices."""
        if self.average:
            self.average.exchange(self.architecture)
        if self.share.devices > 1:
            reduction.share_statistics(self.architecture)

    def on_validation_epoch_end(self) -> None:
        """Publish the validation scores of the epoch, and go on with the trained weights."""
        if self.average:
            self.average.exchange(self.architecture)
        self._publish("val")

    def on_test_epoch_end(self) -> None:
        """Publish the test scores."""
        self._publish("test")

    def _publish(self, split: str) -> None:
        """Hand the scores of an epoch to Lightning's callbacks, and to the records in full precision.

        `log_dict` gives callbacks the same tensors, but took a quarter of a short training's time; the test's scores
        are what `Trainer.test` returns, which reads no others.
        """
        values = {f"{split}/{name}": value for name, value in self.scores[split].compute().items()}
        if split == "test":
            self.log_dict(values, logger=False)
        else:
            tensors = {name: torch.tensor(value, device=self.device) for name, value in values.items()}
            self.trainer.callback_metrics.update(tensors)
        self._published |= values

    def take_published(self) -> dict[str, float]:
        """The scores published since the last call."""
        published, self._published = self._published, {}
        return published

    def steps(self, outputs: Any) -> dict[int, dict[str, float]]:
        """Optimizer step to its loss, for the steps taken in a block."""
        return {step: {"train/loss_step": loss} for step, loss in outputs["step_losses"].items()}

    def take_measured(self) -> dict[str, float]:
        """Learning rate of the last optimizer step, and what was measured of the gradients of the epoch."""
        return {"lr": self.learning_rate, **self.gradients.take()}

    @property
    def samples(self) -> int:
        """Training samples of the epoch so far."""
        return self.scores["train"].samples

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the collected scores, gradients and losses to the weights, which are the averaged ones if there are any.

        Then `average` has the trained ones.
        """
        if self.average:
            checkpoint["average"] = self.average.state(self.architecture)
            checkpoint["state_dict"] = self.evaluated_weights()
        checkpoint["collected"] = {
            "scores": self.scores["train"].state_dict(),
            **self.gradients.state_dict(),
            "published": dict(self._published),
            "losses": torch.tensor(self.losses, dtype=torch.float64),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the collected scores, gradients and losses."""
        if self.average:
            averaged = {name: value for name, value in checkpoint["state_dict"].items() if name.startswith(NETWORK)}
            self.average.load(
                checkpoint["average"], {name.removeprefix(NETWORK): value for name, value in averaged.items()}
            )
        state = checkpoint["collected"]
        self.scores["train"].load_state_dict(state["scores"], self.device)
        self.gradients.load_state_dict(state, self.device)
        self._published = state["published"]
        self.losses = array("d", state["losses"].tolist())


def _directions_of(metrics: Mapping[str, Metric]) -> dict[str, bool]:
    """Whether higher is better, for each metric of which it can be said."""
    return {name: up for name, metric in metrics.items() if (up := metric.higher_is_better) is not None}
