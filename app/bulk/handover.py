"""One thread finds, another takes: in order, and never far ahead."""

from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from threading import Lock, Semaphore, Thread
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Handover(Generic[T]):
    """What a thread of its own finds for the one that takes it. To be used once.

    Who ends the process need not wait for that thread: it may wait at a list that never goes on.
    """

    def __init__(self, room: int) -> None:
        """`room`: the most that have been found and are not done with."""
        self._found: SimpleQueue[T | None] = SimpleQueue()
        self._room = Semaphore(room)
        self._handing = Lock()
        self._failure: BaseException | None = None
        self.stopped = False

    def begun(self, item: Any) -> T:
        """What becomes of an item that is found: itself, or the work on it. Nothing is begun once it is stopped."""
        return cast(T, item)

    def taken(self, items: Iterable[Any]) -> Iterator[T]:
        """What is `begun` of each of `items`, none of which is None; done with when the next is asked for.

        Raises: what looking for them does, unless it was stopped.
        """
        self._finder = Thread(target=self._find, args=(iter(items),), daemon=True)
        self._finder.start()
        while (item := self._found.get()) is not None:
            yield item
            self._room.release()
        if self._failure and not self.stopped:
            raise self._failure

    def stop(self) -> None:
        """No more are looked for. Those that have been found can still be taken."""
        with self._handing:  # what has just been begun comes before the end
            self.stopped = True
            self._found.put(None)
        self._room.release()

    def wait(self, seconds: float) -> None:
        """Until nothing is looked for any more, or the time is over."""
        self._finder.join(seconds)

    def _find(self, items: Iterator[Any]) -> None:
        try:
            while self._room.acquire() and not self.stopped:
                item = next(items)
                with self._handing:
                    if not self.stopped:
                        self._found.put(self.begun(item))
        except StopIteration:
            pass
        except BaseException as error:  # noqa: BLE001 - for whoever takes
            self._failure = error
        finally:
            self._found.put(None)
