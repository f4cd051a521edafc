"""The table where pictures and the model meet: bytes → prepared picture → batcher → normalize → model → answer.

Usable without HTTP.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.backroom import Backroom
from app.errors import BlankPicture, OneDigitOnly, Overloaded, ServiceError, TooManyDigits
from app.images.box import Box
from app.images.decode import is_small
from app.images.fitting import MAX_DIGITS, choose, is_imported, segment_file
from app.images.normalize import PIXELS, Grey, normalize
from app.images.plain_png import may_be_plain, unpacked
from app.images.prepare import AS_IT_IS, PictureNote, prepare
from app.images.untouched import read_alone, read_together, untouched
from app.model.batcher import Batcher
from app.model.explain import Explanation
from app.model.metadata import CLASSES
from app.model.model import Model
from app.model.tensors import Pixels, Rows
from app.telemetry.metrics import count_answer, count_answers, count_batch, count_pending

if TYPE_CHECKING:
    from app.images.segment import Segmented

T = TypeVar("T")

NOT_A_DIGIT = "This doesn't look like a digit; the answer is the digit it is least unlike."
NOT_DIGITS = "{} of {} don't look like digits; the answer to each is the digit it is least unlike."
# A batch does so much before others have their turn: a photograph, or some 200 pictures of 28x28 in 10 ms.
GROUP_BYTES = 64 * 1024
DOUBTED = AS_IT_IS._replace(warnings=(NOT_A_DIGIT,))


class Answer(NamedTuple):
    """`probabilities`: float32 (10,), in 0..1, in the order of the classes; `confidence` is the one of `digit`."""

    digit: int
    label: str
    confidence: np.float32
    probabilities: NDArray[np.float32]
    picture: PictureNote


class DigitInRow(NamedTuple):
    """`box`: left, top, right, bottom, in pixels of the picture as sent. `line`: its line of text, from 0 at the top.

    The answer's own note says nothing: it is of a picture that was prepared already.
    """

    answer: Answer
    box: Box
    line: int


class Reading(NamedTuple):
    """All digits of a picture, line by line, each from left to right. `picture`: its `box` is None."""

    digits: list[DigitInRow]
    picture: PictureNote

    @property
    def text(self) -> str:
        """The digits, with a line break between lines."""
        lines: dict[int, str] = {}
        for each in self.digits:
            lines[each.line] = lines.get(each.line, "") + str(each.answer.digit)
        return "\n".join(lines.values())


class _Admission:
    """Room for `limit` requests at a time. A `with` for one more raises Overloaded.

    A class, because what `contextlib` makes of a generator takes 1.5 µs a request.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0

    def __enter__(self) -> None:
        if self._inside >= self._limit:
            raise Overloaded(f"{self._inside} requests are waiting already; try again in a second.")
        self._inside += 1
        count_pending(1)

    def __exit__(self, *_: object) -> None:
        self._inside -= 1
        count_pending(-1)


def _grouped(files: Iterable[bytes]) -> Iterator[list[bytes]]:
    """`files` in order, in groups of GROUP_BYTES; what is larger is alone."""
    group: list[bytes] = []
    left = GROUP_BYTES
    for data in files:
        if group and len(data) > left:
            yield group
            group, left = [], GROUP_BYTES
        group.append(data)
        left -= len(data)
    if group:
        yield group


def _counted(answer: Answer) -> Answer:
    count_answer(answer.digit, answer.confidence)
    return answer


