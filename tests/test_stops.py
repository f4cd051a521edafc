"""How the service ends, and how it goes on without one of its workers: nobody who was heard is lost."""

import asyncio
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from uvicorn.server import ServerState

from app.errors import STOPPING
from app.main import create_service
from app.process.lifecycle import Lifecycle
from app.process.server import configure
from app.settings import Settings
from app.telemetry.metrics_folder import PREFIX, metrics_folder
from app.wire.connection import Connection
from benchmarks.crowd import Crowd, predict
from tests.support import CHECKOUT, LITERT, SHIPPED, Service, band, encode, running_service, waiting, workers_of

pytestmark = pytest.mark.alone

PICTURE = encode(band(7))
REQUEST = predict(PICTURE)
HEAD = REQUEST.removesuffix(PICTURE)
ANSWER = b'"digit":7'
CONNECTIONS = 32
# All has an end two seconds after the drain; on a machine that is busy with other things, this much later.
SLACK_SECONDS = 4
# After which an `impatient` supervisor takes a worker for dead: three times as long as one is silent, or as it starts.
SILENCE_SECONDS = 6


@contextmanager
def started(folder: Path, models: Path, *options: str) -> Iterator[Service]:
    with running_service(folder, "--model-dir", str(models), *options) as service:
        yield service
    assert "Traceback" not in service.log.read_text()


def connect(service: Service) -> socket.socket:
    url = httpx.URL(service.url)
    return socket.create_connection((url.host, url.port or 0), timeout=20)


def answers(connection: socket.socket, count: int = 1) -> bytes:
    """So many answers, or what comes of them."""
    received = b""
    while received.count(ANSWER) < count and (data := connection.recv(65536)):
        received += data
    return received


