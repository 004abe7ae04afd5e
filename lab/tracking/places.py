"""Names that come from elsewhere, as places that cannot leave their folder."""

from pathlib import Path
from urllib.parse import quote

from lab.errors import LabError

LONGEST = 200  # characters; file systems take 255 bytes


def folder_name(name: str) -> str:
    """A name as that of one folder: itself where it is plain, else with what has a meaning in paths escaped."""
    plain = quote(name, safe=" ()+,=@")[:LONGEST]
    return plain.replace(".", "%2E", 1) if plain.startswith(".") else plain or "%20"


def is_inside(name: str) -> bool:
    """Whether a relative path names something below the folder that it is joined to."""
    parts = name.replace("\\", "/").split("/")
    return not name.startswith(("/", "\\")) and ":" not in parts[0] and ".." not in parts and "\0" not in name


def inside(folder: Path, name: str) -> Path:
    """The path of a name below a folder, links followed; raises LabError where it leads out."""
    path = folder / name
    if not is_inside(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise LabError(f"'{name}' leads out of {folder}")
    return path
