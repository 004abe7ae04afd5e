"""A starting point for data of some shape and size: architecture, optimizer, batch size, epochs; and why."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.config.kinds import SHIPPED
from lab.errors import LabError, did_you_mean
from lab.scaffold import table_recipe
from lab.scaffold.inspection import Inspection

FEW_ROWS = 2_000  # training samples below which regularization matters more than size
KERNEL = 5  # of `conv1d`, whose every second block halves the resolution
MOST_BLOCKS = 7
STEPS = 2_000  # optimizer steps of a whole training
STEPS_FOR_FEW_ROWS = 1_500
STEPS_FOR_WORDS = 500  # of a table with texts: more of them learn the words of each row by heart
MIN_EPOCHS, MAX_EPOCHS = 5, 150


@dataclass(frozen=True)
class Choice:
    """The sections of an experiment, and the reasons for some of them."""

    sections: Mapping[str, Any]
    why: Mapping[str, str]


def choose(inspection: Inspection, model: str | None) -> Choice:
    """A starting point; `model` overrides the architecture; raises LabError if there is no such architecture."""
    if model is not None and ":" not in model and "." not in model and model not in SHIPPED["model"]:
        raise LabError(f"--model: no such kind '{model}'; {did_you_mean(model, SHIPPED['model'])}")
    if table_recipe.fits(inspection, model):
        return _of_table(inspection)
    words = inspection.settings["kind"] == "table" and bool(inspection.settings.get("text"))
    few = inspection.rows < FEW_ROWS or words
    section, why = _architecture(inspection, few)
    if model not in (None, section["kind"]):
        section, why = {"kind": model}, "Chosen with --model."
    batch_size = _batch_size(inspection.rows)
    steps = STEPS_FOR_FEW_ROWS if few else STEPS
    epochs = _epochs(inspection.rows, batch_size, STEPS_FOR_WORDS if words else steps)
    rate, decay = (0.003, 0.1) if inspection.data.task == "language" else (0.005, _weight_decay(section["kind"], few))
    sections: dict[str, Any] = {
        "data": {**inspection.settings, "batch_size": batch_size},
        "model": section,
        "optimizer": {"kind": "adamw", "lr": rate, "weight_decay": decay},
        "scheduler": {"kind": "onecycle"},
        **({"combine_with_naive": True} if inspection.data.task == "forecasting" else {}),
        "trainer": {"max_epochs": epochs, "gradient_clip_val": 1.0},
        "seed": 0,
        "search": _space(section),
    }
    reasons = {
        "model": why,
        "optimizer": _why_decay(inspection, decay, words),
        "scheduler": "The learning rate rises, then falls to 0, so that the last epochs converge.",
        "combine_with_naive": "The validation split decides how much the last value and the last season count.",
        "trainer": _why_epochs(inspection, batch_size, epochs),
        "search": "What `lab study` searches.",
    }
    return Choice(sections, reasons)


def _of_table(inspection: Inspection) -> Choice:
    """The best starting point that was measured for tables."""
    batch_size = _batch_size(inspection.rows)
    steps = STEPS_FOR_FEW_ROWS if inspection.rows < FEW_ROWS else STEPS
    epochs = _epochs(inspection.rows, batch_size, steps)
    why = table_recipe.WHY | {"trainer": _why_epochs(inspection, batch_size, epochs)}
    return Choice(table_recipe.sections(inspection, batch_size, epochs), why)


def _why_epochs(inspection: Inspection, batch_size: int, epochs: int) -> str:
    return f"About {math.ceil(inspection.rows / batch_size) * epochs:,} steps in total."


def _weight_decay(architecture: str, few: bool) -> float:
    """Strong where samples are few, but for `conv2d`, which learned more with little (docs/recipes.md)."""
    if not few:
        return 0.1
    return 0.05 if architecture == "conv2d" else 0.5


def _why_decay(inspection: Inspection, decay: float, words: bool) -> str:
    if decay < 0.1:
        return "Little weight decay: convolutions over few images are more accurate with it than with much."
    why = "texts, whose words are many" if words else f"{inspection.rows:,} training samples"
    return f"{'Strong' if decay > 0.1 else 'Some'} weight decay, since there are {why}."


def _architecture(inspection: Inspection, few: bool) -> tuple[dict[str, Any], str]:
    """The architecture for the shape of a sample, and the reason."""
    shape = inspection.data.sizes.input_shape
    if inspection.data.task == "forecasting":
        return (
            {"kind": "mlp", "hidden": 64, "layers": 1, "dropout": 0.1},
            "A window is short enough for a small perceptron, which gets it relative to its last value.",
        )
    if inspection.settings["kind"] == "text":
        return (
            {"kind": "bag", "dropout": 0.3},
            "The mean of the embeddings of words: quick, and hard to beat; try textcnn, gru and transformer too.",
        )
    if inspection.data.task == "language":
        return (
            {"kind": "causal_transformer", "hidden": 64, "layers": 2, "heads": 4, "kernel": 5, "dropout": 0.1},
            "Each character attends to those before it, of which a convolution has joined the last five.",
        )
    if len(shape) == 1:
        return (
            {"kind": "wide_deep", "hidden": 64, "layers": 1 if few else 2, "dropout": 0.3},
            "A linear path, which explains most of a table, and a perceptron that adds the rest.",
        )
    dropout = 0.3 if few else 0.1
    if len(shape) == 2:
        layers = _blocks(shape[1])
        return (
            {"kind": "conv1d", "channels": 64, "layers": layers, "dropout": dropout},
            f"Convolutions find a pattern anywhere in {_sequence(inspection)}; try lstm too.",
        )
    layers = max(2, min(6, int(math.log2(min(shape[1:])))))
    return (
        {"kind": "conv2d", "channels": 32, "layers": layers, "dropout": dropout},
        "Convolutions find a pattern anywhere in the image.",
    )


def _blocks(length: int) -> int:
    """The fewest blocks of `conv1d` whose outputs see half of a sequence; of 178 steps and more 7, which see 89."""
    blocks, seen, step = 0, 1, 1
    while seen < length / 2 and blocks < MOST_BLOCKS:
        blocks, seen = blocks + 1, seen + (KERNEL - 1) * step
        step *= 1 + (blocks % 2 == 0)
    return max(blocks, min(4, int(math.log2(length)) - 1), 1)


def _sequence(inspection: Inspection) -> str:
    return "a sequence of any length" if inspection.data.sizes.padded else "the sequence"


def _batch_size(rows: int) -> int:
    """About 1/40 of the samples as a power of two, from 8 to 256, or to 1024 from 100,000 samples on."""
    largest = 256 if rows < 100_000 else 1024
    return min(rows, int(2 ** min(max(round(math.log2(max(rows, 2) / 40)), 3), math.log2(largest))))


def _epochs(rows: int, batch_size: int, steps: int) -> int:
    return min(max(round(steps * batch_size / rows), MIN_EPOCHS), MAX_EPOCHS)


def _space(model: Mapping[str, Any]) -> dict[str, Any]:
    """Ranges around the chosen settings."""
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
