"""The service and bulk reading on Ray on this machine alone, and what is said when there is no Ray, or no cluster."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.bulk.cluster import WAITING, ClusterRun
from app.bulk.rows import Row
from app.cluster.errors import last_cause, reason
from app.cluster.figures import merged
from app.settings import Settings
from benchmarks.nodes import MISSING, Network, can_make_networks, environment, network, title_of
from benchmarks.processes import descendants, has_ended
from tests.conftest import lacking
from tests.support import CHECKOUT, SEVEN, waiting

pytestmark = pytest.mark.alone

NO_RAY = "import sys; sys.modules['ray'] = None; from app.cluster.__main__ import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def alone(missing: list[str]) -> Iterator[Network]:
    """A network of its own, so that other tests' Ray is in nobody's way."""
    if not can_make_networks():
        lacking(missing, MISSING)
    with network() as made:
        yield made


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def started(alone: Network, log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """The service, with a home of its own, in which nobody has made a token for Ray."""
    kept = {name: value for name, value in environment(log.parent).items() if not name.startswith("RAY_AUTH_")}
    command = alone.words(sys.executable, "-m", "app.cluster", "--port", "0", *words)
    with log.open("w") as file:
        service = subprocess.Popen(command, cwd=CHECKOUT, env=kept, stdout=file, stderr=file)
    try:
        yield service
    finally:
        service.kill()
        service.wait()


def assert_it_stops_and_leaves_nothing(service: subprocess.Popen[bytes], log: Path) -> None:
    below = descendants(service.pid)
    (folder,) = set(re.findall(r"/tmp/digits-own-ray-\w+", " ".join(map(title_of, below))))
    service.send_signal(signal.SIGTERM)
    assert service.wait(30) == 0
    for _ in waiting("all of Ray to be gone"):
        if all(map(has_ended, below)):
            break
    assert not Path(folder).exists()
    assert log.read_text().endswith(" INFO stopped\n")


def test_one_machine_serves_on_loopback_alone_and_leaves_nothing_behind(alone: Network, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(alone, log, "--max-replicas", "4") as service:
        for _ in waiting("the service", 120):
            assert service.poll() is None, log.read_text()
            if found := re.search(r"listening on (http://127\.0\.0\.1:\d+)\n", log.read_text()):
                break
        url = found[1]  # type: ignore[index]
        answer = alone.inside(lambda: httpx.post(url + "/predict", files={"file": SEVEN.read_bytes()}))
        assert (answer.status_code, answer.json()["digit"]) == (200, 7)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        listening = subprocess.run(alone.words("ss", "-Hltn"), capture_output=True, text=True, check=True).stdout
        addresses = {line.split()[3].rpartition(":")[0] for line in listening.splitlines()}
        assert addresses <= {"127.0.0.1", "[::ffff:127.0.0.1]"}  # and none of OUTSIDE, nor of all
        below = descendants(service.pid)
        assert (tmp_path / ".ray" / "auth_token").stat().st_size > 0
        (gcs,) = (pid for pid in below if "/gcs_server " in title_of(pid))
        assert b"RAY_AUTH_MODE=token" in Path(f"/proc/{gcs}/environ").read_bytes().split(b"\0")
        assert_it_stops_and_leaves_nothing(service, log)
    said = log.read_text()
    assert "SIGTERM received" not in said
    assert " 200 " in said  # the replica's lines of requests come here


def test_who_is_stopped_while_it_starts_leaves_nothing_behind(alone: Network, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(alone, log) as service:
        for _ in waiting("Ray", 60):
            if any(title_of(pid).startswith("ray::") for pid in descendants(service.pid)):
                break
            time.sleep(0.1)
        assert_it_stops_and_leaves_nothing(service, log)
    assert "listening" not in log.read_text()


def test_help_teaches() -> None:
    said = run("-m", "app.cluster", "--help").stdout
    for word in ("--address", "--max-replicas", "--cpus", "--stop", "--workers", "DIGITS_API_KEYS", "ray start"):
        assert word in said
    assert "--cluster" in run("-m", "app.cli", "read", "--help").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--address", "127.0.0.1:1"], "There is no Ray cluster at 127.0.0.1:1: Connection refused."),
        (["--address", "nowhere"], "Expected HOST:PORT of the head of a cluster, or auto; got 'nowhere'."),
        (["--stop"], "--stop needs the --address of the cluster: without one, Ctrl-C stops the service."),
        (
            ["--workers", "4", "--max-replicas", "2"],
            "Expected --max-replicas to be 4 (--workers) or more; got 2.",
        ),
        (["--port", "x"], "--port: input should be a valid integer, unable to parse string as an integer; got 'x'."),
        (
            ["--host", "nowhere.invalid", "--port", "0"],
            "Nobody can listen on nowhere.invalid port 0 here: Name or service not known.",
        ),
        (["--model-dir", "/nowhere"], "Expected a model folder at /nowhere, and there is none."),
    ],
)
def test_what_is_wrong_is_one_sentence(words: list[str], message: str) -> None:
    done = run("-m", "app.cluster", *words)
    assert (done.returncode, done.stderr) == (2, f"python -m app.cluster: {message}\n")


@pytest.mark.parametrize("number", ["0", "-1", "x", "nan", "inf"])
def test_cpus_are_a_number(number: str) -> None:
    done = run("-m", "app.cluster", f"--cpus={number}")
    assert done.returncode == 2
    assert f"expected a number above 0 and up to 1024, got '{number}'" in done.stderr


def test_a_missing_ray_is_one_sentence() -> None:
    done = run("-c", NO_RAY)
    message = "Ray is needed: requirements/install.sh requirements/cluster.txt"
    assert (done.returncode, done.stderr) == (2, f"python -m app.cluster: {message}\n")


def test_reading_without_a_cluster_is_one_sentence() -> None:
    done = run("-m", "app.cli", "read", "tests/pictures", "--cluster", "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "digits read: There is no Ray cluster at 127.0.0.1:1: Connection refused.\n"


def test_something_else_at_the_address_is_one_sentence(tiny_url: str) -> None:
    address = tiny_url.removeprefix("http://")
    done = run("-m", "app.cluster", "--address", address)
    message = f"There is no Ray cluster at {address}: something else answers there."
    assert (done.returncode, done.stderr) == (2, f"python -m app.cluster: {message}\n")


def test_a_busy_port_is_one_sentence(tiny_url: str) -> None:
    port = tiny_url.rpartition(":")[2]
    done = run("-m", "app.cluster", "--port", port)
    message = f"Nobody can listen on 127.0.0.1 port {port} here: Address already in use."
    assert (done.returncode, done.stderr) == (2, f"python -m app.cluster: {message}\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--cluster", "tests/pictures", "tests/pictures/seven.png"],
            "--cluster takes tests/pictures for an address: paths go before it.",
        ),
        (
            ["tests/pictures", "--connections", "4", "--cluster"],
            "--connections are those to a service, and --cluster needs none.",
        ),
        (
            ["tests/pictures", "--cluster", "nowhere"],
            "Expected HOST:PORT of the head of a cluster, or auto; got 'nowhere'.",
        ),
    ],
)
def test_what_is_wrong_with_reading_is_one_sentence(words: list[str], message: str) -> None:
    done = run("-m", "app.cli", "read", *words)
    assert (done.returncode, done.stderr) == (2, f"digits read: {message}\n")


def test_what_ray_says_becomes_one_line() -> None:
    assert reason(RuntimeError("\x1b[36mray::f()\x1b[39m failed\n  File x")) == "ray::f() failed."
    above = RuntimeError("ray::f() failed")
    above.cause = ValueError("nobody is there.\nreally")  # type: ignore[attr-defined]
    assert reason(above) == "nobody is there."


def test_a_traceback_becomes_one_line() -> None:
    said = "It failed 3 times in a row. Error:\n  File x\nRuntimeError: There is no model.\n"
    assert last_cause(said) == "There is no model."
    assert last_cause("It failed.") == "It failed."


def test_rows_that_nobody_writes_yet_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0

    def rows(*_: object) -> Iterator[list[Row]]:
        nonlocal taken
        while taken < 1000:
            taken += 1
            yield []

    monkeypatch.setattr("app.bulk.cluster.read_all", rows)
    ahead = []
    written = 0

    def write(_: list[Row]) -> None:
        nonlocal written
        written += 1
        if written % 100 == 0:
            time.sleep(0.01)
            ahead.append(taken - written)

    ClusterRun(None, Settings()).read([], write)
    assert written == 1000
    assert max(ahead) <= WAITING + 1


def test_figures_of_replicas_stay_apart() -> None:
    text = b'# HELP a_total x\n# TYPE a_total counter\na_total{b="c"} 1.0\n'
    both = merged({"one": text, "two": text.replace(b"1.0", b"2.0")}).decode()
    lines = ['a_total{b="c",replica="one"} 1.0', 'a_total{b="c",replica="two"} 2.0']
    assert both.splitlines() == ["# HELP a_total x", "# TYPE a_total counter", *lines]
