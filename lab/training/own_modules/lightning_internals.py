"""Private parts of Lightning 2.6 and torchmetrics 1.9, for exact resuming and several devices; tests name the versions.

torchmetrics tells nobody which states of a metric cannot be put together from several devices. Lightning has no public
way to ask whether another batch of the epoch follows; it saves a checkpoint of the end of an epoch as if the next one
had begun, and leaves out what `self.log` and metrics have collected of an epoch.
"""

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torchmetrics import Metric

VERSION = "2.6"
TORCHMETRICS_VERSION = "1.9"


def batch_follows(trainer: Trainer) -> bool:
    """Whether another batch of the same epoch comes next: no validation, no end of the epoch or of the training."""
    loop = trainer.fit_loop.epoch_loop
    fetcher = trainer.fit_loop._data_fetcher
    assert fetcher is not None, "set while a training runs"
    at_end = loop._num_ready_batches_reached() or 0 <= trainer.max_steps <= trainer.global_step
    return not (at_end or loop._should_check_val_fx(fetcher))


def mark_epoch_as_not_begun(checkpoint: dict[str, Any]) -> None:
    """Undo, in a checkpoint saved between two epochs, that Lightning counts the next one as begun already."""
    progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]
    for counts in (progress["total"], progress["current"]):
        counts["ready"] -= 1


def step_values(trainer: Trainer) -> dict[str, Tensor]:
    """Name to value of what `self.log` was given for the present step, and not for the epoch."""
    return {
        result.meta.name: result.value
        for _, result in trainer.fit_loop.epoch_loop._results.valid_items()
        if result.is_tensor and result.meta.on_step and not result.meta.on_epoch
    }


def epoch_values(trainer: Trainer) -> dict[str, Tensor]:
    """Name to value of what `self.log` has collected of the epoch that is trained."""
    results = trainer.fit_loop.epoch_loop._results
    of_epoch = [result for _, result in results.valid_items() if result.meta.on_epoch]
    return {result.meta.name: torch.as_tensor(result.compute()).detach() for result in of_epoch}


def logged_metrics(trainer: Trainer) -> dict[str, Metric]:
    """Name to metric of the torchmetrics that `self.log` was given, in training or validation."""
    loops = (trainer.fit_loop.epoch_loop, trainer.fit_loop.epoch_loop.val_loop)
    return {
        result.meta.name: result.value
        for loop in loops
        for result in loop._results.values()
        if not result.is_tensor and isinstance(result.value, Metric)
    }


def collected(trainer: Trainer) -> dict[str, dict[str, Tensor]]:
    """What `self.log` has collected of the unfinished epoch: key to sum (or extreme) and number of samples."""
    found = {}
    for key, result in trainer.fit_loop.epoch_loop._results.items():
        if result.is_tensor and result.meta.on_epoch and not result.has_reset:
            found[key] = {"value": result.value.clone()}
            if result.meta.is_mean_reduction:
                found[key]["samples"] = result.cumulated_batch_size.clone()
    return found


def add_collected(trainer: Trainer, before: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Add what `collected` gave to what has been collected since."""
    results = trainer.fit_loop.epoch_loop._results
    for key, saved in before.items():
        if key not in results:
            continue
        result, value = results[key], saved["value"].to(results[key].value.device)
        if result.meta.is_max_reduction or result.meta.is_min_reduction:
            result.value = result.meta.reduce_fx(value, result.value)
        else:
            result.value = value + result.value
        if "samples" in saved:
            result.cumulated_batch_size = result.cumulated_batch_size + saved["samples"].to(result.value.device)
        result._computed = None


def metric_states(module: LightningModule) -> dict[str, dict[str, Any]]:
    """Name to state and number of updates of each metric inside a module."""
    return {
        name: {"state": dict(metric.metric_state), "updates": metric.update_count}
        for name, metric in module.named_modules()
        if isinstance(metric, Metric)
    }


def restore_metric_states(module: LightningModule, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Give metrics the states that `metric_states` gave."""
    metrics = dict(module.named_modules())
    for name, saved in states.items():
        metric = metrics.get(name)
        if isinstance(metric, Metric):
            for attribute, value in saved["state"].items():
                moved = (
                    [part.to(module.device) for part in value] if isinstance(value, list) else value.to(module.device)
                )
                setattr(metric, attribute, moved)
            metric._update_count = saved["updates"]
            metric._computed = None


def states_of_one_device(metric: Metric) -> list[str]:
    """The names of a metric's states, and of the metrics in it, that cannot be put together from several devices."""
    rules = [part._reductions for part in metric.modules() if isinstance(part, Metric)]
    return [state for each in rules for state, rule in each.items() if rule is None]
