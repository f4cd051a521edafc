"""Three processes behind HAProxy, as deploy/haproxy has it: one drained and one killed, and nobody notices."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from PIL.PngImagePlugin import PngInfo

from app.settings import Settings
from benchmarks.crowd import Crowd, predict
from tests.balancing import CONFIG, MISSING, Balancer, find_haproxy, running_balancer
from tests.conftest import lacking
from tests.support import CHECKOUT, LITERT, Service, band, encode, running_service, waiting

pytestmark = pytest.mark.alone

NAMES = ("one", "two", "three")
CONNECTIONS = 16  # of those who ask for one digit
DRAIN_SECONDS = "5"  # as in the image
# More than HAProxy's 16 kB, so that it can't be asked of another, and as much as a PNG of 28x28 may have.
COMMENT = PngInfo()
COMMENT.add_text("Comment", "x" * 20_000)
LARGE = encode(band(5), pnginfo=COMMENT)
LARGE_CONNECTIONS = 4


@pytest.fixture(scope="module")
def haproxy(missing: list[str]) -> str:
    path = find_haproxy()
    if path is None:
        lacking(missing, MISSING)
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
        always = (*LITERT, "--model-dir", str(self._models), "--drain-seconds", DRAIN_SECONDS)
        return self._stack.enter_context(running_service(folder, *always, *options, wait=wait))


@pytest.fixture(scope="module")
def cluster(haproxy: str, tmp_path_factory: pytest.TempPathFactory, tiny_models: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(tmp_path_factory.mktemp("cluster"), tiny_models, stack)


@pytest.fixture
def balancer(haproxy: str, cluster: Cluster, tmp_path: Path) -> Iterator[Balancer]:
    with running_balancer(haproxy, tmp_path, cluster.addresses, BALANCER_CLIENT_REQUESTS_10S="1000000") as balancer:
        yield balancer


@contextmanager
def at_work(balancer: Balancer) -> Iterator[list[Crowd]]:
    """Clients that ask one question after the other, two different ones, and never fail."""
    with asking(balancer, encode(band(2)), 2) as first, asking(balancer, encode(band(7)), 7) as second:
        yield [first, second]
    for each in (first, second):
        assert (each.lost, each.refused, each.wrong, set(each.statuses)) == (0, 0, 0, {b"200"})


@contextmanager
def asking(balancer: Balancer, picture: bytes, digit: int, connections: int = CONNECTIONS) -> Iterator[Crowd]:
    port = httpx.URL(balancer.url).port or 0
    crowd = Crowd(port, predict(picture), b'"digit":%d,' % digit, connections)
    crowd.start()
    wait_until_answered([crowd])
    yield crowd
    wait_until_answered([crowd])
    crowd.end()


def wait_until_answered(crowds: list[Crowd], more: int = 100) -> None:
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
        wait_until_answered(crowds)
        cluster.start_again(0)
        balancer.wait_until("one", "UP")
        balancer.wait_until_asked("one", 100)
    report("one drained", balancer, crowds)


def test_one_that_is_killed_takes_no_small_request_with_it_and_of_large_ones_at_most_its_own(
    cluster: Cluster, balancer: Balancer
) -> None:
    with asking(balancer, LARGE, 5, LARGE_CONNECTIONS) as large, at_work(balancer) as crowds:
        cluster.services[1].process.kill()
        balancer.wait_until("two", "DOWN")
        failed = failures(large)
        wait_until_answered([*crowds, large])
    assert failures(large) == failed  # those alone that were sent to it before all its connections were closed,
    others = [balancer.servers()[name] for name in ("one", "three")]
    assert {each[count] for each in others for count in ("econ", "eresp", "hrsp_5xx")} == {"0"}  # and none elsewhere
    assert (large.wrong, large.refused, {*large.statuses} - {b"502"}) == (large.statuses[b"502"], 0, {b"200"})
    report("two killed", balancer, crowds)
    print(f"of bodies too large to be kept for a second time {failed} failed, {large.statuses[b'200']} were answered")
    before = int(balancer.servers()["two"]["hrsp_2xx"])
    cluster.start_again(1)
    balancer.wait_until("two", "UP")
    for _ in range(30):
        assert httpx.post(balancer.url + "/predict", content=LARGE).json()["digit"] == 5
    assert int(balancer.servers()["two"]["hrsp_2xx"]) > before


def failures(crowd: Crowd) -> int:
    """HAProxy answers 502, or on a connection that was used before leaves it to the client to ask again."""
    return crowd.lost + crowd.statuses[b"502"]


def test_haproxy_has_nothing_to_say_of_the_configuration_alone_or_after_debians(haproxy: str) -> None:
    debian = Path("/etc/haproxy/haproxy.cfg")
    for before in [[], ["-f", str(debian)]] if debian.exists() else [[]]:
        checked = subprocess.run([haproxy, "-c", *before, "-f", CONFIG], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_a_client_that_asks_too_much_or_at_the_wrong_door_is_told_so(
    haproxy: str, tiny_url: str, tmp_path: Path
) -> None:
    address = httpx.URL(tiny_url).netloc.decode()
    with running_balancer(haproxy, tmp_path, [address] * 3, BALANCER_CLIENT_REQUESTS_10S="6") as balancer:
        answers = [httpx.get(balancer.url + path) for path in ("/livez", "/metrics", *["/livez"] * 5)]
        assert [each.status_code for each in answers] == [200, 404, 200, 200, 200, 200, 429]
        assert answers[1].json()["title"] == "Not Found"
        assert answers[-1].headers["Retry-After"] == "10"
        assert answers[-1].json()["status"] == 429
        assert 'haproxy_server_status{proxy="processes",server="one",state="UP"} 1' in (
            httpx.get(balancer.watch + "/metrics").text
        )


def test_a_client_with_too_many_connections_is_told_so(haproxy: str, tiny_url: str, tmp_path: Path) -> None:
    address = httpx.URL(tiny_url).netloc.decode()
    with running_balancer(haproxy, tmp_path, [address] * 3, BALANCER_CLIENT_CONNECTIONS="2") as balancer:
        with httpx.Client(base_url=balancer.url) as first, httpx.Client(base_url=balancer.url) as second:
            assert [each.get("/livez").status_code for each in (first, second)] == [200, 200]
            assert httpx.get(balancer.url + "/livez").status_code == 429
        for _ in waiting("the two to be gone"):
            if httpx.get(balancer.url + "/livez").status_code == 200:
                break


def test_that_no_process_is_there_is_said_as_the_service_would(haproxy: str, tmp_path: Path) -> None:
    with running_balancer(haproxy, tmp_path, ["127.0.0.1:1"] * 3) as balancer:
        for name in NAMES:
            balancer.wait_until(name, "DOWN")
        answer = httpx.get(balancer.url + "/livez")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 503


def test_it_waits_for_as_long_as_the_service_does_and_notices_a_drain_in_time() -> None:
    config, settings = CONFIG.read_text(), Settings()
    seconds = {name: float(value) for name, value in re.findall(r"timeout ([\w-]+) (\d+)s", config)}
    assert seconds["http-request"] == settings.head_seconds
    assert seconds["client"] == settings.receive_seconds == settings.send_seconds
    assert seconds["server"] > settings.answer_seconds
    assert f"maxconn {settings.max_pending}\n" in config
    interval, checks = re.search(r"inter (\d+)s .*fall (\d+) ", config).groups()  # type: ignore[union-attr]
    drain = re.search(r"DIGITS_DRAIN_SECONDS=(\d+)", (CHECKOUT / "Dockerfile").read_text())
    assert int(interval) * int(checks) < int(drain[1])  # type: ignore[index]
