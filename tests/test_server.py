"""The service as a process: how it starts, what it refuses, how it ends."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from app.main import create_service
from app.process.lifecycle import Lifecycle
from app.process.server import configure
from app.process.stopping import StoppingServer
from app.settings import Settings
from benchmarks.crowd import predict
from tests.support import CHECKOUT, LITERT, SEVEN, band, encode, running_service, waiting, workers_of


def start(*options: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `python -m app` until it ends by itself."""
    command = [sys.executable, "-m", "app", *options]
    variables = os.environ | (environment or {})
    return subprocess.run(command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, timeout=60, check=False)


def check_refused(result: subprocess.CompletedProcess[str], words: str) -> None:
    assert result.returncode == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not result.stdout


def test_the_shipped_model_is_served_end_to_end(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        answer = httpx.post(service.url + "/predict", files={"file": SEVEN.read_bytes()}).json()
        assert answer["digit"] == 7
        assert answer["model"]["name"] == "mnist_mlp"
        assert service.stop(signal.SIGTERM) == 0
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_ends_it_with_status_0_and_what_is_under_way_is_answered(
    number: int, workers: str, tmp_path: Path, tiny_models: Path
) -> None:
    options = (*LITERT, "--model-dir", str(tiny_models), "--workers", workers)
    with running_service(tmp_path, *options, wait=False) as service:
        service.wait_until_ready(int(workers))
        data = encode(band(7))
        half_sent, stopping = threading.Event(), threading.Event()

        def slowly() -> object:
            half_sent.set()
            yield data[:20]
            stopping.wait(20)
            yield data[20:]

        answers: list[httpx.Response] = []
        headers = {"Content-Type": "image/png"}
        url = service.url + "/predict"
        asker = threading.Thread(target=lambda: answers.append(httpx.post(url, content=slowly(), headers=headers)))  # type: ignore[arg-type]
        asker.start()
        half_sent.wait(20)
        time.sleep(0.3)  # the request's head arrives
        service.process.send_signal(number)
        time.sleep(0.5)
        stopping.set()
        asker.join(20)
        assert answers[0].json()["digit"] == 7
        assert service.process.wait(20) == 0
    assert "Traceback" not in service.log.read_text()


def test_a_signal_while_the_model_is_loading_ends_it_with_status_0(tmp_path: Path) -> None:
    with running_service(tmp_path, wait=False) as service:
        assert service.stop(signal.SIGTERM) == 0
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("delay_s", [0.15, 0.3, 0.6])
def test_a_signal_in_the_first_moments_ends_it_with_status_0(number: int, delay_s: float, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        command = [sys.executable, "-m", "app", "--port", "0"]
        process = subprocess.Popen(command, cwd=CHECKOUT, stdout=file, stderr=file)
    time.sleep(delay_s)
    process.send_signal(number)
    assert process.wait(30) == 0, log.read_text()


def test_an_answer_leaves_in_one_piece(tiny_url: str) -> None:
    address = httpx.URL(tiny_url)
    with socket.create_connection((address.host, address.port or 0)) as raw:
        for _ in range(50):
            raw.sendall(predict(encode(band(6))))
            assert b'"digit":6' in raw.recv(65536)


def test_a_request_that_never_ends_does_not_hold_up_the_stop_and_is_told(tmp_path: Path, tiny_models: Path) -> None:
    with running_service(tmp_path, *LITERT, "--model-dir", str(tiny_models)) as service:
        address = httpx.URL(service.url)
        with socket.create_connection((address.host, address.port or 0)) as connection:
            connection.sendall(
                b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n"
            )
            time.sleep(0.3)
            assert service.stop(signal.SIGTERM) == 0
            answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"The service is stopping" in answer
    assert "Traceback" not in service.log.read_text()


def test_workers_end_when_the_process_that_started_them_is_killed(tmp_path: Path, tiny_models: Path) -> None:
    options = (*LITERT, "--model-dir", str(tiny_models), "--workers", "2")
    with running_service(tmp_path, *options, wait=False) as service:
        service.wait_until_ready(2)
        service.process.kill()
        service.process.wait()
        for _ in waiting("the workers to end", 20):
            try:
                httpx.get(service.url + "/livez")
            except httpx.TransportError:
                break


def test_a_worker_that_hangs_does_not_keep_the_rest_from_ending(tmp_path: Path, tiny_models: Path) -> None:
    options = (*LITERT, "--model-dir", str(tiny_models), "--workers", "2")
    with running_service(tmp_path, *options, wait=False) as service:
        service.wait_until_ready(2)
        os.kill(workers_of(service)[0], signal.SIGSTOP)
        time.sleep(2)
        assert service.stop(signal.SIGTERM) == 0


def test_workers_whose_supervisor_is_killed_while_they_start_end_too(tmp_path: Path, tiny_models: Path) -> None:
    with running_service(tmp_path, "--model-dir", str(tiny_models), "--workers", "2", wait=False) as service:
        time.sleep(0.3)
        workers = workers_of(service)
        service.process.kill()
        service.process.wait()
        for _ in waiting("the workers to end", 30):
            if not any(Path(f"/proc/{pid}").exists() for pid in workers):
                break


def test_several_workers_all_answer(tmp_path: Path, tiny_models: Path) -> None:
    options = (*LITERT, "--model-dir", str(tiny_models), "--workers", "2")
    with running_service(tmp_path, *options, wait=False) as service:
        service.wait_until_ready(2)
        for digit in range(10):
            assert httpx.post(service.url + "/predict", content=encode(band(digit))).json()["digit"] == digit


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_one_sentence(workers: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = start("--port", str(taken.getsockname()[1]), "--workers", workers)
        check_refused(result, "can't listen on 127.0.0.1, port")


def test_a_second_service_with_workers_does_not_get_the_port_of_the_first(tmp_path: Path, tiny_models: Path) -> None:
    options = (*LITERT, "--model-dir", str(tiny_models), "--workers", "2")
    with running_service(tmp_path, *options, wait=False) as service:
        port = str(httpx.URL(service.url).port)
        check_refused(start(*options, "--port", port), "can't listen on 127.0.0.1, port")


def test_an_address_of_nobody_is_one_sentence() -> None:
    check_refused(start("--host", "192.0.2.1", "--port", "0"), "can't listen on 192.0.2.1")


def test_a_wrong_setting_is_one_sentence() -> None:
    check_refused(start(environment={"DIGITS_PORT": "http"}), "DIGITS_PORT")


def test_a_missing_model_folder_is_one_sentence(tmp_path: Path) -> None:
    check_refused(start("--model-dir", str(tmp_path / "nowhere")), "there is none")


def test_a_missing_version_is_one_sentence(tiny_models: Path) -> None:
    check_refused(start("--model-dir", str(tiny_models), "--model-version", "9"), "there is 1, 2")


def test_an_option_that_does_not_exist_is_status_2() -> None:
    result = start("--prot", "9000")
    assert result.returncode == 2
    assert "--prot" in result.stderr


def test_help_teaches() -> None:
    result = start("--help")
    assert result.returncode == 0
    assert "DIGITS_PORT" in result.stdout
    assert "curl -F file=@" in result.stdout


def test_a_version_can_be_pinned_and_the_folder_be_relative(tmp_path: Path, tiny_models: Path) -> None:
    folder = os.path.relpath(tiny_models, CHECKOUT)
    with running_service(tmp_path, *LITERT, "--model-dir", folder, "--model-version", "1") as service:
        assert httpx.get(service.url + "/model").json()["version"] == 1


def limited(limit: str, *options: str) -> list[str]:
    """The command line of the service in a process with a limit, as ulimit takes it."""
    return ["sh", "-c", f'ulimit {limit}; exec "$@"', "sh", sys.executable, "-m", "app", "--port", "0", *options]


def start_limited(limit: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs that until it ends by itself."""
    command = limited(limit, *LITERT, *options)
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)


def test_where_no_connection_could_be_had_it_says_so_and_ends() -> None:
    check_refused(start_limited("-n 64"), "let open more than 128 files; the system allows 64 (ulimit -n).")


def test_several_workers_without_a_folder_to_write_to_are_refused() -> None:
    result = start_limited("-f 0", "--workers", "2")  # no file may have a byte
    assert result.returncode == 2
    *log, reason = result.stderr.splitlines()
    assert len(log) == 1
    assert reason.startswith("python -m app: several workers need a folder to add up their metrics in: [Errno 2]")


def test_that_fewer_connections_can_be_had_is_told(tmp_path: Path, tiny_models: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        command = limited("-n 140", *LITERT, "--model-dir", str(tiny_models))
        process = subprocess.Popen(command, cwd=CHECKOUT, stderr=file)
    try:
        for _ in waiting("the service to be ready"):
            if " ready: " in log.read_text():
                break
        assert "limit of open files leaves room for 12 connections a process (ulimit -n)" in log.read_text()
        url = log.read_text().partition("listening on ")[2].split()[0]
        assert httpx.get(url + "/livez").status_code == 200
    finally:
        process.kill()
        process.wait()


def test_signs_of_life_do_not_depend_on_the_clock(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is set back by an hour must not have the supervisor take all workers for dead."""
    settings, lifecycle = Settings(model_dir=tiny_models), Lifecycle()

    async def tick_before_and_after() -> None:
        server = StoppingServer(configure(create_service(settings), settings, log_config=None), lifecycle, [], 0)
        server._loop = asyncio.get_running_loop()
        await server.on_tick(0)
        lifecycle.heard[0] = 0.0
        now = time.time()
        monkeypatch.setattr("time.time", lambda: now - 3600)
        await server.on_tick(10)

    asyncio.run(tick_before_and_after())
    assert lifecycle.heard[0] > 0