def to_the_end(connection: socket.socket) -> bytes:
    """All that comes until the service closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def at_work(service: Service) -> Crowd:
    """Connections that ask one question after the other."""
    crowd = Crowd(httpx.URL(service.url).port or 0, REQUEST, ANSWER, CONNECTIONS)
    crowd.start()
    for _ in waiting("the crowd to be at work"):
        if crowd.answered > 500:
            return crowd
    raise AssertionError


@pytest.mark.parametrize(
    ("number", "drain_s", "workers", "engine"),
    [
        (signal.SIGTERM, "0.5", "1", "litert"),
        (signal.SIGTERM, "0.5", "2", "tensorflow"),
        (signal.SIGINT, "60", "1", "tensorflow"),
        (signal.SIGINT, "60", "2", "litert"),
    ],
)
def test_whoever_was_heard_before_the_end_is_answered(
    number: int, drain_s: str, workers: str, engine: str, tmp_path: Path, tiny_models: Path
) -> None:
    options = ("--workers", workers, "--drain-seconds", drain_s, "--engine", engine)
    with started(tmp_path, tiny_models, *options) as service:
        for pid in workers_of(service) or [service.process.pid]:
            check_that_no_thread_is_interrupted(pid)
        crowd = at_work(service)
        assert service.stop(number) == 0
        crowd.join()
        assert (crowd.lost, crowd.wrong, set(crowd.statuses)) == (0, 0, {b"200"})
    what = "SIGTERM: draining for 0.5 s" if number == signal.SIGTERM else "SIGINT: stopping"
    assert service.log.read_text().count(what) == service.log.read_text().count(" stopped") == 1


def check_that_no_thread_is_interrupted(pid: int) -> None:
    """A signal is for the one thread that waits for it."""
    masks = [(thread / "status").read_text() for thread in Path(f"/proc/{pid}/task").iterdir()]
    blocked = [int(re.search(r"^SigBlk:\t(\w+)$", mask, re.M)[1], 16) for mask in masks]  # type: ignore[index]
    for number in (signal.SIGTERM, signal.SIGINT):
        assert sum(not each >> (number - 1) & 1 for each in blocked) == 1


def test_during_the_drain_it_is_not_ready_and_answers_all_the_same(tmp_path: Path, tiny_models: Path) -> None:
    with started(tmp_path, tiny_models, *LITERT, "--drain-seconds", "3") as service, ExitStack() as kept:
        clients = [kept.enter_context(httpx.Client(base_url=service.url, timeout=20)) for _ in range(2)]
        for client in clients:
            assert "Connection" not in client.get("/livez").headers
        begin = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        for _ in waiting("the signal to arrive"):
            if (response := httpx.get(service.url + "/readyz")).status_code == 503:
                break
        assert "stopping" in response.json()["detail"]
        assert {httpx.get(service.url + path).status_code for path in ("/health", "/healthz")} == {503}
        clients.append(kept.enter_context(httpx.Client(base_url=service.url, timeout=20)))
        for client in clients:  # two connections from before, and a new one
            predicted = client.post("/predict", content=PICTURE)
            assert (predicted.json()["digit"], predicted.headers["Connection"]) == (7, "close")
        assert httpx.get(service.url + "/livez").status_code == 200
        assert service.process.wait(20) == 0
        assert 3 <= time.monotonic() - begin < 3 + 2 + SLACK_SECONDS
    log = service.log.read_text()
    assert log.count("SIGTERM: draining for 3 s") == log.count(" stopped") == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_ends_it_at_once(workers: str, tmp_path: Path, tiny_models: Path) -> None:
    with started(tmp_path, tiny_models, *LITERT, "--workers", workers, "--drain-seconds", "60") as service:
        os.killpg(service.process.pid, signal.SIGTERM)  # as systemd does it: all are told, and the first hands it on
        time.sleep(0.7)
        assert service.process.poll() is None
        assert httpx.get(service.url + "/livez").status_code == 200
        assert service.stop(signal.SIGTERM) == 0


def test_those_who_hold_connections_open_do_not_hold_the_end(tmp_path: Path, tiny_models: Path) -> None:
    with started(tmp_path, tiny_models, *LITERT, "--workers", "2") as service, ExitStack() as held:
        connections = [held.enter_context(connect(service)) for _ in range(12)]
        for each in connections[:3]:
            each.sendall(HEAD)  # and never the body
        for each in connections[3:6]:
            each.sendall(HEAD[:20])
        for each in connections[6:9]:
            each.sendall(REQUEST)
            assert ANSWER in answers(each)  # and then nothing
        begin = time.monotonic()
        assert service.stop(signal.SIGTERM) == 0
        assert time.monotonic() - begin < 2 + SLACK_SECONDS
        for each in connections[:3]:
            assert b"The service is stopping" in each.recv(65536)


def test_what_is_under_way_at_the_end_is_told_so_by_a_503_and_one_sentence_in_the_log(
    tmp_path: Path, tiny_models: Path
) -> None:
    with started(tmp_path, SHIPPED, *LITERT) as service, ExitStack() as kept:
        drawing = encode(np.kron(band(7), np.ones((8, 8), np.uint8)))  # is to be fitted
        files = [("files", drawing)] * 1000
        request = httpx.Request("POST", service.url + "/predict/batch", files=files)
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        batches = [kept.enter_context(connect(service)) for _ in range(6)]  # seconds of work in the backroom
        for each in batches:
            each.sendall(f"POST /predict/batch HTTP/1.1\r\n{head}\r\n".encode() + request.read())
        bodiless = kept.enter_context(connect(service))
        bodiless.sendall(HEAD)
        deaf = kept.enter_context(connect(service))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 60)  # more than the kernel holds
        time.sleep(0.5)
        begin = time.monotonic()
        assert service.stop(signal.SIGTERM) == 0
        assert time.monotonic() - begin < 2 + SLACK_SECONDS
        told = [
            answer for each in (*batches, bodiless) if not (answer := to_the_end(each)).startswith(b"HTTP/1.1 200 ")
        ]
        assert len(told) > 1
        for answer in told:
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert answer.endswith(b"}")
            assert STOPPING.encode() in answer
            assert answer.lower().count(b"connection: close\r\n") == 1
    log = service.log.read_text()
    assert log.count(f" WARNING {len(told)} requests could not be answered in time: who asked is told to try") == 1
    assert [each for each in log.splitlines() if not re.search(r" (INFO|WARNING) ", each)] == []


def test_what_waits_unread_in_the_kernel_is_answered(tmp_path: Path, tiny_models: Path) -> None:
    with started(tmp_path, tiny_models, *LITERT) as service, ExitStack() as kept:
        kept_open = kept.enter_context(connect(service))
        kept_open.sendall(REQUEST)
        assert ANSWER in answers(kept_open)
        service.process.send_signal(signal.SIGSTOP)
        connections = [kept_open, *(kept.enter_context(connect(service)) for _ in range(100))]
        for each in connections:
            each.sendall(REQUEST * 3)
        service.process.send_signal(signal.SIGINT)  # which doesn't wait for anybody
        service.process.send_signal(signal.SIGCONT)
        for each in connections:
            received = answers(each, 3)
            assert received.count(ANSWER) == 3
            assert received.lower().count(b"connection: close") <= 1
            assert each.recv(1) == b""
        assert service.process.wait(20) == 0


def test_a_connection_is_not_closed_over_a_request_that_nobody_has_read(tiny_models: Path) -> None:
    async def asked_while_closing() -> bytes:
        settings = Settings(model_dir=tiny_models)
        config = configure(create_service(settings), settings, log_config=None)
        state, loop = ServerState(), asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()) as client:
            client.setblocking(False)
            while not state.connections:
                await asyncio.sleep(0.01)
            (connection,) = state.connections
            client.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.shutdown()
            received = await asyncio.wait_for(loop.sock_recv(client, 65536), 20)
        server.close()
        return received

    assert b"alive" in asyncio.run(asked_while_closing())


def test_a_killed_worker_is_replaced_and_only_its_requests_fail(tmp_path: Path, tiny_models: Path) -> None:
    with started(tmp_path, tiny_models, *LITERT, "--workers", "2") as service:
        crowd = at_work(service)
        victim = workers_of(service)[0]
        os.kill(victim, signal.SIGKILL)
        for _ in waiting("the new worker"):
            if service.log.read_text().count(" ready: ") == 3:
                break
        before = crowd.answered
        for _ in waiting("the crowd to go on"):
            if crowd.answered > before + 500:
                break
        crowd.end()
        assert crowd.lost <= CONNECTIONS  # that were open at the time, half of them or so at the other
        assert (crowd.refused, crowd.wrong, set(crowd.statuses)) == (0, 0, {b"200"})
        assert service.stop(signal.SIGTERM) == 0
    assert f"worker 1 ({victim}) ended by SIGKILL; another takes its place\n" in service.log.read_text()
    assert [each.name for each in tmp_path.iterdir()] == ["service.log"]  # nothing of the metrics is left


def test_those_who_wait_at_a_worker_that_is_being_replaced_are_answered_before_the_end(
    tmp_path: Path, tiny_models: Path
) -> None:
    with started(tmp_path, tiny_models, *LITERT, "--workers", "2") as service, ExitStack() as kept:
        victim = workers_of(service)[0]
        os.kill(victim, signal.SIGKILL)
        for _ in waiting("its end to be seen"):
            if f"worker 1 ({victim}) ended" in service.log.read_text():
                break
        connections = [kept.enter_context(connect(service)) for _ in range(30)]  # some of them to the one that is away
        for each in connections:
            each.sendall(REQUEST)
        service.process.send_signal(signal.SIGTERM)
        assert [answers(each).count(ANSWER) for each in connections] == [1] * 30
        assert service.process.wait(20) == 0


def test_it_is_ready_when_every_worker_is(tmp_path: Path, tiny_models: Path) -> None:
    options = (*LITERT, "--model-dir", str(tiny_models), "--workers", "2")
    with running_service(tmp_path, *options, wait=False) as service:
        for _ in waiting("the workers"):
            if len(workers := workers_of(service)) == 2:
                break
        os.kill(workers[0], signal.SIGSTOP)
        for _ in waiting("the other one"):
            if " ready: " in service.log.read_text():
                break
        details: list[str] = []
        for _ in waiting("answers"):  # half of those who ask wait at the one that is stopped
            with suppress(httpx.TimeoutException):
                details.append(httpx.get(service.url + "/readyz", timeout=0.5).json()["detail"])
            if len(details) > 5:
                break
        assert {each.partition(";")[0] for each in details} == {
            "The model is still being loaded by another process of the service"
        }
        os.kill(workers[0], signal.SIGCONT)
        for _ in waiting("all to be ready"):
            if httpx.get(service.url + "/readyz", timeout=20).status_code == 200:
                break
        for _ in range(20):
            assert httpx.post(service.url + "/predict", content=PICTURE).json()["digit"] == 7


def test_one_that_takes_anothers_place_loads_before_it_answers(
    tmp_path: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def first_answer(lifecycle: Lifecycle, model_dir: Path = tiny_models) -> int:
        service = create_service(Settings(model_dir=model_dir), lifecycle)
        events = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))
        begun, end = asyncio.Event(), asyncio.Event()

        async def receive() -> dict[str, str]:
            event = next(events)
            if event["type"] == "lifespan.shutdown":
                await end.wait()
            return event

        async def send(_: object) -> None:
            begun.set()

        living = asyncio.ensure_future(service({"type": "lifespan"}, receive, send))
        await begun.wait()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(service), base_url="http://test") as client:
            status = (await client.post("/predict", content=PICTURE)).status_code
        end.set()
        await living
        return status

    assert asyncio.run(first_answer(Lifecycle())) == 503
    assert asyncio.run(first_answer(Lifecycle(replaces=True))) == 200
    monkeypatch.setattr("app.main.REPLACE_SECONDS", 1)
    lifecycle = Lifecycle(replaces=True)
    assert asyncio.run(first_answer(lifecycle, model_dir=tmp_path)) == 503  # it doesn't wait for ever,
    assert lifecycle.heard[0] > 0  # and gives signs of life meanwhile


def test_a_worker_that_hangs_is_replaced_and_one_that_dies_again_and_again_later_each_time(
    tmp_path: Path, tiny_models: Path
) -> None:
    with impatient(tmp_path, tiny_models) as service:
        log = service.log
        first = workers_of(service)[1]
        os.kill(first, signal.SIGSTOP)
        for count in range(1, 4):
            for _ in waiting("another in its place"):
                if log.read_text().count("ended by SIGKILL") == count and len(workers := workers_of(service)) == 2:
                    break
            os.kill(workers[-1], signal.SIGKILL)
    assert f"worker 2 ({first}) has not been heard of for {SILENCE_SECONDS} s, and is killed" in log.read_text()
    endings = re.findall(r"worker 2 .*takes its place(.*)", log.read_text())
    assert endings[:3] == ["", " in 1 s", " in 2 s"]


@contextmanager
def impatient(folder: Path, models: Path) -> Iterator[Service]:
    """The service with two workers, the first in a group of its own, who are expected to give signs of life sooner; it
    is stopped at the end.
    """
    script = (
        "import sys\nfrom app.process import workers\n"
        f"workers.SILENCE_SECONDS, workers.LOOK_SECONDS = {SILENCE_SECONDS}, 2\n"
        "from app.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    log = folder / "log"
    with log.open("w") as file:
        options = [*LITERT, "--port", "0", "--workers", "2", "--model-dir", str(models)]
        command = [sys.executable, "-c", script, *options]
        process = subprocess.Popen(command, cwd=CHECKOUT, stderr=file, text=True, start_new_session=True)
    try:
        for _ in waiting("both workers"):
            if log.read_text().count(" ready: ") == 2:
                break
        service = Service(process, re.search(r"listening on (http://[\w.:]+)", log.read_text())[1], log)  # type: ignore[index]
        yield service
        assert service.stop(signal.SIGTERM) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_who_was_stopped_with_all_others_is_not_taken_for_one_that_hangs(tmp_path: Path, tiny_models: Path) -> None:
    with impatient(tmp_path, tiny_models) as service:
        workers = workers_of(service)
        for number in (signal.SIGSTOP, signal.SIGCONT):
            os.killpg(service.process.pid, number)
            time.sleep(SILENCE_SECONDS + 1)
        assert workers_of(service) == workers
    assert "killed" not in service.log.read_text()


def test_a_worker_that_cannot_be_started_is_tried_again_and_the_others_serve_in_its_place(
    tmp_path: Path, tiny_models: Path
) -> None:
    with impatient(tmp_path, tiny_models) as service:
        supervisor = service.process.pid
        victim = workers_of(service)[0]
        limits = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (3, limits[1]))  # no further file is to be had
        os.kill(victim, signal.SIGRTMIN + 5)
        for _ in waiting("the failure"):
            if "worker 1 can't be started: [Errno 24] Too many open files" in service.log.read_text():
                break
        for _ in range(30):  # half of them connect to the worker that is away
            assert httpx.post(service.url + "/predict", content=PICTURE, timeout=30).json()["digit"] == 7
        assert service.log.read_text().count("serving those, too, who connect to worker 1, which is away") == 1
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, limits)
        for _ in waiting("the new worker"):
            if service.log.read_text().count(" ready: ") == 3:
                break
    assert f"worker 1 ({victim}) ended by signal {signal.SIGRTMIN + 5}; another" in service.log.read_text()


def test_what_a_killed_service_left_behind_is_removed_and_that_of_others_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"{PREFIX}left").mkdir()
    (tmp_path / f"{PREFIX}left" / "counter_7.db").touch()
    os.utime(tmp_path / f"{PREFIX}left", (1, 1))
    (tmp_path / f"{PREFIX}new").mkdir()  # its owner will lock it in a moment
    with metrics_folder() as first, metrics_folder() as second:
        assert {each.name for each in tmp_path.iterdir()} == {Path(first).name, Path(second).name, f"{PREFIX}new"}
    assert [each.name for each in tmp_path.iterdir()] == [f"{PREFIX}new"]
