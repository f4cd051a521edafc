"""The client for those who wait for each answer."""

import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from app.client import questions
from app.client.connection import addresses_at, options_of
from app.client.groups import halves, in_groups
from app.client.patience import Manners, Patience
from app.client.questions import PictureFile, Question, content_of
from app.client.results import ModelInfo, Prediction, Problem, Reading

# Of a body, at a time. httpx copies what the system hasn't taken of a piece, again and again: a photograph in one piece
# takes 2.9 ms of CPU time, in such pieces 1.8.
PIECE_BYTES = 2**19


class Client:
    """Asks the service at `url`, and waits for each answer. To be used in a `with`; may be shared by threads.

    `api_key`: sent with each request, for a service that wants one. `timeout_s`: for connecting, and for each silence
    of the service. `patience_s`: for so long after its first failure a request is tried again, when the service can't
    be reached (it restarts) or has no room (503, as `Retry-After` says).

    Raises: ValueError, for what is no address or no key. Every method raises Problem, when the service refuses, and
    Unreachable.
    """

    def __init__(self, url: str, *, api_key: str | None = None, timeout_s: float = 60, patience_s: float = 30) -> None:
        self._address = addresses_at(url)
        self._manners = Manners(url, patience_s)
        self._http = httpx.Client(**options_of(self._address("/"), api_key, timeout_s))

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
                response = self._http.request(**question.request(self._address, _in_pieces))
                pause_s = patience.after_answer(response)
            except httpx.RequestError as error:
                pause_s = patience.after_failure(error)
            if pause_s is None:
                return question.understand(response)
            time.sleep(pause_s)


def _in_pieces(content: bytes) -> bytes | Iterator[bytes]:
    if len(content) <= PIECE_BYTES:
        return content
    return (content[start : start + PIECE_BYTES] for start in range(0, len(content), PIECE_BYTES))
