"""The lab in a program that has a process group of its own, as one that torchrun has started."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import torch.distributed as dist

from lab.config.experiment import load
from lab.errors import LabError
from lab.training import run as training

OTHER = """
import sys, torch.distributed as dist
dist.init_process_group("gloo", store=dist.FileStore(sys.argv[1], 2), rank=1, world_size=2)
sys.stdin.read()
"""


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another process is in the group, and never runs the lab."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    meeting = str(tmp_path / "group")
    with subprocess.Popen([sys.executable, "-c", OTHER, meeting], stdin=subprocess.PIPE):
        store = dist.FileStore(meeting, 2)
        dist.init_process_group("gloo", store=store, rank=0, world_size=2, timeout=timedelta(seconds=20))
        try:
            yield
        finally:
            dist.destroy_process_group()


@pytest.mark.usefixtures("group")
@pytest.mark.skipif(sys.platform != "linux", reason="names the loopback interface of Linux")
def test_a_run_sums_over_its_own_devices_alone_and_leaves_the_group(tiny: str) -> None:
    assert training.run(load(tiny, ["trainer.accelerator=cpu"])).epochs == 2
    with pytest.raises(LabError, match=r"^trainer\.devices: this program has a process group of its own") as refused:
        training.run(load(tiny, ["trainer.accelerator=cpu", "trainer.devices=2"]))
    assert len(refused.value.lines) == 1
    assert dist.is_initialized()
