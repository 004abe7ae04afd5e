"""Private parts of Lightning 2.6 that exact resuming needs. No other file uses any; one test names the version.

Lightning has no public way to ask whether another batch of the epoch follows, and it saves a checkpoint of the end of
an epoch as if the next one had begun.
"""

from typing import Any

from lightning.pytorch import Trainer

VERSION = "2.6"


def batch_follows(trainer: Trainer) -> bool:
    """Whether another batch of the same epoch comes next: no validation, no end of the epoch or of the training."""
    loop = trainer.fit_loop.epoch_loop
    fetcher = trainer.fit_loop._data_fetcher
    assert fetcher is not None, "set while a training runs"
    at_end = loop._num_ready_batches_reached() or trainer.global_step == trainer.max_steps
    return not (at_end or loop._should_check_val_fx(fetcher))


def mark_epoch_as_not_begun(checkpoint: dict[str, Any]) -> None:
    """Undo, in a checkpoint saved between two epochs, that Lightning counts the next one as begun already."""
    progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]
    for counts in (progress["total"], progress["current"]):
        counts["ready"] -= 1
