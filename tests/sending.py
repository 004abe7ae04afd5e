"""What tests of the sender record, and what arrived."""

from mlflow.entities import Run

from lab.tracking import store
from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker


def start(tracker: Tracker) -> Tracker:
    tracker.start("digits", "digits seed=1", {"optimizer.lr": 0.1, "widths": [1, 2]}, {"colour": "red"})
    return tracker


def abandon(outbox: Outbox) -> None:
    """What a power failure does to an outbox: the writer and its sender are gone at once."""
    assert outbox._sender is not None
    outbox._sender.kill()
    outbox._sender.wait()
    outbox.release()


def runs_of(experiment: str) -> list[Run]:
    client = store.client()
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return list(client.search_runs([found.experiment_id]))
