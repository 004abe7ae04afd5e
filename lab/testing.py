"""A run tested again, from nothing but its own record."""

from lab import run_record, training
from lab.building import build
from lab.checkpoint_files import Damaged
from lab.errors import LabError
from lab.tracking import reader


def test_again(run_id: str) -> tuple[dict[str, float], dict[str, float]]:
    """Test metrics by full name: measured now, and as the run logged them; raises LabError."""
    run = reader.find(run_id)
    logged = {name: value for name, value in run.metrics.items() if name.startswith("test/")}
    if not logged:
        raise LabError(f"run {run.id} is {run.status} and has no test metrics: it did not come to its test")
    built = build(run_record.experiment(run))
    run_record.check_data(run, built)
    try:
        return training.test(built, run.artifact("checkpoints/best.ckpt")), logged
    except Damaged as damage:
        raise LabError(f"run {run.id} cannot be tested: {damage}") from None
