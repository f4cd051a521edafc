"""The benchmarks: what they read and count is right, and a very short run works."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from uvicorn.protocols.http import httptools_impl

from app.images.normalize import normalize
from app.images.prepare import prepare as prepare_picture
from app.model import saved_model
from app.model.model import Model
from benchmarks import (
    client,
    engine,
    engines,
    garbage,
    measure,
    photos,
    picture_costs,
    prepare,
    processes,
    report,
    steps,
    workers,
)
from benchmarks import training as training_speed
from benchmarks.errors import BenchmarkError
from benchmarks.exchanges import load_images, upload
from benchmarks.load import Client, parse
from benchmarks.plot import cpu_plot
from benchmarks.profile import Bench, Profile, functions_table, refusal, steps_table
from benchmarks.servers import MODEL, OWN, running
from benchmarks.steps_plot import steps_plot
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


def test_what_pictures_cost_is_timed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "WIDTH", 800)
    monkeypatch.setattr(photos, "HEIGHT", 600)
    images = load_images()[:2]
    for k, data in enumerate(photos.photographs(images)):
        (tmp_path / f"photo-{k}.jpg").write_bytes(data)
    (tmp_path / "drawing.png").write_bytes(photos.drawing(images[0]))
    (tmp_path / "noisy.png").write_bytes(photos.noisy_paper(images[0]))
    costs = picture_costs.costs(picture_costs.works(tmp_path), 0)
    kinds = {"photo-0": "pillow prepare", "photo-1": "pillow prepare", "drawing": "decode fit", "noisy": "decode fit"}
    assert set(costs) == {f"{kind}/{what}" for kind, whats in kinds.items() for what in whats.split()}
    assert all(10 < cost < 1e6 for cost in costs.values())


def test_the_benchmarks_pictures_are_read_as_their_digits(shipped: Model) -> None:
    images = load_images()[:6]
    files = [*photos.photographs(images[:1]), *map(photos.drawing, images), *map(photos.noisy_paper, images)]
    seen = np.stack([prepare_picture(data, 64_000_000, may_fit=True)[0] for data in files])
    plain = shipped(normalize(images)).argmax(axis=1).tolist()
    assert shipped(normalize(seen)).argmax(axis=1).tolist() == [plain[0], *plain, *plain]


def test_the_tables_of_pictures_show_what_was_measured() -> None:
    figures = {"pictures/drawing/fit_us": 400.4, "pictures/http/cpu_us": 22_000.0, "beside/large/p99_ms": 1234.5}
    lines = report.pictures_table(figures).splitlines()
    assert "| a drawing, PNG of 200x200 | - | 400 | - | - | - |" in lines
    assert "| a JPEG of 4000x3000, 2 to 3 MB | - | - | - | - | 22,000 |" in lines
    assert "| those photographs | - | - | 1,234.50 |" in report.beside_table(figures)


def test_the_plot_is_valid_and_orders_the_servers() -> None:
    plot = cpu_plot({"service/64/cpu_us": 70, "floor-asgi/64/cpu_us": 22, "tutorial/64/cpu_us": 62_000})
    texts = [each.text for each in ElementTree.fromstring(plot).iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in ("22", "70", "62,000")] == ["22", "70", "62,000"]


SPIED = """\
thread (7): MainThread;Runner.run (/lib/asyncio/runners.py:118) 2
thread (7): MainThread 9
thread (7): MainThread;Runner.run (/lib/asyncio/runners.py:118);HotPath.__call__ (/x/app/hot_path.py:42);\
decode_plain_png (/x/app/images/plain_png.py:60);Image.frombytes (/lib/PIL/Image.py:961) 5
thread (7): MainThread;Runner.run (/lib/asyncio/runners.py:118);Reader._run (/x/app/reader.py:127);\
Histogram.observe (/lib/prometheus_client/metrics.py:600);bisect (/lib/bisect.py:1) 1
thread (8): uvloop_0;_worker (/lib/concurrent/futures/thread.py:81) 100
"""


def test_a_sample_belongs_to_the_innermost_step_and_other_threads_to_none() -> None:
    samples = steps.read(SPIED)
    assert samples.steps == {steps.KERNEL: 2, steps.PNG: 5, steps.SEEN: 1}
    assert samples.without_waiting(1 / 8).steps == {steps.KERNEL: 1, steps.PNG: 5, steps.SEEN: 1}
    assert samples.without_waiting(1).steps == {steps.PNG: 5, steps.SEEN: 1}
    profile = Profile(80, samples)
    assert profile.costs()[steps.PNG] == 50
    assert "| PNG decode and check | 50.0 | 50.0 |" in steps_table([profile], [profile])
    assert "| `Image.frombytes` PIL/Image.py | 50.0 |" in functions_table(profile)
    plot = ElementTree.fromstring(steps_plot(profile.costs(), {steps.PNG: 90.0}))
    bars = [bar for bar in plot.iter("{http://www.w3.org/2000/svg}rect") if bar.get("x")]
    assert max(float(bar.get("x", "")) + float(bar.get("width", "")) for bar in bars) < float(plot.get("width", ""))
    assert "PNG decode and check" in [each.text for each in plot.iter("{http://www.w3.org/2000/svg}text")]


def test_the_write_of_an_answer_is_the_event_loops() -> None:
    file = Path(httptools_impl.__file__)
    lines = file.read_text().splitlines()
    written = next(k for k, line in enumerate(lines, 1) if "self.transport.write(body)" in line)
    assert steps.step_of([f"RequestResponseCycle.send ({file}:{written})"]) == steps.KERNEL
    assert steps.step_of([f"RequestResponseCycle.send ({file}:{written - 1})"]) == steps.HTTP


def test_all_ways_to_call_the_model_are_compared_and_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SLICE_SECONDS", 0.0)
    model = saved_model.load(MODEL)
    pixels = load_images()[:2].reshape(2, 784).astype(np.float32) / np.float32(255)
    best, first = engine.compare(model._loaded.signatures["serving_default"], pixels)
    assert set(best) == set(first) == set(engine.TITLES) - {"predict"}


def test_training_is_compared_by_medians_of_fresh_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    Run = training_speed.Run  # noqa: N806 - a class
    runs = {"notebook": [Run(6, 8, 0.98), Run(90, 8.4, 0.97), Run(7, 8.2, 0.98)], "book": [Run(3.5, 4.1, 0.98)]}
    assert "| book | 3.50 | 2.00 | 4.10 | 2.00 | 98.00% |" in training_speed.report(runs)
    monkeypatch.setitem(training_speed.WAYS, "notebook", ["benchmarks.nowhere"])
    with pytest.raises(BenchmarkError, match=r"notebook ended with status 1: .*No module named benchmarks\.nowhere"):
        training_speed.measure("notebook")


def test_the_recipes_training_is_timed() -> None:
    run = training_speed.measure("book")
    assert run.accuracy > 0.97
    assert 0 < run.seconds < 300


def test_the_command_is_measured_beside_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        prepare.two_cpus()
    except BenchmarkError as error:
        pytest.skip(str(error))
    client.main(files=20, photos=2)
    small, photos = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"20 PNGs of 28x28: \d+ files/s; CPU of the command .* of the service .*: [\d,]+%", small)
    assert photos.startswith("2 photographs of 12 megapixels: ")


def test_what_two_cpus_add_is_measured_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        cpus = prepare.two_cpus()
    except BenchmarkError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(workers, "ROUNDS", 1)
    monkeypatch.setattr(workers, "TURN_SECONDS", 0.2)
    run = measure.Run(tmp_path, 0.1, *cpus, soak_requests=0)
    assert 0.2 < workers.two_cpus(run) < 5  # other programs run meanwhile
    (tmp_path / "images.npy").unlink()
    with pytest.raises(BenchmarkError, match=r"benchmarks\.no_server ended with status 1\."):
        workers.two_cpus(run)


def test_a_profiler_without_rights_is_a_sentence() -> None:
    assert "needs root" in refusal("Error: Permission Denied: Try running again with elevated permissions")
    assert "needs root" in refusal("chrt: failed to set pid 0's policy: Operation not permitted")


@pytest.mark.alone
def test_garbage_is_counted_until_the_service_is_told_to_stop(tmp_path: Path) -> None:
    assert garbage.collected("GARBAGE 0 0.000000\nGARBAGE 2 0.500000\n2026-11-28 INFO SIGTERM: stopping\n") == (2, 0.5)
    try:
        prepare.wrk()
        cpus = prepare.two_cpus()
    except BenchmarkError as error:
        pytest.skip(str(error))
    requests, collections, cpu_us = Bench(tmp_path, *cpus).garbage()
    assert requests > 100
    assert (collections > 0) == (cpu_us > 0)


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


@pytest.mark.alone
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


def test_workers_that_fit_a_machine_are_counted_by_what_each_takes() -> None:
    taken = (100.0, 250.0, 410.0, 730.0)  # 80 MB for each beyond two
    assert [engines.fitting(room, *taken) for room in (99, 100, 249, 250, 329, 330, 730)] == [0, 1, 1, 2, 2, 3, 8]


FORKS = """
import os, time
block = bytearray(50_000_000)
block[::4096] = bytes(len(block[::4096]))  # each page is there
if os.fork() and os.fork():
    print(flush=True)
time.sleep(60)
"""


def test_memory_that_processes_share_counts_once() -> None:
    with subprocess.Popen([sys.executable, "-c", FORKS], stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout
        parent.stdout.readline()
        of_two = processes.memory_alone(parent.pid)
        os.killpg(parent.pid, signal.SIGKILL)
    assert 47 < of_two < 75
