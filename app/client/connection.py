"""How both clients connect."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.request import getproxies

import httpx

LAST_PORT = 65535


def addresses_at(url: str) -> Callable[[str], httpx.URL]:
    """Gives the address of a path. httpx takes 0.2 ms to make one, and there are few.

    Raises: ValueError, for what is no address.
    """
    address = cache(lambda path: httpx.URL(url.rstrip("/") + path))
    with suppress(httpx.InvalidURL):
        root = address("/")
        has_port = (root.port or 0) <= LAST_PORT  # of a larger number, the system takes the last 16 bits
        is_bare = not (root.query or root.fragment)  # to which a path would be added
        if root.scheme in ("http", "https") and root.host and has_port and is_bare:
            return address
    raise ValueError(f"Expected an address such as http://127.0.0.1:8000; got {url!r}.")


def options_of(address: httpx.URL, api_key: str | None, timeout_s: float) -> dict[str, Any]:
    """Of httpx's clients. Raises: ValueError, for what is no key."""
    headers = {"Accept": "application/json"}
    if api_key:
        if not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
            raise ValueError("Expected a key of printable ASCII characters without blanks.")
        headers["Authorization"] = f"Bearer {api_key}"
    # what TLS trusts takes 35 ms to load, and where there is neither https:// nor a proxy nobody asks for it
    verify = address.scheme == "https" or bool(getproxies())
    # one's own pool is waited for as long as it takes
    return {"headers": headers, "timeout": httpx.Timeout(timeout_s, pool=None), "verify": verify}
