"""What a run's own record says: its experiment, its data, and where it was made, against what is here now."""

from collections.abc import Mapping
from functools import cache

from lab import provenance
from lab.building import Built
from lab.errors import LabError
from lab.experiment import Experiment, parse
from lab.tracking.reader import StoredRun

COMMIT = "mlflow.source.git.commit"
DIRTY = "git.dirty"
ENVIRONMENT = ("version.", "machine.cpu", "machine.gpu", "machine.system")


def experiment(run: StoredRun) -> Experiment:
    """The experiment, from the config.yaml that the run keeps; raises LabError."""
    return parse(run.experiment, run.artifact("config.yaml").read_text(encoding="utf-8"))


def check_data(run: StoredRun, built: Built) -> None:
    """Raise LabError where the data, or its split, is not what the run was trained on."""
    now = {
        "data.fingerprint": built.data.fingerprint,
        "data.split_fingerprint": built.data.split_fingerprint(),
    }
    for name, value in now.items():
        if run.tags.get(name, value) != value:
            raise LabError(
                f"the data is not what run {run.id} was trained on: {name.partition('.')[2]} {value}, "
                f"recorded {run.tags[name]}"
            )


@cache
def _here() -> Mapping[str, str]:
    return provenance.tags()


def environment_differences(run: StoredRun) -> list[str]:
    """A line for every version, and part of the machine, that is not as the run recorded it."""
    here = _here()
    known = [name for name in run.tags if name.startswith(ENVIRONMENT) and name in here]
    return [f"{name}: {here[name]} here, {run.tags[name]} then" for name in known if here[name] != run.tags[name]]


def code_differences(run: StoredRun) -> list[str]:
    """A line where the code is not what the run recorded."""
    here = _here()
    if here.get(COMMIT) != run.tags.get(COMMIT):
        commits = here.get(COMMIT, "unknown")[:10], run.tags.get(COMMIT, "unknown")[:10]
        return ["code: commit {} here, {} then".format(*commits)]
    if _changes_then(run) != provenance.uncommitted_changes():
        return ["code: the same commit as then, but other uncommitted changes"]
    return []


def differences(run: StoredRun) -> list[str]:
    """All of them."""
    return [*code_differences(run), *environment_differences(run)]


def ways_back(run: StoredRun) -> list[str]:
    """The git commands that bring back the code which the run recorded."""
    if COMMIT not in run.tags:
        return []
    commands = [*(["git stash"] if _here().get(DIRTY) == "True" else []), f"git checkout {run.tags[COMMIT]}"]
    if _changes_then(run):
        commands.append(f"git apply {run.artifact('git.diff')}")
    return commands


def _changes_then(run: StoredRun) -> str:
    """The uncommitted changes that the run kept."""
    if run.tags.get(DIRTY) != "True":
        return ""
    try:
        return run.artifact("git.diff").read_text(encoding="utf-8")
    except LabError:  # only new files, which git does not show
        return ""
