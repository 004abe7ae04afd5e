"""What the lab relies on in Ray 2.60 beyond its documented interface."""

import subprocess
import sys

import pytest

pytest.importorskip("ray")

LISTENING = """
import psutil
from lab.parallel.ray_workers import RayWorkers

workers = RayWorkers(2)
processes = psutil.Process(), *psutil.Process().children(recursive=True)
names = {process.pid: process.name() for process in processes}
sockets = [each for each in psutil.net_connections("tcp") if each.status == "LISTEN" and each.pid in names]
assert {"gcs_server", "raylet"} <= {names[each.pid] for each in sockets}, names
print(*sorted({each.laddr.ip.removeprefix("::ffff:") for each in sockets}))
workers.close()
"""


def test_ray_on_this_machine_listens_on_loopback_only() -> None:
    """Ray 2.60: `_node_ip_address="127.0.0.1"` is replaced by the network address; its environment variable works."""
    done = subprocess.run([sys.executable, "-c", LISTENING], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["127.0.0.1"], done.stderr
