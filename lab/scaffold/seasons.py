"""How long the season of a series is, and how far to look back and ahead."""

import numpy as np
import pandas as pd

# Days between two rows, and how many rows a season has: a year of months, quarters or weeks, a week of days, a day of
# hours, an hour of minutes.
SEASONS = ((30.4, 12), (91.3, 4), (7.0, 52), (1.0, 7), (1 / 24, 24), (1 / 1440, 60))
FEWEST_WINDOWS = 40  # to learn from
TRAINING_SHARE = 0.6


def season(times: pd.Series) -> int | None:
    """How many rows make a season, by the time between them; None where that is not known."""
    if not pd.api.types.is_datetime64_any_dtype(times.dtype):
        return None
    days = float(np.median(times.diff().dropna() / np.timedelta64(1, "D")))
    return next((rows for step, rows in SEASONS if abs(days / step - 1) < 0.1), None)


def window_and_horizon(rows: int, season: int | None) -> tuple[int, int]:
    """Two or three seasons back and one ahead, as far as the rows allow; else a few steps each."""
    training = int(rows * TRAINING_SHARE)
    if season:
        for seasons in (3, 2, 1):
            if training - (seasons + 1) * season >= FEWEST_WINDOWS:
                return seasons * season, season
    horizon = max(1, min(12, rows // 25))
    return max(2, min(3 * horizon, training // 3)), horizon
