"""All experiments at a glance, for `lab list`."""

from lab import experiment
from lab.errors import LabError

Row = tuple[str, str, str, str, str]


def rows() -> list[Row]:
    """Name, data, model, number of parameters and question of each experiment; a mistake in place of these."""
    return [_row(name) for name in experiment.names()]


def _row(name: str) -> Row:
    from lab import building

    try:
        loaded = experiment.load(name)
        parameters = sum(p.numel() for p in building.build(loaded).module.parameters())
    except LabError as error:
        return name, "", "", "", str(error)
    return name, loaded.data.kind, loaded.model.kind, f"{parameters:,}", loaded.question
