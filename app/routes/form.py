"""multipart/form-data (RFC 7578) as a whole in memory → its parts, by python-multipart."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import BrokenForm, ServiceError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks


@dataclass(slots=True)
class Part:
    """One part of a form: the name of its field, and its content."""

    name: str
    content: bytes


def parse_form(content_type: str, body: bytes, max_parts: int, too_many: Callable[[], ServiceError]) -> list[Part]:
    """The parts of `body`, in order. `content_type` is the request's header, with the boundary.

    Nothing is spooled to disk: the body is in memory already, and bounded by who read it.
    Raises: BrokenForm; and what `too_many` makes, as soon as part number `max_parts` + 1 begins.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise BrokenForm("Expected a Content-Type that names the boundary between the parts; received one without.")
    collector = _Collector(max_parts, too_many)
    try:
        MultipartParser(boundary, collector.callbacks()).write(_without_preamble(body, boundary))
    except FormParserError as error:
        raise BrokenForm(
            f"Expected a multipart/form-data body; received one that breaks off its form: {error}."
        ) from error
    if not collector.complete:
        raise BrokenForm(
            f"Expected a complete multipart/form-data body; received {len(body)} bytes whose last boundary is missing."
        )
    return collector.parts


def _without_preamble(body: bytes, boundary: bytes) -> bytes:
    """Before the first boundary there may be lines for those who know no forms (RFC 2046, 5.1.1).

    A boundary that begins no line is left to the parser, which refuses it: what follows it is more likely a part.
    """
    start = body.find(b"--" + boundary)
    return body[start:] if start >= 2 and body[start - 2 : start] == b"\r\n" else body


class _Collector:
    """Takes what the parser finds, piece by piece."""

    def __init__(self, max_parts: int, too_many: Callable[[], ServiceError]) -> None:
        self.parts: list[Part] = []
        self.complete = False
        self._max_parts = max_parts
        self._too_many = too_many
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._content: list[bytes] = []

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self._content.append(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        if len(self.parts) == self._max_parts:
            raise self._too_many()
        self._disposition = b""
        self._content = []

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _end(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in options:
            raise BrokenForm("Expected a name in the Content-Disposition of each part; received a part without one.")
        self.parts.append(Part(options[b"name"].decode("utf-8", "replace"), b"".join(self._content)))

    def _finish(self) -> None:
        self.complete = True
