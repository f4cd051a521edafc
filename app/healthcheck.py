"""python -m app.healthcheck: status 0 when the service in this container is ready. For HEALTHCHECK, without curl."""

import os
import sys
from http.client import HTTPConnection, HTTPException


def is_ready(port: int) -> bool:
    """Whether /readyz on this machine's loopback answers 200 within two seconds."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_ready(int(os.environ.get("DIGITS_PORT", "8000"))) else 1)
