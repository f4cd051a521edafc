"""One client's connection, and what it may not do: see `app.wire.gate` for the limits."""

import asyncio
import re
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from app.errors import BrokenRequest, Overloaded, ServiceError, TooManyBytes, TooSlow
from app.wire.gate import MAX_HEAD_BYTES, Gate
from app.wire.one_write import OneWriteProtocol

END_OF_HEAD = b"\r\n\r\n"
# Java's HttpClient and `curl --http2` offer another protocol with each request, and would take HTTP/1.1, too. httptools
# takes no body after such a head, so it isn't shown the offer.
MAYBE_UPGRADE, UPGRADE, NO_UPGRADE = b"pgrade:", re.compile(rb"(?i)\r\nUpgrade:"), b"\r\nIgnored:"
# uvloop reads 256 KiB at once. So many in a row that are of no body are a trailer, or a chunk's extension, without end.
MAX_STRAY_BYTES = 512 * 1024
# Requests of one client that wait for an earlier one's answer, 3 KB each. uvicorn has no limit.
MAX_PIPELINED = 64


# A client that has said all may be waiting for its answer (`nc -N`), or have gone, which looks the same.
HALF_CLOSED_SECONDS = 5.0


class Connection(OneWriteProtocol):
    """uvicorn's protocol with an end to patience. What is asked for here of each request takes 0.1 µs.

    The rest is asked of each connection once a second, by `look`.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._gate = cast(Gate, self.config.gate)  # type: ignore[attr-defined]
        self._idle_since = self.loop.time()  # of an idle one, and this is what it has last answered:
        self._idle_after = self.cycle
        self._unsent_since = 0.0  # 0: its client takes what it is sent
        self._head_bytes, self._head_of = 0, self.scope  # that came for a head after its first packet, and whose
        self._stray_bytes = 0  # since the last that was of a body, while one is awaited
        self._refused = 0.0  # when it was told to go; 0: never
        if len(self.connections) > self._gate.max_connections:
            self._find_room()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._refused:
            return
        if len(data) > MAX_HEAD_BYTES and self._is_more_than_a_head(data):
            self._refuse_head()
            return
        if MAYBE_UPGRADE in data and self.awaits_head:
            head, end, body = data.partition(END_OF_HEAD)
            data = UPGRADE.sub(NO_UPGRADE, head) + end + body
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # to something that isn't spoken here: the answer is as to any request
            self.end_soon()
        except httptools.HttpParserError as error:
            reason = "Its address can't be read" if isinstance(error, httptools.HttpParserCallbackError) else error
            self._turn_away(BrokenRequest(f"Expected a request as HTTP/1.1 has it; received one that isn't: {reason}."))
            return
        if self._has_begun:
            self._count_head(len(data))
        elif self.cycle is not None and self.cycle.more_body:
            self._count_stray(len(data))
        if len(self.pipeline) > MAX_PIPELINED:
            self._cut_pipeline()

    def on_chunk_header(self) -> None:
        self.headers = []  # for the trailer's fields, which are no part of the head (RFC 9110, 6.5.1)

    def on_body(self, body: bytes) -> None:
        self._stray_bytes = 0
        super().on_body(body)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has said all is still answered, if it is soon; one that breaks off in the middle has gone."""
        super().eof_received()
        if self.idle or self.cycle.more_body or self._refused:
            return False
        self.end_soon()
        self.loop.call_later(HALF_CLOSED_SECONDS, self._give_up, self.cycle)
        return True

    @property
    def is_unanswered(self) -> bool:
        """Whether a request is under way, and nothing of its answer has been said."""
        return not self.idle and not self.cycle.response_started

    def abort_if_stuck(self) -> None:
        """Ends the connection if its client doesn't take what it is sent."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    @property
    def awaits_head(self) -> bool:
        """Whether what comes next is of a head."""
        return self._has_begun or self.cycle is None or not self.cycle.more_body

    @property
    def _has_begun(self) -> bool:
        """Whether a part of a head is there, but not all of it."""
        return self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)

    @property
    def idle_since(self) -> float:
        """By the loop's clock, as far as `look` has seen."""
        return self._idle_since

    def _find_room(self) -> None:
        limit = self._gate.max_connections
        if len(self.connections) > 1.1 * limit:  # of those that are being told
            self.transport.abort()
        elif not self._gate.make_room():
            self._turn_away(Overloaded(f"There are {limit} connections already; try again in a second."))

    def look(self, now: float) -> None:
        """Ends the connection if its time is over. `now`: by the loop's clock."""
        if self._refused and (self.idle or self.cycle.disconnected):
            if now > self._refused + self._gate.linger_s:
                self.transport.abort()
        elif self.transport.get_write_buffer_size():
            self._unsent_since = self._unsent_since or now
            if now > self._unsent_since + self._gate.send_s:
                self.transport.abort()
        else:
            self._unsent_since = 0.0
            self._look_at_head(now)

    def _look_at_head(self, now: float) -> None:
        if not self.idle or self._idle_after is not self.cycle:
            self._idle_since, self._idle_after = now, self.cycle
        elif now > self._idle_since + self._gate.head_s:
            if self._has_begun:
                self._turn_away(TooSlow(f"Expected the whole head of a request within {self._gate.head_s:g} seconds."))
            else:
                self.transport.close()

    def _is_more_than_a_head(self, data: bytes) -> bool:
        """Of a packet that is larger than a head may be."""
        at_its_end = data[0] in END_OF_HEAD  # which began in the packet before
        return self.awaits_head and not at_its_end and data.find(END_OF_HEAD, 0, MAX_HEAD_BYTES) < 0

    def _count_head(self, received: int) -> None:
        self._head_bytes = self._head_bytes + received if self._head_of is self.scope else 0
        self._head_of = self.scope
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse_head()

    def _count_stray(self, received: int) -> None:
        self._stray_bytes += received
        if self._stray_bytes > MAX_STRAY_BYTES:
            self.transport.abort()

    def _cut_pipeline(self) -> None:
        """Answers the first MAX_PIPELINED, then closes; their client asks the rest again (RFC 9112, 9.3.2)."""
        while len(self.pipeline) > MAX_PIPELINED:
            self.pipeline.popleft()
        self._refused = self.loop.time()
        self.end_soon()

    def _refuse_head(self) -> None:
        self._turn_away(TooManyBytes(f"Expected a head of at most {MAX_HEAD_BYTES} bytes; received more."))

    def _turn_away(self, error: ServiceError) -> None:
        """Answers and reads no more. Closed at once, a client that is still sending would never see the answer."""
        self._refused = now = self.loop.time()
        if not self._give_up_arriving():
            self.end_soon()  # after what is under way, or it would stand in the middle of another answer
            return
        status, headers, body = self._gate.turn_away(error, self.client, now - self._idle_since)
        lines = [STATUS_LINE[status]]
        lines += [b"%b: %b\r\n" % each for each in (*self.server_state.default_headers, *headers)]
        lines.append(b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body))
        self.transport.write(b"".join(lines) + body)
        self.transport.write_eof()

    def _give_up(self, cycle: RequestResponseCycle) -> None:
        """Ends what is done for a client that may be there, but has most likely gone."""
        if not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            self.transport.close()

    def _give_up_arriving(self) -> bool:
        """Lets go of the request whose body is arriving, if there is one. Whether nothing else is under way."""
        if self.idle or self.awaits_head or not self.cycle.more_body:
            return self.idle
        if self.pipeline:
            self.pipeline.popleft()
            return False
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if self.cycle.response_started:
            self.transport.close()
        return not self.cycle.response_started


class LastConnection(Connection):
    """That of a client who connects after the signal to stop."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.end_soon()