class Reader:
    """Reads pictures with one loaded model. To be used from one event loop.

    `max_pixels` bounds a picture; `max_batch` the rows of one call of the model; `max_pending` the requests that are
    under way.
    """

    def __init__(self, model: Model, max_pixels: int, max_batch: int, max_pending: int) -> None:
        self.model = model
        self._max_pixels = max_pixels
        self._max_batch = max_batch
        self._plain_batcher = Batcher(self._run_plain, max_batch)
        self._batcher = Batcher(self._run, max_batch)
        self._pixel_batcher = Batcher(self._run_pixels, max_batch)
        self._admitted = _Admission(max_pending)
        self._backroom = Backroom()

    def with_model(self, model: Model) -> "Reader":
        """A reader with another model, the same bounds, and room for as many requests as both have together."""
        other = copy(self)  # shares the admission and the backroom
        other.model = model
        other._plain_batcher = Batcher(other._run_plain, self._max_batch)
        other._batcher = Batcher(other._run, self._max_batch)
        other._pixel_batcher = Batcher(other._run_pixels, self._max_batch)
        return other

    async def read(self, data: bytes, may_fit: bool = True, preview: bool = False) -> Answer:
        """Answers the picture file `data`. Without `may_fit`, only 28x28 will do, white ink on black.

        Raises: a ServiceError that says what is wrong with the picture, or Overloaded.
        """
        with self._admitted:
            scanlines = unpacked(data) if self._leaves_untouched(may_fit, preview) else None
            if scanlines is not None:
                row = (await self._plain_batcher(np.frombuffer(scanlines, np.uint8)[np.newaxis]))[0]
                if row is not None:
                    return _counted(self._judged(row, AS_IT_IS))
            image, note = await self._prepared(data, may_fit, preview)
            return _counted(self._judged((await self._batcher(image[np.newaxis]))[0], note))

    async def explain(self, data: bytes, may_fit: bool = True, preview: bool = False) -> tuple[Answer, Explanation]:
        """Answers the picture file `data`, and says which pixels spoke for the answer.

        Raises: as `read`, and CannotExplain.
        """
        with self._admitted:
            image, note = await self._prepared(data, may_fit, preview)
            answer = self._judged((await self._batcher(image[np.newaxis]))[0], note)
            why = self.model.explain(normalize(image), answer.digit)
            return _counted(answer), why

    async def read_many(
        self, files: list[bytes], may_fit: bool = True, preview: bool = False
    ) -> list[Answer | ServiceError]:
        """Answers each file as `read` does, in order; a file that can't be read has its error in its place.

        Raises: Overloaded.
        """
        with self._admitted:
            steps = [partial(self._prepare_each, group, may_fit, preview) for group in _grouped(files)]
            self._backroom.check_room(len(steps))
            groups = await self._backroom.run_each(steps)
            prepared = [each for group in groups for each in group]
            good = [each[0] for each in prepared if not isinstance(each, ServiceError)]
            rows = iter(await self._batcher(np.stack(good)) if good else ())
            return [
                each if isinstance(each, ServiceError) else _counted(self._judged(next(rows), each[1]))
                for each in prepared
            ]

    async def read_rows(self, data: bytes) -> Reading:
        """Answers each digit of the picture file `data`.

        Raises: a ServiceError that says what is wrong with the picture or the model, or Overloaded.
        """
        if not self.model.metadata.fits_digits:
            raise OneDigitOnly(
                f"Expected a model that reads digits; {self.model.name} takes pictures as they are: POST /predict."
            )
        with self._admitted:
            self._backroom.check_room()
            found = await self._backroom.run(lambda: segment_file(data, self._max_pixels))
            images = np.stack([group.image for line in found.lines for group in line.groups])
            calls = [images[start : start + self._max_batch] for start in range(0, len(images), self._max_batch)]
            judged = np.concatenate([await self._batcher(call) for call in calls])
            reading = await self._backroom.run(lambda: self._reading(found, judged))
        for each in reading.digits:
            _counted(each.answer)
        return reading

    async def read_images(self, images: Grey) -> Rows:
        """Answers pictures that are prepared already: uint8 (N, 28, 28), white ink on black, 1 <= N <= `max_batch`.

        Gives rows, float32 (N, 10) or (N, 11): the probabilities, and behind them what else the model judges.
        Raises: Overloaded.
        """
        with self._admitted:
            rows = await self._batcher(images)
        count_answers(rows[:, :CLASSES])
        return rows

    async def read_pixels(self, pixels: Pixels) -> Rows:
        """As `read_images`, of what the network itself reads: float32 (N, 784) in 0..1, 1 <= N <= `max_batch`.

        Raises: Overloaded.
        """
        with self._admitted:
            rows = await self._pixel_batcher(pixels)
        count_answers(rows[:, :CLASSES])
        return rows

    async def explain_pixels(self, pixels: Pixels) -> tuple[Rows, list[Explanation]]:
        """As `read_pixels`, and which of the pixels of each row spoke for its answer.

        Raises: Overloaded, CannotExplain.
        """
        with self._admitted:
            self._backroom.check_room(len(pixels))
            rows = await self._pixel_batcher(pixels)
            digits = rows[:, :CLASSES].argmax(axis=1).tolist()
            explain = self.model.explain
            steps = [partial(explain, *each) for each in zip(pixels, digits, strict=True)]
            why = await self._backroom.run_each(steps)
        count_answers(rows[:, :CLASSES])
        return rows, why

    def expecting(self) -> AbstractContextManager[None]:
        """Keeps a place for a picture that isn't small while it arrives.

        Raises, when it is entered: Overloaded, for it would have to wait for too long.
        """
        return self._backroom.expecting()

    def check_room_for_batch(self) -> None:
        """Raises: Overloaded, when a batch that isn't small would have to wait for too long."""
        self._backroom.check_room(steps=2)

    async def aside(self, work: Callable[[], T]) -> T:
        """What `work` gives, which takes long and is done behind the event loop's back, one such work at a time.

        Raises: Overloaded.
        """
        self._backroom.check_room()
        return await self._backroom.run(work)

    def answers(self, rows: Rows) -> list[Answer]:
        """The answers that `rows`, as `read_images` gives them, are to pictures that were taken as they are."""
        labels = self.model.metadata.labels
        probabilities = rows[:, :CLASSES]
        digits = probabilities.argmax(axis=1)
        confidences = probabilities[np.arange(len(probabilities)), digits]
        threshold = self.model.metadata.not_a_digit
        strange = np.zeros(len(rows), bool) if threshold is None else rows[:, CLASSES] > threshold
        return [
            Answer(digit, labels[digit], confidence, row, DOUBTED if is_strange else AS_IT_IS)
            for digit, confidence, row, is_strange in zip(
                digits.tolist(), confidences, probabilities, strange.tolist(), strict=True
            )
        ]

    def _reading(self, found: "Segmented", judged: Rows) -> Reading:
        digits: list[DigitInRow] = []
        start = number = doubted = 0
        for line in found.lines:
            rows = judged[start : start + len(line.groups)]
            start += len(line.groups)
            chosen = choose(line.pieces, line.groups, rows[:, :CLASSES], len(found.lines) == 1)
            for each in chosen:
                answer = self._answer(rows[each, :CLASSES], AS_IT_IS)
                digits.append(DigitInRow(answer, line.groups[each].box, number))
                doubted += self._doubts(rows[each])
            number += bool(chosen)
        if not digits:
            raise BlankPicture()
        if len(digits) > MAX_DIGITS:
            raise TooManyDigits(f"Expected at most {MAX_DIGITS} digits in one picture; received {len(digits)}.")
        doubts = (NOT_DIGITS.format(doubted, len(digits)),) if doubted else ()
        note = PictureNote(found.width, found.height, True, found.inverted, warnings=(*found.warnings, *doubts))
        return Reading(digits, note)

    def _leaves_untouched(self, may_fit: bool, preview: bool) -> bool:
        """Whether pictures that look as MNIST's do are left as they are, without a look at anything else."""
        return may_fit and not preview and self.model.metadata.fits_digits and self._max_pixels >= PIXELS

    def _run_plain(self, scanlines: NDArray[np.uint8]) -> list[Rows | None]:
        """None for each that isn't left as it is."""
        if len(scanlines) == 1:
            image = read_alone(scanlines[0])
            return [None if image is None else self._run(image[np.newaxis])[0]]
        images, ready = read_together(scanlines)
        rows = iter(self._run(images if ready.all() else images[ready]) if ready.any() else ())
        return [next(rows) if is_ready else None for is_ready in ready.tolist()]

    def _run(self, images: Grey) -> Rows:
        count_batch(len(images))
        return self.model.judge(normalize(images))

    def _run_pixels(self, pixels: Pixels) -> Rows:
        count_batch(len(pixels))
        return self.model.judge(pixels)

    async def _prepared(self, data: bytes, may_fit: bool, preview: bool) -> tuple[Grey, PictureNote]:
        # the first that has to be fitted takes longer, and no other request is to wait for it
        at_once = may_be_plain(data) or is_imported()
        if at_once and is_small(data, self._max_pixels):
            return self._prepare(data, may_fit, preview)
        self._backroom.check_room()
        return await self._backroom.run(lambda: self._prepare(data, may_fit, preview))

    def _prepare(self, data: bytes, may_fit: bool, preview: bool) -> tuple[Grey, PictureNote]:
        return prepare(data, self._max_pixels, may_fit and self.model.metadata.fits_digits, preview)

    def _prepare_each(
        self, files: list[bytes], may_fit: bool, preview: bool
    ) -> list[tuple[Grey, PictureNote] | ServiceError]:
        ready = untouched(files) if self._leaves_untouched(may_fit, preview) else [None] * len(files)
        return [
            self._prepare_or_error(data, may_fit, preview) if image is None else (image, AS_IT_IS)
            for data, image in zip(files, ready, strict=True)
        ]

    def _prepare_or_error(self, data: bytes, may_fit: bool, preview: bool) -> tuple[Grey, PictureNote] | ServiceError:
        try:
            return self._prepare(data, may_fit, preview)
        except ServiceError as error:
            return error

    def _judged(self, row: Rows, note: PictureNote) -> Answer:
        """The answer to one picture of its own, with a warning where it doesn't look like a digit."""
        if self._doubts(row):
            note = note._replace(warnings=(*note.warnings, NOT_A_DIGIT))
        return self._answer(row[:CLASSES], note)

    def _doubts(self, row: Rows) -> bool:
        threshold = self.model.metadata.not_a_digit
        return threshold is not None and bool(row[CLASSES] > threshold)

    def _answer(self, probabilities: NDArray[np.float32], note: PictureNote) -> Answer:
        digit = int(probabilities.argmax())
        return Answer(digit, self.model.metadata.labels[digit], probabilities[digit], probabilities, note)
