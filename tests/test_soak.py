"""The soak: what is wrong is seen, and a few seconds of it find nothing."""

import time
from http.client import HTTPConnection
from pathlib import Path
from random import Random

import httpx
import pytest

from benchmarks import prepare, soak
from benchmarks.errors import BenchmarkError
from benchmarks.measure import Run
from benchmarks.servers import Server
from benchmarks.soak import Ask, Soak

pytestmark = pytest.mark.alone


def asked(url: str, *every: tuple[str, Ask], seconds: float = 0.3) -> Soak:
    """What a connection to a running server notes, when it asks only this."""
    server = Server(httpx.URL(url).port or 0, 0, 0, Path())
    noted = Soak()
    soak.keep_asking(server, {name: (1, ask) for name, ask in every}, 0, time.monotonic() + seconds, noted)
    return noted


def test_right_answers_are_counted_and_wrong_ones_told(tiny_url: str) -> None:
    def wrong(connection: HTTPConnection, random: Random) -> int:
        return soak._post(connection, "/nowhere", b"", {200})

    noted = asked(tiny_url, ("pages", soak._got), ("wrong", wrong))
    assert noted.statuses["pages", 200] > 1
    assert "wrong: ValueError: /nowhere: expected one of [200]; received 404" in noted.wrong[0]
    assert not any(each.startswith("pages") and "/model/report" not in each for each in noted.wrong)
    assert not noted.is_right


def test_who_hangs_up_is_told_and_asked_again(tiny_url: str) -> None:
    def broken(connection: HTTPConnection, random: Random) -> int:
        raise ConnectionResetError("gone")

    noted = asked(tiny_url, ("broken", broken), seconds=0.05)
    assert "broken: ConnectionResetError: gone" in noted.wrong
    assert not noted.statuses


def test_a_slow_answer_is_wrong() -> None:
    noted = Soak()
    noted.note("any", 200, soak.SLOW_SECONDS + 1)
    assert noted.wrong == ["any: 6.0 s"]


@pytest.mark.parametrize(("last", "right"), [(104.0, True), (106.0, False)])
def test_memory_that_grows_is_not_right(last: float, right: bool) -> None:
    noted = Soak(memory=[50.0] * 60 + [100.0] * 180 + [last] * 60)
    assert noted.growth == last / 100
    assert noted.is_right is right
    assert Soak(memory=[50.0, 100.0, 200.0]).is_right  # too few to tell


def test_some_seconds_of_everything_find_nothing(tmp_path: Path) -> None:
    try:
        cpus = prepare.two_cpus()
    except BenchmarkError as error:
        pytest.skip(str(error))
    run = Run(tmp_path, 4, *cpus, 0)
    noted = soak.soaked(run, 4, 4, seed=1)
    assert noted.wrong == []
    assert len({kind for kind, _ in noted.statuses}) >= 8
    assert len(noted.memory) >= 3
    page = soak.page(noted, soak.parse(["--seconds", "4"]))
    assert f"{noted.statuses.total():,} answers, 0 of them 500" in page
    assert "| wrong requests, each its problem | 400: " in page
