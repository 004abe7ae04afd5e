"""From an experiment to the objects that it names: data, architecture, module."""

import dataclasses
from typing import Any

import lightning as L
import torch
from torch import nn
from torch.optim import Optimizer

from lab import shapes
from lab.data.base import DataModule
from lab.errors import LabError
from lab.experiment import Experiment, Part
from lab.modules import own_metrics
from lab.modules.classification import ClassificationModule
from lab.modules.forecasting import ForecastingModule
from lab.modules.predictor import Predictor
from lab.modules.regression import RegressionModule
from lab.modules.stepping import Stepping, block_size
from lab.modules.task import TaskModule

LOSSES = {
    "two classes": ("bce",),
    "classification": ("cross_entropy",),
    "regression": ("mse", "l1", "huber"),
    "forecasting": ("mse", "l1", "huber"),
}


@dataclasses.dataclass(frozen=True)
class Built:
    """An experiment with its loss decided, and what it is run with."""

    experiment: Experiment
    data: DataModule
    module: TaskModule

    def predictor(self) -> Predictor:
        """The model for raw inputs, on the CPU, sharing the module's weights."""
        self.module.cpu()
        return Predictor(self.module.architecture, self.data.input_scale, self.module.output)


def build(experiment: Experiment, data: DataModule | None = None) -> Built:
    """Prepare the data and build module and architecture, seeded; raises LabError where they do not fit.

    `data` may be the experiment's data from an earlier build: then it is not read again. Sets the process's
    number of threads: a setting like the others, since small networks are slower on many, and the last bits
    of a sum depend on it. One while it is `auto`, see `lab.threads`.
    """
    torch.set_num_threads(1 if experiment.threads == "auto" else experiment.threads)
    data = data or experiment.data.build(seed=experiment.seed)
    data.prepare()
    experiment = dataclasses.replace(experiment, loss=_loss(experiment.loss, data))
    shapes.check_kind(experiment.model, experiment.data, data.sizes)
    L.seed_everything(experiment.seed, workers=True, verbose=False)
    architecture: nn.Module = experiment.model.build(**data.sizes.supplied())
    whole = data.wrap(architecture)
    samples, _ = next(iter(data.loader("train")))
    shapes.check_forward(whole, architecture, experiment.model, samples[:2], data.sizes)
    if experiment.channels_last:
        whole = whole.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    parameters = sum(p.numel() for p in whole.parameters())
    data.block = block_size(experiment.trainer, data.batch_size, parameters, data.sizes.input_shape)
    module = _module(experiment, data, whole)
    _check_metrics(experiment, data, module)
    _check_optimizer(experiment, module)
    return Built(experiment, data, module)


def _loss(chosen: Part | None, data: DataModule) -> Part:
    """The loss of the experiment, or the task's usual one."""
    task = "two classes" if data.sizes.classes == 2 else data.task
    if chosen is None:
        return Part("loss", LOSSES[task][0], {})
    shipped = {kind for kinds in LOSSES.values() for kind in kinds}
    if chosen.kind in shipped and chosen.kind not in LOSSES[task]:
        raise LabError(f"loss.kind: {chosen.kind} does not fit {task}; use {' or '.join(LOSSES[task])}")
    return chosen


def _module(experiment: Experiment, data: DataModule, architecture: nn.Module) -> TaskModule:
    """The LightningModule of the data's task."""

    def make_scheduler(optimizer: Optimizer, total_steps: int) -> dict[str, Any]:
        made = experiment.scheduler.build(optimizer=optimizer, total_steps=total_steps)
        return made if isinstance(made, dict) else {"scheduler": made, "interval": "epoch"}

    assert experiment.loss is not None, "decided by build"
    task: dict[str, Any] = {
        "architecture": architecture,
        "loss": experiment.loss.build(),
        "make_optimizer": lambda params: experiment.optimizer.build(params=params),
        "make_scheduler": make_scheduler,
        "seed": experiment.seed,
        "own_metrics": lambda: own_metrics.build_all(experiment.metrics, data.sizes),
        "stepping": Stepping(
            data.batch_size,
            experiment.trainer["accumulate_grad_batches"],
            experiment.trainer["gradient_clip_val"],
            experiment.trainer["gradient_clip_algorithm"],
        ),
    }
    if data.task == "classification":
        return ClassificationModule(data.sizes.classes, data.majority, **task)
    assert data.target_scale is not None, "given by every data module with values to predict"
    if data.task == "regression":
        return RegressionModule(data.target_scale, **task)
    return ForecastingModule(data.target_scale, data.targets, **task)


def _check_metrics(experiment: Experiment, data: DataModule, module: TaskModule) -> None:
    """Measure a batch with each metric of the experiment's own; raises LabError for one that cannot."""
    batch = next(iter(data.loader("val")))
    scored = module.scored(module.trivial_predictions(batch), batch)
    taken = module.task_metrics()
    for name, metric in module.own_metrics().items():
        if not name.isidentifier() or name == "loss" or name in taken:
            raise LabError(f"metrics.{name}: is the name of the task's own metric, or no name; choose another")
        try:
            metric.update(scored["preds"], scored["target"])
            float(metric.compute())
        except Exception as error:  # whatever a person's own metric raises
            message = " ".join(str(error).split())
            raise LabError(
                f"metrics.{name}: {experiment.metrics[name].kind} cannot measure predictions "
                f"{tuple(scored['preds'].shape)} against {tuple(scored['target'].shape)} as one number: {message}"
            ) from error


def _check_optimizer(experiment: Experiment, module: TaskModule) -> None:
    """Build optimizer and scheduler once, so that what they refuse is said before the run."""
    parameters = [nn.Parameter(torch.zeros(1))]
    module.make_scheduler(module.make_optimizer(parameters), 100)
