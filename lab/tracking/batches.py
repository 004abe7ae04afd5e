"""Values, params and tags of a run, in calls of the size that MLflow accepts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

METRICS_PER_CALL = 1_000
PARAMS_PER_CALL = 100
TAGS_PER_CALL = 100


def log(
    client: "MlflowClient",
    run_id: str,
    metrics: "Sequence[Metric]" = (),
    params: "Sequence[Param]" = (),
    tags: "Sequence[RunTag]" = (),
) -> None:
    """Record them all, in as many calls as it takes."""
    for first in range(0, len(metrics), METRICS_PER_CALL):
        client.log_batch(run_id, metrics=metrics[first : first + METRICS_PER_CALL])
    for first in range(0, len(params), PARAMS_PER_CALL):
        client.log_batch(run_id, params=params[first : first + PARAMS_PER_CALL])
    for first in range(0, len(tags), TAGS_PER_CALL):
        client.log_batch(run_id, tags=tags[first : first + TAGS_PER_CALL])
