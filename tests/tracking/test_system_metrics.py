"""The machine's load beside a run's metrics."""

from pathlib import Path

from lab.tracking import store
from lab.tracking.writing.sender import SystemMetrics


def test_a_run_that_is_gone_on_with_goes_on_in_its_curves(workplace: Path) -> None:
    client = store.client()
    run = client.create_run("0").info.run_id
    SystemMetrics().log(client, run)
    SystemMetrics().log(client, run)
    history = client.get_metric_history(run, "system/cpu_utilization_percentage")
    assert [point.step for point in history] == [0, 1]
    assert {name for name in client.get_run(run).data.metrics if name.startswith("system/disk")}
