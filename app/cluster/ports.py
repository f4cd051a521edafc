"""Where a replica may be reached."""

from typing import Any


def keep_to_the_node() -> None:
    """To be called in a replica before it is ready: it listens on the address of its node, and no other.

    Replicas hear each other on a port that takes pickled objects, from everybody where Ray has no token, and Ray opens
    it on all addresses of the machine, whatever the node's own is. There is no setting for it.
    """
    from ray.serve._private import replica
    from ray.util import get_node_ip_address

    everywhere = replica.add_port_to_grpc_server

    def on_the_node(server: Any, address: str) -> Any:
        host, port = get_node_ip_address(), address.rpartition(":")[2]
        return everywhere(server, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    replica.add_port_to_grpc_server = on_the_node
