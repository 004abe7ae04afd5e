"""Files in one folder per class, below `train`, `val` and `test` if the splits are given."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lab.data.encodings.text import TEXT_FILE
from lab.data.reading.images.files import SUFFIXES, Files, files_below, is_hidden
from lab.data.splitting import given_splits
from lab.errors import LabError, did_you_mean, printable


@dataclass(frozen=True)
class Kind:
    """What the files are called in messages, their endings, and endings of files that can be made such files."""

    noun: str
    suffixes: tuple[str, ...]
    convertible: tuple[str, ...]
    convert: str


PHOTOS = (".heic", ".heif", ".svg", ".raw", ".cr2", ".nef", ".dng", ".psd", ".jp2", ".dcm", ".nii", ".npy", ".ico")
DOCUMENTS = (".doc", ".docx", ".odt", ".rtf", ".pdf", ".html", ".htm", ".md", ".text")
IMAGES = Kind("images", SUFFIXES, PHOTOS, "those that are photos to PNG or JPEG")
TEXTS = Kind("texts", (TEXT_FILE,), DOCUMENTS, "those that are texts to .txt")


def find(folder: str | Path, kind: Kind) -> Files:
    """The files in a folder with one folder per class, or with such folders in `train` and `val`, `test` or both.

    Raises LabError if there are none.
    """
    root = existing_folder(Path(folder).expanduser())
    splits = _split_folders(root)
    labelled = {split: path for split, path in splits.items() if split == "train" or _folders(path)} or {"": root}
    first = labelled.get("train", root)
    names = _class_names(first)
    for path in labelled.values():
        _check_known(path, names)
    files = _listed(labelled, names, kind)
    unused = sorted(set(files_below(root)) - set(files.paths))
    notes = [("task", f"classification, {len(names)} classes (the folders of {first})")]
    notes += _unlabelled([path for split, path in splits.items() if split not in labelled], kind)
    notes += _summary(unused, kind)
    return replace(files, notes=tuple(notes), unused=tuple(f"{path}: not used" for path in unused))


def below(folder: Path, kind: Kind) -> list[Path]:
    """All files of a kind in a folder and the folders in it, sorted, without hidden ones such as `._1.jpg` of a Mac."""
    return [path for path in files_below(folder) if path.suffix.lower() in kind.suffixes and path.name[0] != "."]


def existing_folder(root: Path) -> Path:
    """The path of a folder; raises LabError, with similar names, if there is none."""
    if not root.is_dir():
        near = [str(other) for other in root.parent.glob("*/")] if root.parent.is_dir() else []
        hint = did_you_mean(str(root), near) if near else f"looked up from {Path.cwd()}"
        raise LabError(f"{root}: {'is a file, not a folder' if root.exists() else f'no such folder; {hint}'}")
    return root


def _summary(unused: Sequence[Path], kind: Kind) -> Iterator[tuple[str, str]]:
    """A note on the files that are not used, by their endings."""
    endings = Counter(path.suffix.lower() or path.name for path in unused)
    if not unused:
        return
    kinds = ", ".join(f"{printable(ending)} {count:,}" for ending, count in endings.most_common(5))
    convert = f"; convert {kind.convert}" if endings.keys() & set(kind.convertible) else ""
    yield "not used", f"{len(unused):,} file{'s' if len(unused) > 1 else ''} ({kinds}){convert}"


def _split_folders(root: Path) -> dict[str, Path]:
    """The folders `train`, `val` and `test`, by whatever usual name; {} unless there is `train` and another."""
    found: dict[str, Path] = {}
    for path in _folders(root):
        split = given_splits.named(path.name)
        if split in found:
            raise LabError(f"{path}: is a {split} split like {found[split]}; keep one of them")
        if split:
            found[split] = path
    return found if "train" in found and len(found) > 1 else {}


def _folders(root: Path) -> list[Path]:
    """The folders in a folder that may be classes, by name."""
    return sorted(path for path in root.iterdir() if path.is_dir() and not is_hidden(path.name))


def _class_names(root: Path) -> tuple[str, ...]:
    folders = _folders(root)
    if len(folders) < 2:
        found = f"only {folders[0].name}/" if folders else "none"
        inside = len(folders) == 1 and len(_folders(folders[0])) > 1
        hint = f"; did you mean {folders[0]}?" if inside else ""
        raise LabError(f"{root}: needs one folder per class, at least two; found {found}{hint}")
    return tuple(path.name for path in folders)


def _check_known(folder: Path, names: Sequence[str]) -> None:
    unknown = [path for path in _folders(folder) if path.name not in names]
    if unknown:
        raise LabError(f"{unknown[0]}: a class that the training images do not have")


def _listed(splits: Mapping[str, Path], names: Sequence[str], kind: Kind) -> Files:
    """The files of each class in each split, in the order train, val, test."""
    paths: list[Path] = []
    labels: list[int] = []
    given: list[str] = []
    for split in (split for split in ("", "train", "val", "test") if split in splits):
        for label, name in enumerate(names):
            folder = splits[split] / name
            found = below(folder, kind) if folder.is_dir() else []
            if not found and folder.is_dir():
                raise LabError(f"{folder}: has no {kind.noun} ({', '.join(kind.suffixes)})")
            paths += found
            labels += [label] * len(found)
            given += [split] * len(found)
    return Files(
        tuple(paths),
        np.array(labels, dtype=np.int64),
        tuple(names),
        given=np.array(given) if any(given) else None,
        given_by="the folders",
    )


def _unlabelled(folders: Iterable[Path], kind: Kind) -> Iterator[tuple[str, str]]:
    """A note on each split folder without folders of classes."""
    for folder in folders:
        yield "not used", f"{folder} has no folders of classes; `lab predict` takes {kind.noun} without a class"
