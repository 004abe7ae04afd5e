"""The load of the machine beside a run's metrics: CPU, memory, disk, network, and NVIDIA GPUs where there are any.

The names are those of MLflow's own system metrics, so that its pages show them in the same place.
"""

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from mlflow import MlflowClient


SECONDS_BETWEEN = 5.0
BYTES_PER_MEGABYTE = 1e6


class SystemMetrics:
    """Sends a sample of the load every few seconds; a sample that cannot be sent is dropped."""

    def __init__(self) -> None:
        self._due = 0.0
        self._steps: dict[str, int] = {}  # the next step of each run
        self._network = psutil.net_io_counters()  # counts from the start of the machine
        self._gpus = _gpus()
        psutil.cpu_percent()  # the first call starts the interval over which the next one averages

    def log(self, client: "MlflowClient", run_id: str) -> None:
        """Send a sample, where the last one is long enough ago."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + SECONDS_BETWEEN
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        if run_id not in self._steps:
            self._steps[run_id] = _sample_count(client, run_id)
        metrics = [Metric(f"system/{name}", value, now, self._steps[run_id]) for name, value in self.sample().items()]
        client.log_batch(run_id, metrics=metrics)
        self._steps[run_id] += 1

    def sample(self) -> dict[str, float]:
        """The load now: percentages, megabytes (network: since this object was created) and watts."""
        sample = _processor() | _disk() | self._traffic()
        for index, gpu in enumerate(self._gpus):
            sample |= {f"gpu_{index}_{name}": value for name, value in _gpu(gpu).items()}
        return {name: round(value, 1) for name, value in sample.items()}

    def _traffic(self) -> dict[str, float]:
        now, before = psutil.net_io_counters(), self._network
        if now is None or before is None:  # a machine without a network interface
            return {}
        return {
            "network_receive_megabytes": (now.bytes_recv - before.bytes_recv) / BYTES_PER_MEGABYTE,
            "network_transmit_megabytes": (now.bytes_sent - before.bytes_sent) / BYTES_PER_MEGABYTE,
        }


def _sample_count(client: "MlflowClient", run_id: str) -> int:
    """How many samples a run has: those of a resumed run are continued, not overwritten."""
    return len(client.get_metric_history(run_id, "system/cpu_utilization_percentage"))


def _processor() -> dict[str, float]:
    memory = psutil.virtual_memory()
    return {
        "cpu_utilization_percentage": psutil.cpu_percent(),
        "system_memory_usage_megabytes": memory.used / BYTES_PER_MEGABYTE,
        "system_memory_usage_percentage": memory.used / memory.total * 100,
    }


def _disk() -> dict[str, float]:
    disk = psutil.disk_usage(os.sep)
    return {
        "disk_usage_percentage": disk.percent,
        "disk_usage_megabytes": disk.used / BYTES_PER_MEGABYTE,
        "disk_available_megabytes": disk.free / BYTES_PER_MEGABYTE,
    }


def _gpus() -> list[Any]:
    """A handle for each NVIDIA GPU; none where the package nvidia-ml-py or the driver is missing."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except Exception:  # a broken driver raises errors of many kinds, and none of them matters to a run
        return []


def _gpu(handle: Any) -> dict[str, float]:
    """Memory, utilization and power of a GPU, as far as it reports them."""
    import pynvml

    sample: dict[str, float] = {}
    with contextlib.suppress(pynvml.NVMLError):
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        sample["memory_usage_percentage"] = memory.used / memory.total * 100
        sample["memory_usage_megabytes"] = memory.used / BYTES_PER_MEGABYTE
    with contextlib.suppress(pynvml.NVMLError):
        sample["utilization_percentage"] = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
    with contextlib.suppress(pynvml.NVMLError):
        watts = pynvml.nvmlDeviceGetPowerUsage(handle) / 1000
        sample["power_usage_watts"] = watts
        sample["power_usage_percentage"] = watts / (pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000) * 100
    return sample
