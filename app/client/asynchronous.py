"""The client for those who have other things to do on their event loop. It asks and understands as `Client` does."""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

import httpx

from app.client import questions
from app.client.connection import addresses_at, options_of
from app.client.groups import halves, in_groups
from app.client.patience import Manners, Patience
from app.client.questions import PictureFile, Question, content_of
from app.client.results import ModelInfo, Prediction, Problem, Reading

if find_spec("sniffio") is None:
    # httpx imports it a dozen times a request, in vain, and Python looks for it everywhere each time: 1 ms in all
    sys.modules["sniffio"] = None  # type: ignore[assignment]


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
        self._address = addresses_at(url)
        self._manners = Manners(url, patience_s)
        self._connections = connections
        self._http = httpx.AsyncClient(**options_of(self._address("/"), api_key, timeout_s))

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
