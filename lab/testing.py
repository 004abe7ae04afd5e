"""A run tested again, from nothing but its own record."""

from lab import training
from lab.building import build
from lab.errors import LabError
from lab.experiment import parse
from lab.tracking import reader


def test_again(name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Test metrics by full name: measured now, and as the run logged them; raises LabError."""
    run = reader.find(name)
    logged = {name: value for name, value in run.metrics.items() if name.startswith("test/")}
    if not logged:
        raise LabError(f"run {run.id} is {run.status} and has no test metrics: it did not come to its test")
    built = build(parse(run.experiment, run.artifact("config.yaml").read_text(encoding="utf-8")))
    recorded = run.tags.get("data.fingerprint")
    if recorded != built.data.fingerprint:
        raise LabError(
            f"the data is not what run {run.id} was trained on: fingerprint {built.data.fingerprint}, "
            f"recorded {recorded}"
        )
    return training.test(built, run.artifact("checkpoints/best.ckpt")), logged
