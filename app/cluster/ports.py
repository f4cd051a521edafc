"""Where Ray's processes may be reached. It has no settings for either, so names within Ray are replaced."""

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
            f"Expected Ray 2.60, whose ports can be kept from other machines; got {ray.__version__}, "
            f"without {module.__name__}.{name}."
        )
    old = getattr(module, name)
    setattr(module, name, new)
    return old
