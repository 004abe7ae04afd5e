"""The connection to Ray: to the cluster that RAY_ADDRESS names."""

import importlib.util
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.errors import LabError, TrainingFailed, install, see
from lab.parallel.jobs import Resources

CONNECT_TIMEOUT = 5.0  # seconds
ANSWER_TIMEOUT = 15.0  # seconds; `ray health-check` needs two
RAY_SETTINGS = {  # environment variables that Ray reads when it is imported
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # its default gives workers the lowest priority
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # its future default; silences a warning
}
DEFAULT_TOKEN = Path("~/.ray/auth_token")


@dataclass
class Node:
    """A machine of the cluster: how many workers it has room for, and how many it has."""

    id: str
    name: str
    room: int
    workers: int = 0
    lost: int = 0  # trainings since one ended there as it should


def connect(runtime_env: Mapping[str, Any]) -> Any:
    """Ray, connected to RAY_ADDRESS; raises LabError."""
    address = os.environ["RAY_ADDRESS"]
    for name, value in (RAY_SETTINGS | _token_settings()).items():
        os.environ.setdefault(name, value)
    if importlib.util.find_spec("ray") is None or sys.modules.get("ray", "") is None:
        raise LabError(
            f"RAY_ADDRESS={address}: needs Ray, which is not installed; {install('ray')}, or unset RAY_ADDRESS to "
            "train on this machine"
        )
    _check_answers(address)
    import ray

    try:
        ray.init(address=address, runtime_env=dict(runtime_env), log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # of Ray, of gRPC, or of the network
        raise LabError(f"{_where()} does not answer: {reason(error)}{see('cluster')}") from None
    return ray


def nodes(ray: Any, resources: Resources) -> list[Node]:
    """The nodes that have room for a worker, the roomiest first; raises LabError where none has."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    found = [Node(node["NodeID"], _name(node, alive), resources.fit(node["Resources"])) for node in alive]
    if not any(node.room for node in found):
        most = max((node["Resources"].get("GPU", 0.0) for node in alive), default=0.0)
        cores = max((node["Resources"].get("CPU", 0.0) for node in alive), default=0.0)
        raise LabError(
            f"resources: a training needs {resources}, which no node has; the most are {cores:g} CPUs and {most:g} GPUs"
        )
    return sorted((node for node in found if node.room), key=lambda node: -node.room)


def is_alive(ray: Any, node: Node) -> bool:
    """Whether Ray still hears from a node; raises TrainingFailed where the cluster itself is gone."""
    check_there(ray)
    return any(each["NodeID"] == node.id and each["Alive"] for each in ray.nodes())


def check_there(ray: Any) -> None:
    """Raise TrainingFailed where the head is gone, before Ray ends this process for that, which it does in a minute."""
    if not is_there(ray):
        raise TrainingFailed(f"{_where()} is gone{see('cluster')}")


def is_there(ray: Any) -> bool:
    """Whether the head still answers; asked without Ray, which would wait for it."""
    if "://" in os.environ.get("RAY_ADDRESS", ""):  # of Ray's client, which has no other connection
        return True
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT).close()
    except OSError:
        return False
    return True


def reason(error: BaseException) -> str:
    """An error of Ray as one line: that of the exception on the other machine, where there was one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    raised = [line for line in lines if line.partition(":")[0].endswith(("Error", "Exception", "NotFound"))]
    return [*raised[-1:], *lines, type(error).__name__][0][:200]


def _where() -> str:
    return f"the cluster RAY_ADDRESS={os.environ.get('RAY_ADDRESS')}"


def _name(node: Mapping[str, Any], all_nodes: list[Mapping[str, Any]]) -> str:
    """What people call a node: its name, its host, or where several share it, the host and an id."""
    host = str(node["NodeManagerHostname"])
    if node.get("NodeName") not in (None, "", node["NodeManagerAddress"]):
        return str(node["NodeName"])
    shared = [each for each in all_nodes if each["NodeManagerHostname"] == host]
    return host if len(shared) == 1 else f"{host}/{node['NodeID'][:6]}"


def _token_settings() -> dict[str, str]:
    """Show a token where there is one, as `ray start` does: by itself, a driver does not."""
    there = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return {"RAY_AUTH_MODE": "token"} if there or DEFAULT_TOKEN.expanduser().exists() else {}


def _check_answers(address: str) -> None:
    """Raise LabError if no cluster answers at `host:port`, or refuses us: Ray itself would try and warn for a minute.

    A process of its own asks, since Ray writes its warnings past Python.
    """
    url = urlsplit(address if "//" in address else f"//{address}")
    where = f"the cluster RAY_ADDRESS={address}"
    try:
        host, port = url.hostname, url.port
    except ValueError:
        raise LabError(f"RAY_ADDRESS: {address} is not an address; write host:port") from None
    if not host or not port:
        return
    try:
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT).close()
    except OSError as error:
        raise LabError(f"{where} does not answer: {error}; start it, or unset RAY_ADDRESS{see('cluster')}") from None
    if url.scheme:  # of Ray's client, which asks by itself
        return
    ask = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", f"{host}:{port}"]
    try:
        asked = subprocess.run(ask, capture_output=True, text=True, timeout=ANSWER_TIMEOUT, check=False)
        said, answers = asked.stderr, asked.returncode == 0
    except subprocess.TimeoutExpired as silence:
        said, answers = (silence.stderr or b"").decode(errors="replace"), False
    if "AuthToken" in said or "AuthenticationError" in said:
        remedy = f"set RAY_AUTH_TOKEN to that of the cluster (ray get-auth-token){see('cluster')}"
        raise LabError(f"{where} refuses this token; {remedy}")
    if not answers:
        raise LabError(f"{where} does not answer as Ray does; name the head's port, by default 6379{see('cluster')}")
