"""When a request is tried again."""

import logging
import time
from dataclasses import dataclass

import httpx

from app.client.results import Unreachable

log = logging.getLogger("digits.client")

# A service that has no room, or a proxy whose service restarts.
PASSING = (429, 502, 503, 504)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0


@dataclass
class Manners:
    """Of one client. `away`: the service couldn't be reached lately, and that was said."""

    url: str
    patience_s: float
    away: bool = False


class Patience:
    """Of one request: it lasts for `patience_s` from its first failure on."""

    def __init__(self, manners: Manners) -> None:
        self._manners = manners
        self._tries = 0
        self._until: float | None = None

    def after_failure(self, error: httpx.RequestError) -> float:
        """Seconds to wait for before the next try. Raises: Unreachable, when it was tried for long enough."""
        why = f"{self._manners.url} can't be reached ({str(error) or type(error).__name__})"
        pause_s = self._pause(None)
        if pause_s is None:
            raise Unreachable(f"{why}.") from error
        if not self._manners.away:
            self._manners.away = True
            log.warning("%s; trying again for %g seconds.", why, self._manners.patience_s)
        return pause_s

    def after_answer(self, response: httpx.Response) -> float | None:
        """Seconds to wait for before the next try; None when this answer is final."""
        self._manners.away = False
        if response.status_code not in PASSING and not _is_of_a_proxy(response):
            return None
        wanted = response.headers.get("retry-after", "")
        return self._pause(int(wanted) if wanted.isdecimal() else None)

    def _pause(self, wanted_s: int | None) -> float | None:
        """`wanted_s`: by the service. None: that would be too late."""
        now = time.monotonic()
        self._until = self._until or now + self._manners.patience_s
        pause_s = min(FIRST_PAUSE_SECONDS * 2**self._tries, LONGEST_PAUSE_SECONDS) if wanted_s is None else wanted_s
        self._tries += 1
        return pause_s if now + pause_s <= self._until else None


def _is_of_a_proxy(response: httpx.Response) -> bool:
    """Whether this 500 is none of the service, whose own are JSON: Ray's proxy gives one when a replica dies."""
    return response.status_code == 500 and not response.content.startswith(b"{")
