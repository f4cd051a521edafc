"""What one thread finds for another: in order, never far ahead, and an end that is no hang."""

import threading
import time
from collections.abc import Iterator

import pytest

from app.bulk.handover import Handover


def test_all_come_in_order_and_few_are_found_before_they_are_wanted() -> None:
    found = 0

    def numbers() -> Iterator[int]:
        nonlocal found
        for number in range(1, 101):
            found = number
            yield number

    taken = []
    for number in Handover[int](3).taken(numbers()):
        time.sleep(0.001)
        assert found <= number + 2  # three are under way, this one among them
        taken.append(number)
    assert taken == list(range(1, 101))


def test_what_ends_the_search_is_raised_behind_what_was_found() -> None:
    def two() -> Iterator[int]:
        yield from (1, 2)
        raise OSError("the list is gone")

    taken = Handover[int](8).taken(two())
    assert [next(taken), next(taken)] == [1, 2]
    with pytest.raises(OSError, match="the list is gone"):
        next(taken)


def test_stopped_it_gives_what_was_found_and_ends_though_the_list_does_not() -> None:
    handover, waits, never = Handover[int](8), threading.Event(), threading.Event()

    def two() -> Iterator[int]:
        yield from (1, 2)
        waits.set()
        never.wait(20)
        raise OSError("nobody wants to know")

    taken = handover.taken(two())
    assert next(taken) == 1
    assert waits.wait(20)
    handover.stop()
    assert list(taken) == [2]
    never.set()
    handover.wait(20)


def test_stopped_while_there_is_no_room_nothing_more_is_looked_for() -> None:
    handover, found = Handover[int](1), []

    def numbers() -> Iterator[int]:
        for number in range(3):
            found.append(number)
            yield number

    taken = handover.taken(numbers())
    assert next(taken) == 0
    handover.stop()
    assert list(taken) == []
    handover.wait(20)
    assert found == [0]


def test_what_is_begun_before_it_is_stopped_is_given_all_the_same() -> None:
    begins, begun = threading.Event(), []

    class Slow(Handover[int]):
        def begun(self, item: int) -> int:
            begun.append(item)
            begins.set()
            time.sleep(0.1)  # in which it is stopped
            return item

    def stop() -> None:
        begins.wait(20)
        handover.stop()

    handover = Slow(8)
    stopping = threading.Thread(target=stop)
    stopping.start()
    assert list(handover.taken(range(100))) == begun
    stopping.join()
    assert len(begun) < 100
