"""What photographs and drawings cost, and what becomes of small requests beside them."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from statistics import mean, median

from app.settings import CHECKOUT
from benchmarks import exchanges, photos
from benchmarks.errors import BenchmarkError
from benchmarks.exchanges import FORM, Exchange, form
from benchmarks.load import Client
from benchmarks.measure import WARM_UP_SECONDS, Run, say
from benchmarks.servers import SERVICE, environment, running

PHOTOS = 4  # different ones
PHOTO_CONNECTIONS, SMALL_CONNECTIONS = 4, 16
ROUNDS = 3  # of quiet and not quiet, in turn


def pictures(run: Run) -> None:
    """CPU time of preparing photographs and drawings in the process itself, and of photographs over HTTP."""
    folder = _files(run)
    command = ["taskset", "-c", run.server_cpu, sys.executable, "-m", "benchmarks.picture_costs"]
    command += [str(folder), str(run.seconds)]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    run.figures |= {f"pictures/{name}_us": cost for name, cost in found.items()}
    for what in ("pillow", "prepare"):
        run.figures[f"pictures/photo/{what}_us"] = mean(found[f"photo-{k}/{what}"] for k in range(PHOTOS))
    with running(SERVICE.command, run.server_cpu, run.folder / "pictures.log") as server:
        server.wait_ready()
        client = Client(server, _requests(run), run.client_cpu)
        client.run(PHOTO_CONNECTIONS, WARM_UP_SECONDS)
        run.record("pictures/http", client.run(PHOTO_CONNECTIONS, run.seconds))
    for name, cost in found.items():
        say(f"  {name:<20} {cost:>9,.0f} µs CPU")


def beside(run: Run) -> None:
    """Small requests alone, and while photographs are posted without pause; in turn, and the median of the rounds."""
    exchange = exchanges.upload(run.images)
    with running(SERVICE.command, run.server_cpu, run.folder / "beside.log") as server:
        server.wait_ready()
        connection = server.connect()
        _check_photos(run, connection)
        connection.close()
        small = Client(server, run.requests("upload", exchange), run.client_cpu)
        large = Client(server, _requests(run), run.client_cpu)
        small.run(SMALL_CONNECTIONS, WARM_UP_SECONDS)
        p99_ms: dict[str, list[float]] = {"quiet": [], "photos": []}
        for _ in range(ROUNDS):
            quiet = small.run(SMALL_CONNECTIONS, run.seconds)
            with ThreadPoolExecutor(1) as pool:
                going_on = pool.submit(large.run, PHOTO_CONNECTIONS, run.seconds + 2 * WARM_UP_SECONDS)
                small.run(SMALL_CONNECTIONS, WARM_UP_SECONDS)
                among = small.run(SMALL_CONNECTIONS, run.seconds)
                photographs = going_on.result()
            run.record("beside/quiet", quiet)
            run.record("beside/photos", among)
            run.record("beside/large", photographs)
            p99_ms["quiet"].append(quiet.p99_ms)
            p99_ms["photos"].append(among.p99_ms)
            if errors := quiet.errors + among.errors + photographs.errors:
                raise BenchmarkError(f"{errors} requests were not answered with 200.")
    run.figures |= {f"beside/{name}/p99_ms": median(each) for name, each in p99_ms.items()}


def _files(run: Run) -> Path:
    """The folder with the pictures, written once."""
    folder = run.folder / "pictures"
    if not folder.exists():
        folder.mkdir()
        for k, data in enumerate(photos.photographs(run.images[:PHOTOS])):
            (folder / f"photo-{k}.jpg").write_bytes(data)
        (folder / "drawing.png").write_bytes(photos.drawing(run.images[0]))
        (folder / "noisy.png").write_bytes(photos.noisy_paper(run.images[0]))
    return folder


def _exchange(run: Run) -> Exchange:
    bodies = [form("file", [file.read_bytes()]) for file in sorted(_files(run).glob("photo-*.jpg"))]
    return Exchange("/predict", FORM, bodies, [], exchanges.read_one)


def _requests(run: Run) -> Path:
    return run.requests("photographs", _exchange(run))


def _check_photos(run: Run, connection: HTTPConnection) -> None:
    """Raises: BenchmarkError, unless each photograph is read as the digit in it."""
    exchange = _exchange(run)
    for k in range(PHOTOS):
        (digit,), _ = exchange.read(exchange.ask(connection, k))
        if digit != run.expected[k].argmax():
            raise BenchmarkError(f"photograph {k} of a {run.expected[k].argmax()} was read as {digit}.")
