"""Names within Ray that are replaced, for it has no settings for this: ports, and signals."""

from types import ModuleType
from typing import Any

from app.cluster.errors import ClusterError


def keep_to_loopback() -> None:
    """To be called before this process starts Ray with the address 127.0.0.1 for its node: that stays it.

    Ray puts the machine's outside address in its place, and then its processes listen on that, or on all.

    Raises: ClusterError.
    """
    from ray._private import services

    _replace(services, "resolve_ip_for_localhost", lambda host: host)


def leave_signals_alone() -> None:
    """To be called before this process connects to Ray, which takes SIGTERM otherwise.

    It ends the process in the middle of a start then, and leaves some of its own behind.

    Raises: ClusterError.
    """
    from ray._private import utils

    _replace(utils, "set_sigterm_handler", lambda _: None)


def keep_to_the_node() -> None:
    """To be called in a replica before it is ready: it listens on the address of its node, and no other.

    Replicas hear each other on a port that takes pickled objects, from everybody where Ray has no token, and Ray opens
    it on all addresses of the machine, whatever the node's own is.

    Raises: ClusterError.
    """
    from ray.serve._private import replica
    from ray.util import get_node_ip_address

    def on_the_node(server: Any, address: str) -> Any:
        host, port = get_node_ip_address(), address.rpartition(":")[2]
        return everywhere(server, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    everywhere = _replace(replica, "add_port_to_grpc_server", on_the_node)


def _replace(module: ModuleType, name: str, new: Any) -> Any:
    """Gives what was there. Raises: ClusterError, when there was nothing."""
    import ray

    if not hasattr(module, name):
        raise ClusterError(
            f"Expected Ray 2.60, within which some names are replaced; got {ray.__version__}, without "
            f"{module.__name__}.{name}."
        )
    old = getattr(module, name)
    setattr(module, name, new)
    return old
