"""What all connections of a process have together: how many there may be, and how long each may keep it waiting."""

import logging
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.errors import ServiceError
from app.problems import Headers, answer_to
from app.settings import Settings
from app.telemetry.log import RequestLog
from app.telemetry.metrics import UNMATCHED, count_request
from app.telemetry.request_id import FIELD, choose_id
from app.wire.open_files import room_for_connections

if TYPE_CHECKING:
    from app.wire.connection import Connection

log = logging.getLogger("digits")

MAX_HEAD_BYTES = 32 * 1024  # what browsers and proxies send is a tenth of it
# Whoever is told to go is listened to for so long, for closing at once could take the answer from him.
LINGER_SECONDS = 2.0


class Gate:
    """The limits of connections, and the one place where those are answered who never sent a whole request."""

    def __init__(self, settings: Settings) -> None:
        self.max_connections = room_for_connections(settings.max_connections)
        self.head_s, self.send_s, self.linger_s = settings.head_seconds, settings.send_seconds, LINGER_SECONDS
        self._log = RequestLog(settings.log_format)
        self._idle: deque[Connection] = deque()  # those that may have to make room, longest idle first

    def look(self, connections: Sequence["Connection"], now: float) -> None:
        """Once a second: ends what has taken too long. `now`: by the loop's clock."""
        for each in connections:
            each.look(now)
        nearly_full = len(connections) > self.max_connections * 0.9
        idle = (each for each in connections if each.idle) if nearly_full else ()
        self._idle = deque(sorted(idle, key=lambda each: each.idle_since))

    def make_room(self) -> bool:
        """Closes the connection that has been idle for longest, if there is one."""
        while self._idle:
            connection = self._idle.popleft()
            if connection.idle and not connection.transport.is_closing():
                connection.transport.abort()
                return True
        return False

    def turn_away(
        self, error: ServiceError, client: tuple[str, int] | None, seconds: float
    ) -> tuple[int, Headers, bytes]:
        """Status, headers and body for a client that never sent a request; counted and logged as any other."""
        id_of_request = choose_id(None)
        status, headers, body = answer_to(error, id_of_request)
        count_request("other", UNMATCHED, status, seconds)
        self._log.add({"method": "-", "path": "-", "client": client}, status, seconds, id_of_request)
        return status, [*headers, (FIELD, id_of_request.encode("ascii"))], body
