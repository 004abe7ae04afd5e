"""Where a server listens: on this machine alone, unless somebody asks for more."""

import errno
import ipaddress
import socket
import sys

from lab.errors import LabError

HOST = "127.0.0.1"
OWN_NAMES = (HOST, "localhost")  # what a browser may call a server here: names of elsewhere are refused


def check(host: str, port: int) -> None:
    """Raise LabError where nothing can listen there."""
    if not 0 < port < 65_536:
        raise LabError(f"--port: {port} is no port; choose one from 1 to 65535")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise LabError(f"--host: '{host}' is no address of this machine; write one such as {HOST} or 0.0.0.0") from None
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise LabError(f"port {port} is taken; choose another with PORT={port + 1}") from None
            raise LabError(f"--host: nothing can listen on {host}: {error.strerror}") from None


def is_open(host: str) -> bool:
    """Whether other machines can reach a server that listens there."""
    return not ipaddress.ip_address(host).is_loopback


def names(host: str) -> tuple[str, ...]:
    """What a browser may call a server that listens there: never a name that somebody's page made up."""
    if not is_open(host):
        return OWN_NAMES
    own = (socket.gethostname(), socket.getfqdn(), _outward_address() if host in ("0.0.0.0", "::") else host)
    return tuple(dict.fromkeys((*OWN_NAMES, *own)))


def warn_where_open(host: str, what: str) -> None:
    """Say on stderr what `--host` exposes."""
    if is_open(host):
        print(f"lab: --host {host}: {what}, without a password", file=sys.stderr)


def _outward_address() -> str:
    """The address by which other machines know this one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address reserved for documentation
        except OSError:
            return HOST
        return str(probe.getsockname()[0])
