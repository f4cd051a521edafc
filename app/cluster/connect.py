"""Getting to a Ray cluster: one of this machine's own, or one that is there already."""

import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any

from app.cluster.errors import ClusterError, reason
from app.cluster.replaced import keep_to_loopback, leave_signals_alone
from app.model.runtime import ENVIRONMENT, ONE_THREAD
from app.process.signals import SIGNALS
from app.settings import CHECKOUT
from app.telemetry.metrics_folder import owned_folder

LOOPBACK = "127.0.0.1"
AUTO = "auto"  # the cluster that this machine is a node of
OBJECT_STORE_BYTES = 200_000_000  # of a cluster of its own: nothing larger than some groups of files lies there
SHORT = "/tmp"  # noqa: S108 - the paths of Ray's sockets have at most 107 characters; nobody else can write below
CONNECT_SECONDS = 5
# What a client of HTTP/2, and so of gRPC, says first (RFC 9113, 3.4); a server answers with a frame of the same kind.
SETTINGS = b"\x04"
HTTP_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + SETTINGS + b"\0\0\0\0\0"
# For Ray itself, as far as the user has not decided: it tells nobody that it is used, drops no line of a log for being
# like another, its processes don't step back behind everybody else's (by default they have a nice value of 15), and who
# asks it for something after its end starts no other.
CHOSEN = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_niceness": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",
}


@contextmanager
def connected(address: str | None, logs: bool = False) -> Iterator[Any]:
    """Gives `ray`, connected to the cluster at `address`, or to a new one on loopback, which ends with this process.

    With `logs`, what processes of the cluster say is said on standard error, too. Signals are handled as they were.
    To be used in the main thread.

    Raises: ClusterError.
    """
    if find_spec("ray") is None:
        raise ClusterError("Ray is needed: requirements/install.sh requirements/cluster.txt")
    os.environ |= {name: value for name, value in CHOSEN.items() if name not in os.environ}
    if address not in (None, AUTO):
        _see_whether_anybody_listens(address or "")
    import ray

    with ExitStack() as stack:
        where_to = _own(stack) if address is None else {"address": address}
        try:
            with _signals_kept():
                ray.init(logging_level="ERROR", log_to_driver=logs, **where_to)
        except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
            where = "on this machine" if address is None else f"at {address}"
            raise ClusterError(f"There is no Ray cluster to be had {where}: {reason(error)}") from error
        stack.callback(ray.shutdown)
        yield ray


def environment_of_workers() -> dict[str, str]:
    """What has to be in the environment of a process before NumPy and TensorFlow are imported, and where `app` is.

    The checkout has to be at the same place on all machines. What the user has set here counts there, too.
    """
    chosen: Mapping[str, str] = ENVIRONMENT | ONE_THREAD
    return {name: os.environ.get(name, value) for name, value in chosen.items()} | {"PYTHONPATH": str(CHECKOUT)}


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM twice, in Python and in C++, where it sets an alarm that aborts the process after 3 seconds."""
    leave_signals_alone()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.alarm(0)


def _own(stack: ExitStack) -> dict[str, Any]:
    """Of a cluster that leaves nothing behind, its logs neither. Raises: ClusterError, when it is another Ray."""
    keep_to_loopback()
    return {
        "address": "local",
        "_temp_dir": stack.enter_context(owned_folder("digits-own-ray-", SHORT)),
        "_node_ip_address": LOOPBACK,  # every port that Ray opens is on loopback then
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
    }


def _see_whether_anybody_listens(address: str) -> None:
    """Ray would try for minutes. Raises: ClusterError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ClusterError(f"Expected HOST:PORT of the head of a cluster, or {AUTO}; got {address!r}.")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS) as connection:
            connection.sendall(HTTP_2)
            frame = connection.recv(9)
    except OSError as error:
        raise ClusterError(f"There is no Ray cluster at {address}: {error.strerror or error}.") from error
    if frame[3:4] != SETTINGS:
        raise ClusterError(f"There is no Ray cluster at {address}: something else answers there.")
