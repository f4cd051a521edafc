"""Three processes behind HAProxy, as deploy/haproxy has it: one drained and one killed, and nobody notices."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from benchmarks.crowd import Crowd
from tests.balancing import CONFIG, MISSING, Balancer, find_haproxy, running_balancer
from tests.support import Service, band, encode, running_service, waiting

NAMES = ("one", "two", "three")
CONNECTIONS = 16  # of those who ask for one digit
DRAIN_SECONDS = "4"


@pytest.fixture(scope="module")
def haproxy(missing: list[str]) -> str:
    path = find_haproxy()
    if path is None:
        missing.append(MISSING)
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)
    return path


class Cluster:
    """Three processes of the service, each of which can be started again on its port, and the balancer."""

    def __init__(self, folder: Path, models: Path, stack: ExitStack) -> None:
        self._folder, self._models, self._stack = folder, models, stack
        self.services = [self._start(name, wait=False) for name in NAMES]
        for each in self.services:
            each.wait_until_ready()

    @property
    def addresses(self) -> list[str]:
        return [httpx.URL(each.url).netloc.decode() for each in self.services]

    def start_again(self, number: int) -> None:
        port = httpx.URL(self.services[number].url).port
        self.services[number] = self._start(NAMES[number], "--port", str(port))

    def _start(self, name: str, *options: str, wait: bool = True) -> Service:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        always = ("--model-dir", str(self._models), "--drain-seconds", DRAIN_SECONDS)
        return self._stack.enter_context(running_service(folder, *always, *options, wait=wait))


@pytest.fixture(scope="module")
def cluster(haproxy: str, tmp_path_factory: pytest.TempPathFactory, tiny_models: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(tmp_path_factory.mktemp("cluster"), tiny_models, stack)


@pytest.fixture
def balancer(haproxy: str, cluster: Cluster, tmp_path: Path) -> Iterator[Balancer]:
    with running_balancer(haproxy, tmp_path, cluster.addresses, DIGITS_CLIENT_REQUESTS_10S="1000000") as balancer:
        yield balancer


@contextmanager
def at_work(balancer: Balancer) -> Iterator[list[Crowd]]:
    """Clients that ask one question after the other, two different ones, and never fail."""
    crowds = [asking(balancer, digit) for digit in (2, 7)]
    wait_until_answered(crowds, 300)
    yield crowds
    wait_until_answered(crowds, 300)
    for each in crowds:
        each.end()
        assert (each.lost, each.refused, each.wrong, set(each.statuses)) == (0, 0, 0, {b"200"})


def asking(balancer: Balancer, digit: int) -> Crowd:
    picture = encode(band(digit))
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
    port = httpx.URL(balancer.url).port or 0
    crowd = Crowd(port, head.encode() + picture, b'"digit":%d,' % digit, CONNECTIONS)
    crowd.start()
    return crowd


def wait_until_answered(crowds: list[Crowd], more: int) -> None:
    for each in crowds:
        before = each.answered
        for _ in waiting("answers"):
            if each.answered > before + more:
                break


def report(what: str, balancer: Balancer, crowds: list[Crowd]) -> None:
    servers = balancer.servers()
    asked = ", ".join(f"{name} {servers[name]['stot']}" for name in NAMES)
    again = sum(int(servers[name]["wretr"]) + int(servers[name]["wredis"]) for name in NAMES)
    print(f"{what}: {sum(each.answered for each in crowds)} answered by {asked}; {again} asked again; 0 failed")


def test_one_that_is_drained_and_started_again_is_not_noticed(cluster: Cluster, balancer: Balancer) -> None:
    with at_work(balancer) as crowds:
        cluster.services[0].process.send_signal(signal.SIGTERM)
        balancer.wait_until("one", "DOWN")
        assert cluster.services[0].process.poll() is None  # it is told apart before it refuses anybody
        assert cluster.services[0].process.wait(20) == 0
        wait_until_answered(crowds, 300)
        cluster.start_again(0)
        balancer.wait_until("one", "UP")
        balancer.wait_until_asked("one", 100)
    report("one drained", balancer, crowds)


def test_one_that_is_killed_takes_no_request_with_it(cluster: Cluster, balancer: Balancer) -> None:
    with at_work(balancer) as crowds:
        cluster.services[1].process.kill()
        balancer.wait_until("two", "DOWN")
        wait_until_answered(crowds, 300)
        cluster.start_again(1)
        balancer.wait_until("two", "UP")
        balancer.wait_until_asked("two", 100)
    report("two killed", balancer, crowds)
