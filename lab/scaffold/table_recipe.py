"""The starting point for a table. docs/recipes.md has what each part of it gained, and what was left out."""

from collections.abc import Mapping
from typing import Any

from lab.scaffold.inspection import Inspection

MODEL = "realmlp"
MIN_ROWS = 1_000  # training samples below which it was no better than wide_deep
WHY = {
    "model": "A linear path, and a perceptron in which each number is embedded; --model wide_deep is smaller.",
    "scheduler": "The learning rate rises, then falls to 0, so that the last epochs converge.",
    "search": "What `lab study` searches.",
}


def fits(inspection: Inspection, model: str | None) -> bool:
    """Whether this is the starting point: if `model` names it, or for a table of many rows without texts."""
    settings = inspection.settings
    if settings["kind"] != "table" or settings.get("text"):
        return False
    return model == MODEL or (model is None and inspection.rows >= MIN_ROWS)


def sections(inspection: Inspection, batch_size: int, epochs: int) -> dict[str, Any]:
    """The sections of the experiment."""
    return {
        "data": {**_with_scaling(inspection.settings), "batch_size": batch_size},
        "model": {"kind": MODEL, "hidden": 64, "layers": 3, "dropout": 0.3},
        "optimizer": {"kind": "adamw", "lr": 0.005, "beta2": 0.95, "weight_decay": 0.02},
        "scheduler": {"kind": "onecycle"},
        "trainer": {"max_epochs": epochs},
        "seed": 0,
        "search": {
            "optimizer.lr": {"low": 5e-4, "high": 2e-2, "log": True},
            "optimizer.weight_decay": {"low": 1e-3, "high": 1.0, "log": True},
            "model.dropout": {"low": 0.0, "high": 0.5},
            "model.hidden": [32, 64, 128, 256],
        },
    }


def _with_scaling(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**settings, "scaling": settings.get("scaling", "robust")}
