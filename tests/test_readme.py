"""README and docs/ are run: each command in them, each answer, each table and each figure."""

import csv
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.access.keys import Keys
from app.main import create_app
from app.settings import Settings, default_of, variable
from tests.support import (
    CHECKOUT,
    DOCUMENTS,
    MANUAL,
    SHIPPED,
    SHIPPED_VERSION,
    SHIPPED_VERSIONS,
    assert_same,
    free_port,
    waiting,
)

BLOCKS = {path: re.findall(r"```(\w*)\n(.*?)```", text, re.S) for path, text in DOCUMENTS.items()}
PAIRS = [pair for blocks in BLOCKS.values() for pair in itertools.pairwise(blocks)]
COMMANDS = list(
    dict.fromkeys(
        line
        for blocks in BLOCKS.values()
        for language, text in blocks
        if language == "sh"
        for line in text.splitlines()
    )
)
# an answer stands right after its request
ANSWERS = {
    text.strip(): json.loads(following)
    for (language, text), (kind, following) in PAIRS
    if (language, kind) == ("sh", "json")
}
ROWS = {text.strip(): following for (_, text), (kind, following) in PAIRS if kind == "csv"}
OTHERS = ("SECURITY.md", "CHANGELOG.md", "training/data/README.md")  # their links are looked at, too
ELSEWHERE = {
    "make test": "is what runs this",
    "make bench": "takes minutes; tests/test_benchmarks.py runs a short one",
    'make bench PEERS="litserve bentoml pytriton"': "takes minutes, and gigabytes",
    ".venv/bin/python -m benchmarks.profile": "takes minutes; tests/test_benchmarks.py tests its parts",
    ".venv/bin/python -m benchmarks.training": "takes a minute; tests/test_benchmarks.py tests its parts",
    "make train": "takes minutes; the same with RECIPE=book is run here",
    "make check": "is run by .ci/run",
    "make fuzz": "takes half an hour; tests/test_fuzz.py runs a short one",
    "make soak": "takes ten minutes; tests/test_soak.py runs a short one",
    "make image": "is built and run by tests/container",
    "docker build --target small -t digits:small .": "is built and run by tests/container",
    "make serve ENGINE=litert": "is make serve with an option; tests/test_litert.py serves with it",
    "docker run --rm -p 8000:8000 digits": "is built and run by tests/container",
    "for port in 8001 8002 8003; do docker run -d --rm --name digits-$port -p 127.0.0.1:$port:8000 digits; done": (
        "tests/test_load_balancer.py starts three processes"
    ),
    "haproxy -f deploy/haproxy/haproxy.cfg": "is run by tests/test_load_balancer.py, with ports of its own",
    "curl -F file=@tests/pictures/card.jpg http://127.0.0.1:8080/predict": "goes through what those two have started",
    "kubectl apply -k deploy/kubernetes": "needs a cluster; tests/test_kubernetes.py holds it against the schemas",
    "requirements/install.sh requirements/cluster.txt": "tests/test_setup.py finds all of it among the tests' own",
    ".venv/bin/python -m app.cluster --max-replicas 4": "is run by tests/test_cluster_alone.py, on a port of its own",
    "./digits read tests/pictures --cluster": "tests/test_cluster_bulk.py reads these on a cluster",
    **{
        command: "is run on the cluster of tests/test_cluster_serving.py and tests/test_cluster_bulk.py"
        for command in COMMANDS
        if "10.0.0.1" in command
    },
}
WITH_KEYS = [command for command in COMMANDS if "/tmp/digits-keys" in command]  # the first two make them and serve
SMALL = [
    command for command in COMMANDS if ".venv-small/bin/python" in command
]  # the first sets it up, the second serves
RUN_HERE = [each for each in COMMANDS if each not in {*ELSEWHERE, *WITH_KEYS, *SMALL, "make serve"}]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout, so that what README's commands write harms nothing; the packages are shared."""
    copy = tmp_path_factory.mktemp("copy") / "checkout"
    shutil.copytree(
        CHECKOUT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "mnist_mlp", "__pycache__", ".*_cache")
    )
    for version in SHIPPED_VERSIONS:
        shutil.copytree(SHIPPED / version, copy / "models" / "mnist_mlp" / version)
    (copy / ".venv").symlink_to(CHECKOUT / ".venv")
    return copy


