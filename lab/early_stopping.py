"""The settings of `early_stopping:`."""

from typing import TYPE_CHECKING

from lab.bounds import NonNegativeFloat, PositiveInt

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import EarlyStopping


def early_stopping(
    higher_is_better: bool,
    monitor: str = "val/loss",
    patience: PositiveInt = 10,
    min_delta: NonNegativeFloat = 0.0,
) -> "EarlyStopping":
    """Stop once `monitor` has not improved by more than `min_delta` for `patience` epochs."""
    from lightning.pytorch.callbacks import EarlyStopping

    mode = "max" if higher_is_better else "min"
    return EarlyStopping(monitor, min_delta=min_delta, patience=patience, mode=mode, check_finite=False)
