"""All experiments at a glance, for `lab list`."""

from lab import building, experiment
from lab.errors import LabError


def rows() -> list[tuple[str, str, str]]:
    """Name, parts (data, model, size) and question of each experiment; its mistakes in place of the parts."""
    return [_row(name) for name in experiment.names()]


def _row(name: str) -> tuple[str, str, str]:
    try:
        loaded = experiment.load(name)
        parameters = sum(p.numel() for p in building.build(loaded).module.parameters())
    except LabError as error:
        return name, str(error), "(cannot be run)"
    return name, f"{loaded.data.kind}, {loaded.model.kind}, {parameters:,} parameters", loaded.question
