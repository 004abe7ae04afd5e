"""Repositories of Aim as runs, read by Aim's package in an environment of its own: it needs another filelock than ours.

Aim reads runs through an index that a finished run may be missing in, and that only `aim storage reindex` makes anew:
this is done to a copy, so that the repository itself stays as it is.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.tracking.transfer.formats import aim_export, programs
from lab.tracking.transfer.formats.runs import LABELS, NOTES, Foreign, Value, flat, listed, number

FOLDER = ".aim"
SUBSET = "subset"  # the key of a context that names the split
MISSING = (
    "Aim's repositories need its package, which reads them, in an environment of its own: python3 -m venv aim && "
    "aim/bin/pip install aim && export PATH=$PATH:$PWD/aim/bin"
)


def below(folder: Path) -> list[Path]:
    """The repositories below a folder, or the folder itself."""
    return [folder] if folder.name == FOLDER else sorted(each for each in folder.rglob(FOLDER) if each.is_dir())


def read(repository: Path) -> list[Foreign]:
    """The runs of a repository; raises LabError where Aim is missing or cannot read it."""
    program = programs.find("aim")
    if program is None:
        raise LabError(f"{repository}: {MISSING}")
    with tempfile.TemporaryDirectory() as copy, programs.reading(repository, "Aim"):
        shutil.copytree(repository, Path(copy) / FOLDER)
        programs.output([program, "storage", "--repo", copy, "reindex", "--yes"], repository)
        exported = programs.output([*programs.python_of(program), aim_export.__file__, copy], repository)
        return [_run(repository, content) for content in programs.objects(exported)]


def _run(repository: Path, content: Mapping[str, Any]) -> Foreign:
    values: list[Value] = []
    others = set(content["others"])
    if any(metric["epochs"] for metric in content["metrics"]):
        others.add("epochs")
    for metric in content["metrics"]:
        name = _name(metric["name"], metric["context"])
        rows = zip(metric["steps"], metric["times"], metric["values"], strict=True)
        for step, time, value in rows:
            if (found := number(value)) is None:
                others.add(name)
            else:
                values.append(Value(name, step, round(time * 1000), found))
    tags = {NOTES: content["description"], LABELS: ", ".join(content["tags"])}
    ended = content["ended"]
    return Foreign(
        content["name"],
        "aim",
        repository,
        values,
        dict(flat(content["settings"])),
        listed(others),
        "FINISHED" if ended else "KILLED",
        round(content["started"] * 1000),
        round(ended * 1000) if ended else None,
        {name: text for name, text in tags.items() if text},
    )


def _name(metric: str, context: Mapping[str, Any]) -> str:
    """The name of a metric below its context: `train/loss` for {"subset": "train"}."""
    parts = [str(value) if key == SUBSET else f"{key} {value}" for key, value in sorted(context.items())]
    return "/".join([*parts, metric])
