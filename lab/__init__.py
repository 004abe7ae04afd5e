"""The lab: from a short YAML file to a trained, tracked and tested PyTorch model."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.inference.model import Model
    from lab.tracking.lightning_logger.logger import Logger as Logger


__version__ = "0.3.0"


def load(run: str, by: str = "val/loss") -> "Model":
    """The model of a run, to `predict` with; raises lab.errors.LabError.

    The run is named by id, the first letters of it, name, `latest:lstm` or `best:lstm`, the best `by` a metric.
    """
    from lab.inference import model  # only here: `import lab` stays light

    return model.load(run, by)


def __getattr__(name: str) -> Any:
    """`lab.Logger`, imported when it is used."""
    if name == "Logger":
        from lab.tracking.lightning_logger.logger import Logger

        return Logger
    raise AttributeError(f"module 'lab' has no attribute '{name}'")
