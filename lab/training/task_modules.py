"""The LightningModule of a task, from an experiment: its loss, its optimizer and schedule, its metrics."""

import dataclasses
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR, ReduceLROnPlateau

from lab.config.experiment import Experiment
from lab.config.sections import Part
from lab.config.types import Threshold
from lab.data.base import DataModule
from lab.data.text.characters import Characters
from lab.errors import LabError
from lab.modules.averaging import average_for
from lab.modules.metrics import own_metrics
from lab.modules.mixing import mixing_for
from lab.modules.tasks import quantiles, thresholds
from lab.modules.tasks.classification import ClassificationModule, Probabilities
from lab.modules.tasks.language import LanguageModule
from lab.modules.tasks.multilabel import MultilabelModule
from lab.modules.tasks.ordinal import OrderedProbabilities, OrdinalModule
from lab.modules.tasks.regression import Unscale
from lab.modules.tasks.task import TaskModule
from lab.modules.training_step import Stepping
from lab.training.fine_tuning import groups

LOSSES = {
    "two classes": ("bce",),
    "classification": ("cross_entropy",),
    "ordinal": ("ordinal",),
    "multilabel": ("bce",),
    "regression": ("mse", "l1", "huber", "quantile"),
    "forecasting": ("mse", "l1", "huber", "quantile"),
    "language": ("cross_entropy",),
}
BY_STEP = (OneCycleLR, CyclicLR)  # schedules that are stepped after every optimizer step


def loss_of(chosen: Part | None, data: DataModule) -> Part:
    """The loss of the experiment, or the task's usual one."""
    task = "two classes" if data.sizes.classes == 2 else data.task
    if chosen is None:
        return Part("loss", LOSSES[task][0], {})
    shipped = {kind for kinds in LOSSES.values() for kind in kinds}
    if chosen.kind in shipped and chosen.kind not in LOSSES[task]:
        raise LabError(f"loss.kind: {chosen.kind} does not fit {task}; use {' or '.join(LOSSES[task])}")
    if task == "multilabel" and chosen.settings.get("class_weights") is not None:
        raise LabError("loss.class_weights: are for classes, not for labels; leave it out")
    return chosen


def levels_of(loss: Part) -> tuple[float, ...]:
    """The quantiles that the network is to predict; none where it predicts a value."""
    return tuple(loss.build().levels) if loss.kind == "quantile" else ()


def task_module(experiment: Experiment, data: DataModule, network: nn.Module) -> TaskModule:
    """The module of the data's task around a network, (N, ...) to (N, out_features), with the usual loss."""
    return module_of(dataclasses.replace(experiment, loss=loss_of(experiment.loss, data)), data, network)


def module_of(experiment: Experiment, data: DataModule, architecture: nn.Module) -> TaskModule:
    """The LightningModule of the data's task."""

    def make_scheduler(optimizer: Optimizer, total_steps: int) -> dict[str, Any]:
        made = experiment.part("scheduler").build(optimizer=optimizer, total_steps=total_steps)
        if isinstance(made, dict):
            return made
        monitor = {"monitor": "val/loss"} if isinstance(made, ReduceLROnPlateau) else {}
        return {"scheduler": made, "interval": "step" if isinstance(made, BY_STEP) else "epoch", **monitor}

    task: dict[str, Any] = {
        "architecture": architecture,
        "loss": experiment.part("loss").build(class_counts=data.class_counts, class_names=data.class_names),
        "make_optimizer": lambda network: groups.optimizer_of(experiment.part("optimizer"), network),
        "make_scheduler": make_scheduler,
        "seed": experiment.seed_of("dropout"),
        "own_metrics": lambda: own_metrics.build_all(experiment.metrics, data.sizes),
        "weighted": data.weighted,
        "stepping": Stepping(
            data.batch_size,
            experiment.trainer["accumulate_grad_batches"],
            experiment.trainer["gradient_clip_val"],
            experiment.trainer["gradient_clip_algorithm"],
        ),
    }
    mix = experiment.data.of_batches
    task["mixing"] = mixing_for(mix["mix"], mix["mix_alpha"], data)
    task["average"] = average_for(experiment.trainer)
    threshold = thresholds.fitting(experiment.threshold, data.task, data.sizes.classes)
    _check_unweighted(data, threshold)
    if data.task == "classification":
        return ClassificationModule(
            data.sizes.classes, data.majority, data.class_names, data.class_counts, threshold, **task
        )
    if data.task == "ordinal":
        return OrdinalModule(data.class_names, data.class_counts, **task)
    if data.task == "multilabel":
        return MultilabelModule(data.class_names, data.label_counts, data.train_weight, threshold, **task)
    if isinstance(data, Characters):
        return LanguageModule(data.character_counts, **task)
    values = {**task, "conformal": experiment.conformal, "columns": data.target_columns()}
    return quantiles.module_of(data, levels_of(experiment.part("loss")), values)


def _check_unweighted(data: DataModule, threshold: Threshold | None) -> None:
    """Raise LabError for weights of samples where a threshold is chosen, or scored, without them."""
    if data.weighted and (isinstance(threshold, str) or (threshold is not None and data.task != "multilabel")):
        raise LabError("data.weight: a threshold is not measured with weights; leave one of the two out")


def output_of(data: DataModule) -> nn.Module:
    """The layer that turns the raw outputs of a network for this data into the user's terms."""
    if data.target_scale is not None:
        return Unscale(data.target_scale)
    return {"ordinal": OrderedProbabilities, "multilabel": nn.Sigmoid}.get(data.task, Probabilities)()
