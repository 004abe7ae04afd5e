"""A run's network with the weights of its best epoch, on the data that it was trained on."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from lab.data.base import DataModule, Split
from lab.data.lightning_data import LightningData
from lab.data.loaders import Batch, batch_of
from lab.errors import LabError, described, place_of
from lab.modules.metrics.epoch_scores import as_floats
from lab.modules.tasks.combination import choose_shares
from lab.modules.tasks.predictor import predict_with
from lab.modules.tasks.task import TaskModule
from lab.modules.tasks.thresholds import ThresholdModule
from lab.tracking.reading.stored_runs import OTHER_TOOL, StoredRun
from lab.training import provenance
from lab.training.building import Built, build
from lab.training.checkpoints.callback import load_weights
from lab.training.checkpoints.files import Damaged
from lab.training.task_modules import task_module
from lab.training.trainer import silence_libraries

BATCH_SIZE = 4_096  # samples that go through the network together
TASKS = ("classification", "multilabel", "ordinal", "regression", "forecasting")


@dataclass(frozen=True)
class Trained:
    """The network of a run, in evaluation mode on the CPU, inside the module of its task; and its data."""

    run: StoredRun
    data: DataModule
    module: TaskModule

    @torch.no_grad()
    def outputs(self, x: Tensor) -> Tensor:
        """Raw outputs (N, out_features) for standardised samples (N, ...)."""
        return torch.cat([self.module(part) for part in x.split(BATCH_SIZE)])

    def samples(self, split: Split, numbers: Tensor) -> Batch:
        """The samples of a split with these numbers, in this order: x (n, ...), y (n, ...), perhaps weights (n,)."""
        return batch_of(self.data.splits[split], numbers)

    def batches(self, split: Split) -> Iterator[Batch]:
        """The batches of a split, in order."""
        return iter(self.data.loader(split))

    def score(self, scored: dict[str, Tensor]) -> float:
        """The main metric, higher is better, of what `module.scored` gives for some samples."""
        name = self.module.main_metric
        metrics = MetricCollection({name: self.module.new_metrics()[name]}, compute_groups=False)
        metrics.update(**scored)
        return as_floats(metrics.compute())[name]


def load(run: StoredRun) -> Trained:
    """Build the run's experiment again and load its weights.

    Raises LabError where the run has no weights, the data changed, or the network gives something else than its task.
    """
    if run.tags.get("lab.kind", OTHER_TOOL) == OTHER_TOOL:
        raise LabError(f"run {run.id} was not written by `lab run`: its record does not suffice to explain it")
    if run.status == "RUNNING":
        raise LabError(f"run {run.id} is RUNNING; explain it when it has ended")
    checkpoint = run.artifact("checkpoints/best.ckpt")
    silence_libraries()
    built = build(provenance.evaluated_experiment(run))
    _check_same_data(run, built)
    try:
        load_weights(built.module, checkpoint)
    except Damaged as damage:
        raise LabError(f"run {run.id} cannot be explained: {damage}") from None
    built.module.cpu().float().eval()
    module = task_of(built).eval().requires_grad_(False)
    choose_shares(module.architecture, built.data.loader("val"))
    if isinstance(module, ThresholdModule):
        module.choose_thresholds(built.data.loader("val"))
    return Trained(run, built.data, module)


def _check_same_data(run: StoredRun, built: Built) -> None:
    try:
        provenance.check_same_data(run, built)
    except LabError as error:
        raise LabError(f"{error}; restore the data to explain the run") from None


def task_of(built: Built) -> TaskModule:
    """The module of the task, made around a module of one's own.

    Raises LabError for another task, and where the outputs of that module are not the task's.
    """
    if built.data.task not in TASKS:
        own = isinstance(built.data, LightningData)
        what = "is a LightningDataModule" if own else f"has the task {built.data.task}"
        kind = built.experiment.data.kind
        raise LabError(f"explain: {kind} {what}; it explains {', '.join(TASKS)} on the lab's own data modules")
    if isinstance(built.module, TaskModule):
        return built.module
    network, name = _Forward(built.module), type(built.module).__name__
    expected = (2, built.data.sizes.out_features)
    try:
        with torch.no_grad():
            shape = tuple(network(built.data.first_samples(2)).shape)
    except Exception as error:  # a person's own code
        raise LabError(f"explain: {name} cannot be called with samples: {described(error)}{place_of(error)}") from None
    if shape != expected or built.numbered_outputs():
        raise LabError(
            f"explain: {name} gives {shape} for 2 samples, not the {expected} outputs of {built.data.task}, so there "
            "is no prediction to explain"
        )
    return task_module(built.experiment, built.data, network)


class _Forward(nn.Module):
    """A LightningModule as a network: what its `predict_step`, by default `forward`, gives."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to raw outputs (N, out_features)."""
        return predict_with(self.module, x)
