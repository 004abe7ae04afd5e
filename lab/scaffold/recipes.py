"""What to begin with for data of a shape and size: architecture, optimizer, batch size, epochs; and why."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.config.kinds import SHIPPED
from lab.errors import LabError, did_you_mean
from lab.scaffold.inspection import Look

FEW_ROWS = 2_000  # below which a network needs holding back more than it needs size
STEPS = 2_000  # optimizer steps of a whole training
STEPS_FOR_FEW_ROWS = 1_500
FEWEST_EPOCHS, MOST_EPOCHS = 5, 150


@dataclass(frozen=True)
class Choice:
    """Sections of an experiment, and for some of them why they are so."""

    sections: Mapping[str, Any]
    why: Mapping[str, str]


def choose(look: Look, model: str | None) -> Choice:
    """A good beginning; `model` is the architecture where somebody wants a certain one; raises LabError."""
    if model is not None and ":" not in model and "." not in model and model not in SHIPPED["model"]:
        raise LabError(f"--model: no such kind '{model}'; {did_you_mean(model, SHIPPED['model'])}")
    few = look.rows < FEW_ROWS
    section, why = _architecture(look, few)
    if model not in (None, section["kind"]):
        section, why = {"kind": model}, "Chosen with --model."
    batch_size = _batch_size(look.rows)
    epochs = _epochs(look.rows, batch_size, STEPS_FOR_FEW_ROWS if few else STEPS)
    sections: dict[str, Any] = {
        "data": {**look.settings, "batch_size": batch_size},
        "model": section,
        "optimizer": {"kind": "adamw", "lr": 0.005, "weight_decay": 0.5 if few else 0.1},
        "scheduler": {"kind": "onecycle"},
        "trainer": {"max_epochs": epochs, "gradient_clip_val": 1.0},
        "seed": 0,
        "search": _space(section),
    }
    reasons = {
        "model": why,
        "optimizer": f"{'Strong' if few else 'Some'} weight decay, since there are {look.rows:,} training samples.",
        "scheduler": "The learning rate rises, then falls to 0: the last epochs settle.",
        "trainer": f"About {math.ceil(look.rows / batch_size) * epochs:,} steps in all.",
        "search": "What `lab study` tries.",
    }
    return Choice(sections, reasons)


def _architecture(look: Look, few: bool) -> tuple[dict[str, Any], str]:
    """The architecture for the shape of a sample, and why it."""
    shape = look.data.sizes.input_shape
    if look.data.task == "forecasting":
        return (
            {"kind": "mlp", "hidden": 64, "layers": 1, "dropout": 0.1},
            "A window is short enough for a small perceptron, which sees it relative to its last value.",
        )
    if len(shape) == 1:
        return (
            {"kind": "wide_deep", "hidden": 64, "layers": 1 if few else 2, "dropout": 0.3},
            "A linear path, which rows of a table are mostly right with, and a perceptron that adds the rest.",
        )
    dropout = 0.3 if few else 0.1
    if len(shape) == 2:
        layers = max(1, min(4, int(math.log2(shape[1])) - 1))
        return (
            {"kind": "conv1d", "channels": 64, "layers": layers, "dropout": dropout},
            "Filters that look for a pattern wherever it stands in the sequence; try lstm too.",
        )
    layers = max(2, min(6, int(math.log2(min(shape[1:])))))
    return (
        {"kind": "conv2d", "channels": 32, "layers": layers, "dropout": dropout},
        "Filters that look for a pattern wherever it stands in the image.",
    )


def _batch_size(rows: int) -> int:
    """A fortieth of the samples as a power of two, from 8 to 256; more where there are very many."""
    most = 256 if rows < 100_000 else 1024
    return min(rows, int(2 ** min(max(round(math.log2(max(rows, 2) / 40)), 3), math.log2(most))))


def _epochs(rows: int, batch_size: int, steps: int) -> int:
    return min(max(round(steps * batch_size / rows), FEWEST_EPOCHS), MOST_EPOCHS)


def _space(model: Mapping[str, Any]) -> dict[str, Any]:
    """Ranges around what was chosen."""
    space: dict[str, Any] = {
        "optimizer.lr": {"low": 5e-4, "high": 5e-2, "log": True},
        "optimizer.weight_decay": {"low": 1e-3, "high": 1.0, "log": True},
    }
    if "dropout" in model:
        space["model.dropout"] = {"low": 0.0, "high": 0.5}
    for width in ("hidden", "channels"):
        if width in model:
            space[f"model.{width}"] = [16, 32, 64, 128]
    return space