@pytest.fixture(scope="module")
def port(checkout: Path) -> Iterator[int]:
    """`make serve` as README says it, but for the port."""
    port = free_port()
    log = checkout.parent / "serve.log"
    with log.open("w") as file:
        command = ["make", "serve", f"PORT={port}"]
        process = subprocess.Popen(command, cwd=checkout, stdout=file, stderr=file, start_new_session=True)
    for _ in waiting("make serve"):
        assert process.poll() is None, log.read_text()
        if is_ready(port):
            break
    yield port
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
    process.wait(20)  # make itself ends by the signal
    assert "stopped" in log.read_text()
    assert "Traceback" not in log.read_text()


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("command", RUN_HERE)
def test_a_command_works_and_answers_as_written(command: str, checkout: Path, port: int, tmp_path: Path) -> None:
    here = command.replace(":8000", f":{port}").replace("/tmp/digits-models", str(tmp_path / "models"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    result = subprocess.run(
        here, shell=True, cwd=checkout, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert result.returncode == (1 if "digits read" in command and "LICENSE" in command else 0), result.stderr
    if command in ANSWERS:
        assert_same(json.loads(result.stdout), ANSWERS[command])
    elif command in ROWS:
        assert_same(rows_of(result.stdout), rows_of(ROWS[command]))
    elif "--out answers" in command:
        assert re.fullmatch(r"digits read: \d read(; 3 had a row already)?\.\n", result.stderr)
    elif command.startswith("head"):
        assert len(json.loads(result.stdout)["results"]) == 10
    elif command.endswith("/read"):
        assert json.loads(result.stdout)["text"] == "30174\n62895"
    elif command.startswith("curl"):
        assert json.loads(result.stdout)["digit"] == 7
    elif command.startswith("make train"):
        assert float(re.findall(r"test accuracy (0\.\d+)", result.stdout)[0]) >= 0.975
    else:
        assert result.stdout


def rows_of(text: str) -> list[list[str | float]]:
    """CSV, its fractions as numbers."""
    rows = csv.reader(text.splitlines())
    return [[float(each) if re.fullmatch(r"0\.\d+", each) else each for each in row] for row in rows]


def test_the_script_prints_what_is_written(checkout: Path, port: int) -> None:
    ((_, script), (_, printed)) = next(pair for pair in PAIRS if pair[0][0] == "python")
    here = script.replace(":8000", f":{port}")
    result = subprocess.run([sys.executable, "-c", here], cwd=checkout, capture_output=True, text=True, check=True)
    assert result.stdout == printed


def test_every_command_is_run_somewhere() -> None:
    assert "make serve" in COMMANDS
    assert len(RUN_HERE) >= 7
    assert len(ANSWERS) == 6
    assert len(ROWS) == 1
    assert set(ELSEWHERE) < set(COMMANDS)
    assert "make check" in (CHECKOUT / ".ci" / "run").read_text()


def test_whoever_has_a_key_may_ask(checkout: Path, tmp_path: Path) -> None:
    port, environment = free_port(), os.environ | {"DIGITS_MODEL_VERSION": f"{SHIPPED_VERSION}"}
    make, serve, *asks = [
        each.replace("8001", f"{port}").replace("/tmp/digits-keys", f"{tmp_path}/keys") for each in WITH_KEYS
    ]
    subprocess.run(make, shell=True, check=True)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600
    service = subprocess.Popen(f"exec env {serve}", shell=True, cwd=checkout, env=environment)
    for _ in waiting("the service with keys"):
        assert service.poll() is None
        if is_ready(port):
            break
    assert httpx.get(f"http://127.0.0.1:{port}/model").status_code == 401
    for ask, expected in zip(asks, ['"digit":5', "seven.png,7,"], strict=True):
        done = subprocess.run(ask, shell=True, cwd=checkout, capture_output=True, text=True, timeout=60, check=True)
        assert expected in done.stdout
    service.terminate()
    assert service.wait(20) == 0


def test_the_small_one_needs_no_tensorflow(checkout: Path) -> None:
    port = free_port()
    install, serve = SMALL
    subprocess.run(install, shell=True, cwd=checkout, check=True)
    assert not list(checkout.glob(".venv-small/lib/*/site-packages/tensorflow*"))
    service = subprocess.Popen(f"exec {serve.replace('8002', f'{port}')}", shell=True, cwd=checkout)
    for _ in waiting("the service without TensorFlow"):
        assert service.poll() is None
        if is_ready(port):
            break
    picture = (checkout / "tests" / "pictures" / "card.jpg").read_bytes()
    assert httpx.post(f"http://127.0.0.1:{port}/predict", content=picture).json()["digit"] == 5
    read = [".venv-small/bin/python", "-m", "app.cli", "read", "tests/pictures/seven.png"]
    environment = os.environ | {"DIGITS_ENGINE": "litert"}
    done = subprocess.run(read, cwd=checkout, env=environment, capture_output=True, text=True, check=True)
    assert "seven.png,7,7,0.99956" in done.stdout
    service.terminate()
    assert service.wait(20) == 0
    without = subprocess.run(
        [".venv-small/bin/python", "-m", "app"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert (without.returncode, without.stderr.count("\n")) == (2, 1)
    assert "DIGITS_ENGINE=litert can be had here" in without.stderr


def test_the_table_of_settings_is_the_class() -> None:
    rows = ["| setting | default | what |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = default_of(name).replace(str(CHECKOUT), "(checkout)")
        rows.append(f"| `{variable(name)}` | {default} | {field.description} |")
    assert "\n".join(rows) in MANUAL


def test_the_table_of_endpoints_is_the_applications() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert set(re.findall(r"^\| `([A-Z]+ /[^`]*)`", MANUAL, re.M)) == served


def test_the_table_of_statuses_names_those_that_are_documented() -> None:
    paths = create_app(Settings(api_keys=Keys(["a-key"]))).openapi()["paths"]
    documented = {s for methods in paths.values() for route in methods.values() for s in route["responses"]}
    written = set(re.findall(r"\b([45]\d\d)\b", " ".join(re.findall(r"^\| ([45]\d\d[\d, ]*) \|", MANUAL, re.M))))
    assert written - {"405"} == documented - {"200", "500"}


def prose() -> str:
    return " ".join(MANUAL.split())


def test_the_table_of_metrics_is_what_is_counted(tiny_url: str) -> None:
    families = text_string_to_metric_families(httpx.get(tiny_url + "/metrics").text)
    counted = {}
    for each in families:
        labels = {label for sample in each.samples for label in sample.labels} - {"le"}
        counted[each.name + "_total" * (each.type == "counter")] = (each.type, labels)
    written = re.findall(r"^\| `((?:digits|process)_\w+)` \| (\w+) \| ([^|]*)\|", MANUAL, re.M)
    assert {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in written} == counted


def test_the_table_of_speeds_is_from_the_results() -> None:
    # as they were committed with it: whoever runs the benchmarks has other ones since
    show = subprocess.run(
        ["git", "show", "HEAD:benchmarks/RESULTS.md"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    results = show.stdout or (CHECKOUT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:this service|reference|floor|tutorial|LitServe|BentoML|PyTriton).*$", MANUAL, re.M)
    assert len(rows) == 9
    for row in rows:
        assert row in results
    floor, reads, raw = re.findall(r"that is ([\d.]+) times .* reads ([\d,]+) PNGs .* ([\d,]+) raw images", prose())[0]
    for title, figure in [
        ("CPU a request against the bare ASGI floor, 64 connections", floor),
        ("256 PNGs a request, JSON out", reads),
        ("1024 raw images a request, float32 out", raw),
    ]:
        assert f"| {title} | {figure} |" in results


def test_the_accuracies_are_those_of_the_shipped_versions() -> None:
    for version, written in SHIPPED_VERSIONS.items():
        accuracy = json.loads((SHIPPED / version / "metadata.json").read_text())["metrics"]["test_accuracy"]
        assert f"{accuracy * 100:.2f}" == written


def test_nothing_waits_to_be_filled_in() -> None:
    assert not re.findall(r"\b[A-Z]+_TABLE\b|@[A-Z]+@", MANUAL)


def test_links_lead_somewhere() -> None:
    for document, text in (DOCUMENTS | {CHECKOUT / each: (CHECKOUT / each).read_text() for each in OTHERS}).items():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            name, _, heading = target.partition("#")
            path = (document.parent / name).resolve() if name else document
            assert path.exists(), (document.name, target)
            assert not heading or heading in headings(path.read_text(encoding="utf-8")), (document.name, target)


def headings(text: str) -> set[str]:
    """As links name them: in small letters, spaces as dashes, without what is neither."""
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^#+ (.+)$", text, re.M)}


def test_readme_leads_to_every_document() -> None:
    first, *others = DOCUMENTS
    assert others
    assert all(f"](docs/{each.name})" in DOCUMENTS[first] for each in others)


def test_readme_is_short() -> None:
    assert next(iter(DOCUMENTS.values())).count("\n") < 400
