"""What is asked, as httpx has it, and how the answer is understood."""

import json
import os
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import httpx

from app.client import results
from app.client.results import Problem

PictureFile = bytes | str | os.PathLike[str] | BinaryIO
"""A picture: the bytes of its file, a path, or an open file."""

OCTETS = "application/octet-stream"


class Question(NamedTuple):
    """A request, and what makes something of the JSON that answers it. `path`: with the query, if there is one."""

    method: str
    path: str
    read: Callable[[Any], Any]
    content: bytes | None = None
    content_type: str = OCTETS

    def request(self, address: Callable[[str], httpx.URL], body: Callable[[bytes], Any] = bytes) -> dict[str, Any]:
        """For httpx. `address` gives the one of a path, `body` what is sent of the content."""
        asked: dict[str, Any] = {"method": self.method, "url": address(self.path)}
        if self.content is not None:
            headers = {"Content-Type": self.content_type, "Content-Length": str(len(self.content))}
            asked |= {"content": body(self.content), "headers": headers}
        return asked

    def understand(self, response: httpx.Response) -> Any:
        """What the answer means. Raises: Problem."""
        try:
            document = json.loads(response.content)
            if response.is_success:
                return self.read(document)
            raise results.problem(document)
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # somebody else has answered
            detail = f"{response.url} says {response.text[:100]!r}."
            raise Problem(response.status_code, "Not an answer of this service", detail) from error


MODEL = Question("GET", "/model", results.model_info)


def predict(content: bytes, may_fit: bool = True, preview: bool = False) -> Question:
    """The digit in a picture."""
    query = "&".join(["fit=never"] * (not may_fit) + ["preview=true"] * preview)
    return Question("POST", "/predict" + (query and f"?{query}"), results.prediction, content)


def read(content: bytes) -> Question:
    """The digits in a picture of several."""
    return Question("POST", "/read", results.reading, content)


def batch(contents: Sequence[bytes]) -> Question:
    """The digits in some pictures, at least one.

    A lone one goes as a body of its own: a photograph isn't copied here, nor searched for boundaries there.
    """
    if len(contents) == 1:
        return predict(contents[0])._replace(read=lambda document: [results.prediction(document)])
    boundary = secrets.token_hex(16)  # no picture holds it
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="picture"\r\n\r\n'.encode()
    # httpx takes 30 µs to put a small file into a form, which this does in less than one
    body = b"".join(part for content in contents for part in (head, content, b"\r\n")) + f"--{boundary}--\r\n".encode()
    read = partial(results.predictions, expected=len(contents))
    return Question("POST", "/predict/batch", read, body, f"multipart/form-data; boundary={boundary}")


def content_of(picture: PictureFile) -> bytes:
    """The bytes of its file. Raises: OSError."""
    if isinstance(picture, bytes):
        return picture
    return Path(picture).read_bytes() if isinstance(picture, str | os.PathLike) else picture.read()
