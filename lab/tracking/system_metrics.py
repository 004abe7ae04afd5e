"""CPU, memory, disk, network and GPU use of the machine, under the names that MLflow's pages expect."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

SECONDS_BETWEEN = 5.0


class SystemMetrics:
    """Samples now and then; a sample that cannot be sent is dropped, it is no record of the run."""

    def __init__(self) -> None:
        self._next = 0.0
        self._steps: dict[str, int] = {}  # of each run, the next
        self._monitors: list = []

    def log(self, client: "MlflowClient", run_id: str) -> None:
        """Send a sample, if the last one is long enough ago."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS_BETWEEN
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        if run_id not in self._steps:
            self._steps[run_id] = _samples_of(client, run_id)
        metrics = [Metric(f"system/{name}", value, now, self._steps[run_id]) for name, value in self._sample().items()]
        client.log_batch(run_id, metrics=metrics)
        self._steps[run_id] += 1

    def _sample(self) -> dict[str, float]:
        if not self._monitors:
            self._monitors = _monitors()
        sample: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()
            sample |= monitor.aggregate_metrics()
            monitor.clear_metrics()
        return sample


def _samples_of(client: "MlflowClient", run_id: str) -> int:
    """How many samples a run has that is gone on with: its curves go on where they ended."""
    return len(client.get_metric_history(run_id, "system/cpu_utilization_percentage"))


def _monitors() -> list:
    """MLflow's own monitors; that of the GPU where there is one."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    monitors: list = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    try:
        monitors.append(GPUMonitor())
    except Exception:  # no NVIDIA library or no GPU: MLflow raises what it finds
        return monitors
    return monitors
