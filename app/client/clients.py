"""The two clients: they ask alike, understand alike and are patient alike, and differ in how they wait."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self
from urllib.request import getproxies

import httpx

from app.client import questions
from app.client.groups import halves, in_groups
from app.client.patience import Manners, Patience
from app.client.questions import PictureFile, Question, content_of
from app.client.results import ModelInfo, Prediction, Problem, Reading

if find_spec("sniffio") is None:
    # httpx imports it a dozen times a request, in vain, and Python looks for it everywhere each time: 1 ms in all
    sys.modules["sniffio"] = None  # type: ignore[assignment]


class Client:
    """Asks the service at `url`, and waits for each answer. To be used in a `with`; may be shared by threads.

    `api_key`: sent with each request, for a service that wants one. `timeout_s`: for connecting, and for each silence
    of the service. `patience_s`: for so long after its first failure a request is tried again, when the service can't
    be reached (it restarts) or has no room (503, as `Retry-After` says).

    Raises: ValueError, for what is no address or no key. Every method raises Problem, when the service refuses, and
    Unreachable.
    """

    def __init__(self, url: str, *, api_key: str | None = None, timeout_s: float = 60, patience_s: float = 30) -> None:
        self._address = _addresses(url)
        self._manners = Manners(url, patience_s)
        self._http = httpx.Client(**_options(self._address("/"), api_key, timeout_s))

    def predict(self, picture: PictureFile, *, may_fit: bool = True, preview: bool = False) -> Prediction:
        """The digit in a picture. Without `may_fit` only 28x28 will do, white ink on black."""
        answer: Prediction = self._ask(questions.predict(content_of(picture), may_fit, preview))
        return answer

    def predict_batch(self, contents: Sequence[bytes]) -> list[Prediction | Problem]:
        """The digits in some picture files, in one request; one that can't be read has its problem in its place.

        A group that is refused as a whole, because it is too large or one of it does harm, is asked for in halves.
        """
        if not contents:
            return []
        try:
            answers: list[Prediction | Problem] = self._ask(questions.batch(contents))
            return answers
        except Problem as problem:
            parts = halves(contents, problem)
            return [each for part in parts for each in self.predict_batch(part)] or [problem]

    def predict_many(self, pictures: Iterable[PictureFile]) -> Iterator[Prediction | Problem]:
        """The digits in any number of pictures, in order, a group a request; one that can't be read has its problem in
        its place. Raises OSError besides, for a file that isn't there."""
        for group in in_groups(map(content_of, pictures), len):
            yield from self.predict_batch(group)

    def read(self, picture: PictureFile) -> Reading:
        """All digits in a picture of several."""
        reading: Reading = self._ask(questions.read(content_of(picture)))
        return reading

    def model(self) -> ModelInfo:
        """Which model answers."""
        info: ModelInfo = self._ask(questions.MODEL)
        return info

    def close(self) -> None:
        """Ends its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, question: Question) -> Any:
        patience = Patience(self._manners)
        while True:
            try:
                response = self._http.request(**question.request(self._address))
                pause_s = patience.after_answer(response)
            except httpx.RequestError as error:
                pause_s = patience.after_failure(error)
            if pause_s is None:
                return question.understand(response)
            time.sleep(pause_s)


class AsyncClient:
    """As `Client`, for one event loop. `predict_many` keeps so many groups under way as there are `connections`."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 60,
        patience_s: float = 30,
        connections: int = 8,
    ) -> None:
        self._address = _addresses(url)
        self._manners = Manners(url, patience_s)
        self._connections = connections
        self._http = httpx.AsyncClient(**_options(self._address("/"), api_key, timeout_s))

    async def predict(self, picture: PictureFile, *, may_fit: bool = True, preview: bool = False) -> Prediction:
        """As `Client.predict`."""
        answer: Prediction = await self._ask(questions.predict(content_of(picture), may_fit, preview))
        return answer

    async def predict_batch(self, contents: Sequence[bytes]) -> list[Prediction | Problem]:
        """As `Client.predict_batch`."""
        if not contents:
            return []
        try:
            answers: list[Prediction | Problem] = await self._ask(questions.batch(contents))
            return answers
        except Problem as problem:
            parts = halves(contents, problem)
            return [each for part in parts for each in await self.predict_batch(part)] or [problem]

    async def predict_many(self, pictures: Iterable[PictureFile]) -> AsyncIterator[Prediction | Problem]:
        """As `Client.predict_many`, with several groups under way."""
        groups = in_groups(map(content_of, pictures), len)
        under_way: deque[asyncio.Task[list[Prediction | Problem]]] = deque()
        try:
            while True:
                while len(under_way) < self._connections and (group := next(groups, None)):
                    under_way.append(asyncio.create_task(self.predict_batch(group)))
                if not under_way:
                    return
                for each in await under_way.popleft():
                    yield each
        finally:
            for task in under_way:
                task.cancel()

    async def read(self, picture: PictureFile) -> Reading:
        """As `Client.read`."""
        reading: Reading = await self._ask(questions.read(content_of(picture)))
        return reading

    async def model(self) -> ModelInfo:
        """As `Client.model`."""
        info: ModelInfo = await self._ask(questions.MODEL)
        return info

    async def aclose(self) -> None:
        """As `Client.close`."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _ask(self, question: Question) -> Any:
        patience = Patience(self._manners)
        while True:
            try:
                response = await self._http.request(**question.request(self._address))
                pause_s = patience.after_answer(response)
            except httpx.RequestError as error:
                pause_s = patience.after_failure(error)
            if pause_s is None:
                return question.understand(response)
            await asyncio.sleep(pause_s)


def _addresses(url: str) -> Callable[[str], httpx.URL]:
    """Gives the address of a path. httpx takes 0.2 ms to make one, and there are few."""
    address = cache(lambda path: httpx.URL(url.rstrip("/") + path))
    with suppress(httpx.InvalidURL):
        if address("/").scheme in ("http", "https") and address("/").host:
            return address
    raise ValueError(f"Expected an address such as http://127.0.0.1:8000; got {url!r}.")


def _options(address: httpx.URL, api_key: str | None, timeout_s: float) -> dict[str, Any]:
    """Of httpx's clients."""
    headers = {"Accept": "application/json"}
    if api_key:
        if not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
            raise ValueError("Expected a key of printable ASCII characters without blanks.")
        headers["Authorization"] = f"Bearer {api_key}"
    # what TLS trusts takes 35 ms to load, and where there is neither https:// nor a proxy nobody asks for it
    verify = address.scheme == "https" or bool(getproxies())
    # one's own pool is waited for as long as it takes
    return {"headers": headers, "timeout": httpx.Timeout(timeout_s, pool=None), "verify": verify}
