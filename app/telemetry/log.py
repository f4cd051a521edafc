"""The log: what the service says of itself, and one line a request. As text, or a JSON object each."""

import asyncio
import json
import logging
import time
from functools import lru_cache
from typing import Any

import orjson
from starlette.types import Scope

from app.settings import LogFormat
from app.telemetry.stderr import STDERR
from app.telemetry.trace import trace_id

TEXT = "%(asctime)s %(levelname)s %(message)s"
MAX_PATH = 200  # characters of a path that are logged


class Handler(logging.Handler):
    """Where the lines of `logging` go."""

    def emit(self, record: logging.LogRecord) -> None:
        """As `logging` asks for it."""
        try:
            STDERR.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - a wrong call of logging is no reason to fail
            self.handleError(record)


class JsonFormatter(logging.Formatter):
    """time, level, message; and exception, with its traceback, where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        document = {"time": _utc_time(record.created), "level": record.levelname, "message": record.getMessage()}
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document)


def logging_config(log_format: LogFormat = "text") -> dict[str, Any]:
    """What `logging.config.dictConfig` takes. Without lines of requests (off), what the service says is text."""
    formatter = {"()": "app.telemetry.log.JsonFormatter"} if log_format == "json" else {"format": TEXT}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "app.telemetry.log.Handler", "formatter": "line"}},
        "root": {"level": "INFO", "handlers": ["stderr"]},
        # the one tells of each start and stop in four lines, the others of each broken form and picture that a client
        # sends; what matters of all the service says itself
        "loggers": {
            "uvicorn.error": {"level": "WARNING"},
            "python_multipart": {"level": "ERROR"},
            "PIL": {"level": "CRITICAL"},
        },
    }


class RequestLog:
    """One line a request on stderr, in the form of the lines above.

    The lines of one turn of the event loop are made and written together, by its next turn: 1.5 µs a line, 2.1 as
    JSON, where a call of `logging` for each takes 10 µs and a system call. By then the answers have left: a lone client
    of the same machine has its own after 0.25 ms instead of 0.31, for its next request comes before the service has
    fallen asleep. To be used from one event loop.
    """

    def __init__(self, log_format: LogFormat = "text") -> None:
        self._line = LINES[log_format]
        self._answered: list[tuple[float, Scope, int, float, str, bytes | None]] = []

    def add(self, scope: Scope, status: int, seconds: float, request_id: str, trace: bytes | None = None) -> None:
        """The line of one answered request. `trace`: its traceparent, if it sent a sane one."""
        if self._line is None:
            return
        if not self._answered:
            asyncio.get_running_loop().call_soon(self.flush)
        self._answered.append((time.time(), scope, status, seconds, request_id, trace))

    def flush(self) -> None:
        """Writes what has gathered."""
        answered, self._answered = self._answered, []
        if self._line is not None:
            STDERR.write("".join([self._line(*each) for each in answered]))


def _text_line(now: float, scope: Scope, status: int, seconds: float, request_id: str, trace: bytes | None) -> str:
    """What the client wrote is escaped, and cut where it is long."""
    path = scope["path"]
    if not (path.isascii() and path.isprintable()) or '"' in path or "\\" in path or len(path) > MAX_PATH:
        path = path[:MAX_PATH].encode("unicode_escape").decode("ascii").replace('"', "%22")
    second = int(now)
    stamp = f"{_local_time(second)},{int((now - second) * 1000):03d}"
    request = f'{scope["client"][0] if scope["client"] else "-"} "{scope["method"]} {path}"'
    traced = f" {trace_id(trace)}" if trace else ""
    return f"{stamp} INFO {request} {status} {seconds * 1e3:.1f} ms {request_id}{traced}\n"


def _json_line(now: float, scope: Scope, status: int, seconds: float, request_id: str, trace: bytes | None) -> str:
    document = {
        "time": _utc_time(now),
        "level": "INFO",
        "message": "request",
        "client": scope["client"][0] if scope["client"] else "-",
        "method": scope["method"],
        "path": scope["path"][:MAX_PATH],
        "status": status,
        "duration_ms": round(seconds * 1e3, 3),
        "request_id": request_id,
    }
    if trace:
        document["trace_id"] = trace_id(trace)
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE).decode()


LINES = {"text": _text_line, "json": _json_line, "off": None}


@lru_cache(maxsize=1)
def _local_time(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


def _utc_time(moment: float) -> str:
    """RFC 3339, in milliseconds."""
    second = int(moment)
    return f"{_utc_second(second)}.{int((moment - second) * 1000):03d}Z"


@lru_cache(maxsize=1)
def _utc_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
