"""The rehearsal of a node: the same versions, imports, data and devices as here, tried before the first training."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.config.experiment import parse
from lab.errors import described
from lab.parallel.jobs import Job, prepared_data, rehearse_job
from lab.version import __version__


@dataclass(frozen=True)
class Surroundings:
    """What a node has: versions by package, the fingerprint of each experiment's data, and what failed ("" if none)."""

    versions: Mapping[str, str]
    data: Sequence[str] = ()
    failure: str = field(default="")


def rehearse(jobs: Sequence[Job], gpus: float) -> Surroundings:
    """Build each job's experiment here, take it through one batch; what it raises is a failure of the node."""
    import torch

    versions = _versions()
    if gpus and not torch.cuda.is_available():
        return Surroundings(versions, (), "torch finds no GPU")
    try:
        return Surroundings(versions, [rehearse_job(job) for job in jobs])
    except Exception as error:
        return Surroundings(versions, (), described(error).removeprefix("LabError: ").removeprefix("Unavailable: "))


def here(jobs: Sequence[Job]) -> Surroundings:
    """The surroundings of this process, which has rehearsed the jobs already."""
    return Surroundings(_versions(), [prepared_data(parse(job.name, job.config)).fingerprint for job in jobs])


def difference(there: Surroundings, expected: Surroundings) -> tuple[str, bool]:
    """What is other than here, as half a line, and whether trainings cannot be compared for it."""
    other = [
        f"{name} {version} (here {expected.versions.get(name, 'none')})"
        for name, version in there.versions.items()
        if version != expected.versions.get(name)
    ]
    if there.failure:
        return ", ".join([there.failure, *other]), True
    if list(there.data) != list(expected.data):
        return ", ".join(["its data is not the same as here", *other]), True
    return ", ".join(other), False


def _versions() -> dict[str, str]:
    import torch

    return {"Python": platform.python_version(), "torch": torch.__version__, "lab": __version__}
