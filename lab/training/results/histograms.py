"""Histograms of the weights that are trained, and of their gradients, over the epochs of a run."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from lab.config.experiment import Experiment
from lab.tracking.writing.tracker import Tracker

FILE = "histograms.npz"
BINS = 32
MOST_EPOCHS = 100  # of a longer run every second, third, ...: a checkpoint holds all rows, 288 bytes each


class Histograms(Callback):
    """Looks at each parameter at the first optimizer step of an epoch, and at the weights once more at the end.

    A row is the state after so many finished epochs, 0 for the initial weights: gradients are those of the next batch,
    before they are clipped. Parameters that no optimizer holds, such as frozen ones, have none.
    """

    def __init__(self, max_epochs: int):
        self._every = math.ceil(max_epochs / MOST_EPOCHS)
        self._rows: dict[str, list[NDArray[np.float64]]] = {}  # by kind/name
        self._taken: dict[int, int] = {}  # number of an optimizer to the epoch of its last rows

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Take the rows of the epoch for the parameters of this optimizer, unless they are taken."""
        number = next((n for n, each in enumerate(trainer.optimizers) if each is optimizer), 0)
        epoch = trainer.current_epoch
        if epoch % self._every or self._taken.get(number) == epoch:
            return
        self._taken[number] = epoch
        for name, parameter in _held(pl_module, optimizer).items():
            self._add(f"weights/{name}", epoch, parameter)
            if parameter.grad is not None:
                self._add(f"gradients/{name}", epoch, parameter.grad)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the rows of the weights at the end."""
        for optimizer in trainer.optimizers:
            for name, parameter in _held(pl_module, optimizer).items():
                self._add(f"weights/{name}", trainer.current_epoch, parameter)

    def _add(self, key: str, epoch: int, values: Tensor) -> None:
        rows = self._rows.setdefault(key, [])
        if rows and rows[-1][0] == epoch:  # the end of a run that goes on with more epochs
            rows.pop()
        rows.append(row_of(epoch, values))

    def tables(self) -> dict[str, NDArray[np.float64]]:
        """Kind and name, `weights/0.bias` or `gradients/0.bias`, to its rows as of `row_of`, (epochs, 4 + BINS)."""
        return {key: np.stack(rows) for key, rows in self._rows.items()}

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        rows = {key: torch.from_numpy(table) for key, table in self.tables().items()}
        return {"rows": rows, "taken": dict(self._taken)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self._rows = {key: list(table.numpy()) for key, table in state_dict["rows"].items()}
        self._taken = dict(state_dict["taken"])


def asked_for(experiment: Experiment) -> list[Callback]:
    """The callback of an experiment with `trainer.histograms`."""
    return [Histograms(experiment.trainer["max_epochs"])] if experiment.trainer["histograms"] else []


def rehearse(network: nn.Module) -> None:
    """Look at all parameters and gradients once, as a run will."""
    for parameter in network.parameters():
        for values in (parameter, parameter.grad):
            if values is not None:
                row_of(0, values)


def row_of(epoch: int, values: Tensor) -> NDArray[np.float64]:
    """Epoch, lowest and highest finite value, number of others, and the counts in BINS equal bins between those two.

    The last bin includes its upper end, as in numpy.histogram; values that are equal, or too close for so many bins,
    are all in the first.
    """
    flat = _numbers(values)
    finite = flat[np.isfinite(flat)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    counts = np.zeros(BINS)
    if np.spacing(max(abs(low), abs(high))) < (high - low) / BINS < np.inf:
        counts, _ = np.histogram(finite, BINS, (low, high))
    else:
        counts[0] = len(finite)
    return np.array([epoch, low, high, len(flat) - len(finite), *counts])


def _numbers(values: Tensor) -> NDArray[np.float64]:
    """All numbers of a tensor, of complex ones both parts, of sparse ones the zeros too."""
    dense = values.detach().to_dense() if values.layout != torch.strided else values.detach()
    real = torch.view_as_real(dense.resolve_conj()) if dense.is_complex() else dense
    return real.cpu().double().flatten().numpy()


def _held(module: LightningModule, optimizer: Optimizer) -> dict[str, Tensor]:
    """The parameters of a module that an optimizer holds, by name; those of the network without its prefix."""
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    named = module.named_parameters()
    return {name.removeprefix("architecture."): p for name, p in named if id(p) in held and p.requires_grad}


def keep(trainer: Trainer, tracker: Tracker) -> None:
    """Save what was taken as an artifact of the run, if it was asked for."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for callback in callbacks:
        if isinstance(callback, Histograms) and (tables := callback.tables()):
            write(tables, tracker.path(FILE))
            tracker.artifact(FILE)


def write(tables: dict[str, NDArray[np.float64]], path: Path) -> None:
    """Write the rows of each parameter to an npz file."""
    np.savez_compressed(path, **tables)  # type: ignore[arg-type]
