"""The runs below a folder, whichever tool wrote them."""

from pathlib import Path

from lab.errors import LabError
from lab.tracking.transfer.formats import (
    aim_repositories,
    csv_files,
    tensorboard_events,
    trackio_databases,
    wandb_records,
)
from lab.tracking.transfer.formats.runs import Foreign

READ = (
    f"metrics.csv, other .csv files, TensorBoard's {tensorboard_events.PATTERN}, W&B's {wandb_records.PATTERN}, "
    f"{aim_repositories.FOLDER} of Aim and the .db of trackio are read"
)


def find(folder: Path) -> list[Foreign]:
    """The runs below a folder, tool after tool; where there are none, one per CSV file in it.

    Raises LabError for what cannot be read, and where there is nothing.
    """
    if not folder.is_dir():
        raise LabError(f"{folder}: is not a folder; name the one that holds the runs")
    found = [csv_files.read(path, _name(path.parent, folder)) for path in sorted(folder.rglob("metrics.csv"))]
    places = sorted({path.parent for path in folder.rglob(tensorboard_events.PATTERN)})
    found += [tensorboard_events.read(place, _name(place, folder)) for place in places]
    found += wandb_records.read_all(sorted(folder.rglob(wandb_records.PATTERN)))
    for repository in aim_repositories.below(folder):
        found += aim_repositories.read(repository)
    for database in sorted(filter(trackio_databases.is_one, folder.rglob("*.db"))):
        found += trackio_databases.read(database)
    if not found:
        found = [csv_files.read(path, path.stem) for path in sorted(folder.glob("*.csv"))]
    if not found:
        raise LabError(f"{folder}: has no runs; {READ}")
    return found


def _name(place: Path, folder: Path) -> str:
    """The path of a run's folder below the one that was named, or that one's own name."""
    return str(place.relative_to(folder)) if place != folder else folder.absolute().name
