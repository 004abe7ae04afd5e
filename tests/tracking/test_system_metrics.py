"""The machine's load beside a run's metrics."""

import sys
import types
from pathlib import Path

import psutil
import pytest

from lab.tracking import store
from lab.tracking.writing import system_metrics
from lab.tracking.writing.system_metrics import SystemMetrics

NAMES = {  # MLflow's own
    "cpu_utilization_percentage",
    "system_memory_usage_megabytes",
    "system_memory_usage_percentage",
    "disk_usage_percentage",
    "disk_usage_megabytes",
    "disk_available_megabytes",
    "network_receive_megabytes",
    "network_transmit_megabytes",
}


def test_the_samples_of_a_resumed_run_are_continued(workplace: Path) -> None:
    client = store.client()
    run = client.create_run("0").info.run_id
    SystemMetrics().log(client, run)
    metrics = SystemMetrics()
    metrics.log(client, run)
    metrics.log(client, run)  # not due yet
    history = client.get_metric_history(run, "system/cpu_utilization_percentage")
    assert [point.step for point in history] == [0, 1]
    logged = {name for name in client.get_run(run).data.metrics if name.startswith("system/")}
    assert logged >= {f"system/{name}" for name in NAMES}


def test_samples_have_their_units(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = types.SimpleNamespace
    traffic = iter([counters(bytes_recv=5e6, bytes_sent=1e6), counters(bytes_recv=8.51e6, bytes_sent=2e6)])
    monkeypatch.setattr(psutil, "net_io_counters", lambda: next(traffic))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: counters(used=2e9, total=8e9))
    monkeypatch.setattr(psutil, "disk_usage", lambda path: counters(percent=12.5, used=1e9, free=3e9))
    monkeypatch.setattr(psutil, "cpu_percent", lambda: 42.0)
    assert SystemMetrics().sample() == {
        "cpu_utilization_percentage": 42.0,
        "system_memory_usage_megabytes": 2000.0,
        "system_memory_usage_percentage": 25.0,
        "disk_usage_percentage": 12.5,
        "disk_usage_megabytes": 1000.0,
        "disk_available_megabytes": 3000.0,
        "network_receive_megabytes": 3.5,
        "network_transmit_megabytes": 1.0,
    }


def test_a_machine_without_a_network_has_no_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "net_io_counters", lambda: None)
    assert not [name for name in SystemMetrics().sample() if name.startswith("network")]


class NVMLError(Exception):
    pass


def _fails(*arguments: object) -> None:
    raise NVMLError


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """NVIDIA's library for a machine with two GPUs."""
    module = types.ModuleType("pynvml")
    functions = {
        "NVMLError": NVMLError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetMemoryInfo": lambda gpu: types.SimpleNamespace(used=(gpu + 1) * 1e9, total=4e9),
        "nvmlDeviceGetUtilizationRates": lambda gpu: types.SimpleNamespace(gpu=90),
        "nvmlDeviceGetPowerUsage": lambda gpu: 50_000,
        "nvmlDeviceGetEnforcedPowerLimit": lambda gpu: 200_000,
    }
    for name, value in functions.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


def test_every_gpu_is_sampled(nvml: types.ModuleType) -> None:
    sample = SystemMetrics().sample()
    assert {name: value for name, value in sample.items() if name.startswith("gpu_1")} == {
        "gpu_1_memory_usage_percentage": 50.0,
        "gpu_1_memory_usage_megabytes": 2000.0,
        "gpu_1_utilization_percentage": 90,
        "gpu_1_power_usage_watts": 50.0,
        "gpu_1_power_usage_percentage": 25.0,
    }
    assert sample["gpu_0_memory_usage_percentage"] == 25.0


def test_a_gpu_that_does_not_report_something_reports_the_rest(
    nvml: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nvmlDeviceGetUtilizationRates", "nvmlDeviceGetEnforcedPowerLimit"):
        monkeypatch.setattr(nvml, name, _fails)
    names = {name for name in SystemMetrics().sample() if name.startswith("gpu_0")}
    assert names == {"gpu_0_memory_usage_percentage", "gpu_0_memory_usage_megabytes", "gpu_0_power_usage_watts"}


def test_without_a_driver_there_are_no_gpus(nvml: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "nvmlInit", _fails)
    assert system_metrics._gpus() == []
    monkeypatch.setitem(sys.modules, "pynvml", None)  # not installed
    assert system_metrics._gpus() == []
