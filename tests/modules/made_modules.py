"""Modules without training, and their scores over an epoch of batches."""

from typing import Any

import torch
from torch import Tensor, nn

from lab.modules.metrics.epoch_scores import EpochScores, weighted
from lab.modules.tasks.task import TaskModule
from lab.modules.training_step import Stepping


def task(loss: nn.Module) -> dict[str, Any]:
    """The arguments of any task's module; its architecture gives back what it takes."""
    return {
        "architecture": nn.Identity(),
        "loss": loss,
        "make_optimizer": lambda network: torch.optim.SGD(network.parameters(), 0.1),
        "make_scheduler": lambda optimizer, steps: {"scheduler": torch.optim.lr_scheduler.ConstantLR(optimizer)},
        "seed": 0,
        "stepping": Stepping(1),
    }


ODD_CLASSES = ["usual", "one class", "rare", "a class unseen", "ties", "all alike", "large", "shifted"]


def class_samples(odd: str, samples: int, classes: int, columns: int) -> tuple[Tensor, Tensor]:
    """Logits (N, columns) and class numbers (N,) of one of the ODD_CLASSES."""
    generator = torch.Generator().manual_seed(5)
    logits = 2 * torch.randn(samples, columns, generator=generator)
    y = torch.randint(classes, (samples,), generator=generator)
    match odd:
        case "one class":
            y[:] = 1
        case "rare":
            y[:] = 0
            y[-2:] = 1
        case "a class unseen":
            y[y == 0] = 1
        case "ties":
            logits = logits.round()
        case "all alike":
            logits[:] = 0
        case "large":
            logits *= 1000
        case "shifted":
            logits += 1000
    return logits, y


def batches(samples: tuple[Tensor, Tensor], size: int) -> list[tuple[Tensor, Tensor]]:
    """Samples x (N, ...) and y (N, ...) in batches; the last may be smaller."""
    return list(zip(*(part.split(size) for part in samples), strict=True))


def scores(module: TaskModule, outputs: Tensor, samples: tuple[Tensor, Tensor], size: int = 7) -> dict[str, float]:
    """The loss and the metrics of raw outputs (N, ...) for samples, collected batch by batch."""
    collected = EpochScores(module.new_metrics())
    for part, batch in zip(outputs.split(size), batches(samples, size), strict=True):
        loss = module.loss(part, module.loss_target(batch))
        collected.add(*weighted(module.loss, [loss], [batch[1]]), module.scored(part, batch))
    return collected.compute()
