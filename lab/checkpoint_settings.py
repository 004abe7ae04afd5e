"""The settings of `checkpoints:`."""

from lab.bounds import NonNegativeFloat


def checkpoints(every_seconds: NonNegativeFloat = 30.0) -> float:
    """Keep the state of a run every so many seconds, beside that of each best epoch."""
    return every_seconds
