"""Where a run came from: code, data, versions, machine; and how that differs from the present state."""

import dataclasses
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lab.config.experiment import Experiment, parse
from lab.errors import LabError, is_own_file, see
from lab.tracking import environment
from lab.tracking.reading.stored_runs import StoredRun
from lab.training.building import Built
from lab.training.fine_tuning import start

COMMIT = environment.COMMIT
DIRTY = environment.DIRTY
CODE = "code"  # the folder of a run for files that git does not track
OTHER_CHANGES = "code: the same commit, but other uncommitted changes"
SETTING = re.compile(r" +(?=[^\s=]+=)")  # in the name of a run, before each override
ENVIRONMENT = ("version.", "machine.cpu", "machine.gpu", "machine.system")


def tags() -> dict[str, str]:
    """Tags of a run: git commit and whether it is modified, versions, processor, threads, GPU."""
    return environment.tags() | {"machine.gpu": environment.gpu()}


def uncommitted_changes() -> str:
    """The uncommitted changes as `git diff` prints them; "" where there are none."""
    return environment.git("diff", "HEAD")


def untracked_code() -> dict[str, str]:
    """The Python files below the working directory that are imported and that git does not track: path to text."""
    here, tracked = Path.cwd(), set(environment.git("ls-files", "-z").split("\0"))
    files = {file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    own = sorted(str(Path(file).relative_to(here)) for file in files if is_own_file(file, here))
    return {path: Path(path).read_text("utf-8", errors="replace") for path in own if path not in tracked}


def recorded_experiment(run: StoredRun) -> Experiment:
    """The experiment of a run, from its config.yaml, with the overrides in the run's name; raises LabError."""
    experiment = parse(run.experiment, run.artifact("config.yaml").read_text(encoding="utf-8"))
    words = SETTING.split(run.name.removeprefix(experiment.name))
    known = experiment.settings().keys() | experiment.sections().keys()
    return dataclasses.replace(experiment, overrides=tuple(w for w in words if w.partition("=")[0] in known))


def evaluated_experiment(run: StoredRun) -> Experiment:
    """As `recorded_experiment`, for the weights of its checkpoint: those it started from may be gone by now."""
    return start.of_checkpoint(recorded_experiment(run))


def check_same_data(run: StoredRun, built: Built) -> None:
    """Raise LabError where the data, or its split, differs from what the run was trained on."""
    now = {
        "data.fingerprint": built.data.fingerprint,
        "data.split_fingerprint": built.data.split_fingerprint(),
    }
    for name, value in now.items():
        if run.tags.get(name, value) != value:
            raise LabError(
                f"the data is not what run {run.id} was trained on: {name.partition('.')[2]} {value}, "
                f"recorded {run.tags[name]}{see('data-changed')}"
            )


@cache
def _here() -> Mapping[str, str]:
    return tags()


def environment_differences(run: StoredRun) -> list[str]:
    """A line for every version, and part of the machine, that differs from the record of the run."""
    here = _here()
    known = [name for name in run.tags if name.startswith(ENVIRONMENT) and name in here]
    return [f"{name}: {here[name]} here, {run.tags[name]} in the run" for name in known if here[name] != run.tags[name]]


def code_differences(run: StoredRun) -> list[str]:
    """A line where the code differs from the record of the run."""
    here = _here()
    if here.get(COMMIT) != run.tags.get(COMMIT):
        commits = here.get(COMMIT, "unknown")[:10], run.tags.get(COMMIT, "unknown")[:10]
        return ["code: commit {} here, {} in the run".format(*commits)]
    lines = [] if _recorded_changes(run) == uncommitted_changes() else [OTHER_CHANGES]
    here_now = untracked_code()
    differing = [path for path, text in recorded_code(run) if here_now.get(path) != text]
    return [*lines, *(f"code: {path} is not as in the run" for path in differing)]


def differences(run: StoredRun) -> list[str]:
    """All differences of code and environment."""
    return [*code_differences(run), *environment_differences(run)]


def commands_to_restore_code(run: StoredRun) -> list[str]:
    """The git commands that restore the code of the run."""
    if COMMIT not in run.tags:
        return []
    commands = [*(["git stash"] if _here().get(DIRTY) == "True" else []), f"git checkout {run.tags[COMMIT]}"]
    if _recorded_changes(run):
        commands.append(f"git apply {run.artifact('git.diff')}")
    return commands + [f"cp {run.artifact(f'{CODE}/{path}')} {path}" for path, _ in recorded_code(run)]


def recorded_code(run: StoredRun) -> list[tuple[str, str]]:
    """The files that git did not track when the run imported them: path and text."""
    try:
        folder = run.artifact(CODE)
    except LabError:
        return []
    files = sorted(folder.rglob("*.py"))
    return [(str(file.relative_to(folder)), file.read_text(encoding="utf-8")) for file in files]


def _recorded_changes(run: StoredRun) -> str:
    """The uncommitted changes that the run recorded."""
    if run.tags.get(DIRTY) != "True":
        return ""
    try:
        return run.artifact("git.diff").read_text(encoding="utf-8")
    except LabError:  # there were new files only, which `git diff` does not show
        return ""
