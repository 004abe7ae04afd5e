"""Learning-rate schedules, as the mapping that `LightningModule.configure_optimizers` returns.

`total_steps` is the number of optimizer steps in the whole run.
"""

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)

from lab.bounds import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt


def constant(optimizer: Optimizer) -> dict[str, Any]:
    """The learning rate as it is."""
    return {"scheduler": ConstantLR(optimizer, factor=1.0), "interval": "epoch"}


def cosine(optimizer: Optimizer, total_steps: int, min_lr: NonNegativeFloat = 0.0) -> dict[str, Any]:
    """From the learning rate down to `min_lr` along half a cosine (Loshchilov & Hutter 2017)."""
    return {"scheduler": CosineAnnealingLR(optimizer, total_steps, eta_min=min_lr), "interval": "step"}


def onecycle(optimizer: Optimizer, total_steps: int, warmup: Fraction = 0.3) -> dict[str, Any]:
    """Up to the learning rate during the first `warmup` of all steps, then down to almost 0 (Smith 2018)."""
    peaks = [group["lr"] for group in optimizer.param_groups]
    # Momentum stays what the optimizer's settings say: torch would cycle it too.
    scheduler = OneCycleLR(optimizer, peaks, total_steps=total_steps, pct_start=warmup, cycle_momentum=False)
    return {"scheduler": scheduler, "interval": "step"}


def step(optimizer: Optimizer, every: PositiveInt = 10, factor: PositiveFloat = 0.1) -> dict[str, Any]:
    """The learning rate times `factor` after every `every` epochs."""
    return {"scheduler": StepLR(optimizer, every, factor), "interval": "epoch"}


def plateau(optimizer: Optimizer, patience: PositiveInt = 5, factor: Fraction = 0.5) -> dict[str, Any]:
    """The learning rate times `factor` once the validation loss has not improved for `patience` epochs."""
    scheduler = ReduceLROnPlateau(optimizer, patience=patience, factor=factor)
    return {"scheduler": scheduler, "interval": "epoch", "monitor": "val/loss"}
