"""python -m app.healthcheck: status 0 when the service in this container is ready. For HEALTHCHECK, without curl."""

import os
import sys
from http.client import HTTPConnection, HTTPException


def is_ready(port: int, host: str = "127.0.0.1") -> bool:
    """Whether /readyz at `host`, where every address means this machine's own, answers 200 within two seconds."""
    connection = HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    port, host = int(os.environ.get("DIGITS_PORT", "8000")), os.environ.get("DIGITS_HOST", "127.0.0.1")
    sys.exit(0 if is_ready(port, host) else 1)
