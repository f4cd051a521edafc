"""The benchmarks: what they read and count is right, and a very short run works."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import prepare, processes, report
from benchmarks.errors import BenchmarkError
from benchmarks.exchanges import load_images, upload
from benchmarks.load import Client, parse
from benchmarks.plot import cpu_plot
from benchmarks.servers import OWN, running
from tests.support import CHECKOUT, waiting

SAID = """Running 2s test @ http://127.0.0.1:9
RESULT {"requests":90,"seconds":2.5,"p50_ms":1.5,"p99_ms":9.0,"refused":10,"broken":1,"wrong":2}
EXAMPLE 200 {"digit": 3}
"""


def test_what_wrk_says_is_read() -> None:
    load = parse(SAID)
    assert load.rate == 80 / 2.5
    assert load.errors == 13
    assert (load.p50_ms, load.p99_ms) == (1.5, 9)
    assert load.example == '200 {"digit": 3}'


def test_wrk_without_a_result_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:9 Connection refused")


def test_the_cpu_time_of_a_whole_process_tree_is_counted() -> None:
    busy = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}]); print(flush=True); input()"
    before = processes.cpu_seconds(os.getpid())
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        parent.stdout.readline()  # the grandchild, which was busy, has ended
        used = processes.cpu_seconds(os.getpid()) - before
        assert processes.memory(os.getpid()).pss > 1
    assert 0.45 < used < 1.5


def test_a_wrong_answer_is_found() -> None:
    exchange = upload(load_images()[:2])
    expected = np.eye(10, dtype=np.float32)[[7, 2]]
    exchange.check(0, b'{"digit": 7, "probabilities": [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]}', expected)
    for wrong in (
        b'{"digit": 2, "probabilities": [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]}',
        b'{"digit": 7, "probabilities": [0, 0, 0, 0, 0, 0, 0.001, 0.999, 0, 0]}',
        b'{"digit": 7, "probabilities": [NaN, 0, 0, 0, 0, 0, 0, 1, 0, 0]}',
        b'{"digit": 7}',
    ):
        with pytest.raises(ValueError, match=r"the|not"):
            exchange.check(0, wrong, expected)


def test_a_table_says_what_was_met_and_what_was_not_measured() -> None:
    figures = {"service/64/rate": 600.0, "reference/64/rate": 100.0, "pytriton/64/rate": 300.0}
    lines = {line.split(" | ")[0]: line for line in report.ratios_table(figures).splitlines()}
    assert "| 6.00 | ≥ 6 | met |" in lines["| requests a second against the reference, 64 connections"]
    assert "| 2.00 | ≥ 3 | **missed** |" in lines["| requests a second against PyTriton, 64 connections"]
    assert "not measured" in lines["| requests a second against BentoML, 64 connections"]


def test_the_plot_is_valid_and_orders_the_servers() -> None:
    plot = cpu_plot({"service/64/cpu_us": 70, "floor-asgi/64/cpu_us": 22, "tutorial/64/cpu_us": 62_000})
    texts = [each.text for each in ElementTree.fromstring(plot).iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in ("22", "70", "62,000")] == ["22", "70", "62,000"]


def test_no_server_outlives_a_killed_benchmark(tmp_path: Path) -> None:
    script = (
        "import pathlib, time\nfrom benchmarks.processes import descendants\nfrom benchmarks.servers import running\n"
        f"with running(('sh', '-c', 'sleep 60 & sleep 60; true'), '0', pathlib.Path({str(tmp_path / 'log')!r})) as s:\n"
        "    while len(descendants(s.root)) < 3: time.sleep(0.01)\n"
        "    print(s.root, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        root = int(process.stdout.readline())
        left = [root, *processes.descendants(root)]
        process.kill()
    assert len(left) >= 4  # the keeper, the shell, and what sleeps
    for _ in waiting("all to end", seconds=20):
        if not any(Path(f"/proc/{pid}").exists() for pid in left):
            break


def test_a_second_against_the_bare_floor(tmp_path: Path) -> None:
    try:
        prepare.wrk()
        server_cpu, client_cpu = prepare.two_cpus()
    except BenchmarkError as error:
        pytest.skip(str(error))
    exchange = upload(load_images()[:4])
    folder = exchange.write(tmp_path / "upload")
    with running(OWN["floor-asgi"].command, server_cpu, tmp_path / "log") as server:
        server.wait(lambda connection: exchange.ask(connection, 0))
        load = Client(server, folder, client_cpu).run(16, 1)
        (folder / "expected.txt").write_text("7 0 0 0 0 0 0 0 1 0 0\n" * len(exchange.bodies))
        checked = Client(server, folder, client_cpu, {100: lambda: None}).run(16, 5)
    assert load.errors == 0
    assert load.rate > 100
    assert 1 < load.cpu_us < 10_000
    assert load.p50_ms <= load.p99_ms
    assert checked.wrong == checked.requests >= 100  # the floor's constant is never what was asked for
    assert checked.seconds < 3  # the milestone ends it
