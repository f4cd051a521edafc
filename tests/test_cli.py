"""`digits read`, as people call it: 2,000 real files, killed, interrupted, resumed; and what else they may do to it."""

import csv
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from app.bulk.files import find, name_of
from app.client import Client, Prediction
from tests.answering import INFO, SEVEN, Asked, Reply, answering, problem
from tests.support import CHECKOUT, LITERT, SHIPPED, band, encode, free_port, running_service, waiting
from tests.support import SEVEN as SEVEN_FILE
from training.dataset import Dataset

DIGITS = [sys.executable, "-P", "-m", "app.cli"]
FILES, BROKEN = 2000, 20
KINDS = (("PNG", ".png"), ("JPEG", ".jpg"), ("BMP", ".BMP"), ("TIFF", ".tif"), ("WEBP", ".webp"), ("GIF", ".gif"))
ODD = ["a,b", 'q"uote', "new\nline", "re\rturn", "semi;colon", " blank ", "=1+1", "häß", "数字", "back\\slash", "\\xff"]
ODD_BYTES = [b"\xff", b"not \xfc\xf6 utf-8", b"\\\xff", b'a\n\xe9,"']
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("DIGITS_")} | {
    "PYTHONPATH": str(CHECKOUT)
}


def run(*options: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    settings: dict[str, Any] = {"env": ENVIRONMENT, "stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 120}
    return subprocess.run([*DIGITS, *map(str, options)], text=True, check=False, **settings | more)


@contextmanager
def started(*options: str | Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """`digits read` with a list on standard input, which ends when the test says so."""
    command = [*DIGITS, "read", *map(str, options)]
    settings: dict[str, Any] = {"env": ENVIRONMENT, "stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **settings | more) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(file: Path, enough: Callable[[bytes], bool]) -> None:
    for _ in waiting(f"rows in {file}"):
        if file.exists() and enough(file.read_bytes()):
            return


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, mnist: Dataset) -> Path:
    """2,000 files in folders, in six formats, some under odd names; 20 can't be read. The label is the last word."""
    folder = tmp_path_factory.mktemp("files")
    for number in range(FILES - BROKEN):
        kind, suffix = KINDS[number % len(KINDS)]
        parent = folder / f"{number // 500}"
        parent.mkdir(exist_ok=True)
        stem = f"{number:05}".encode()
        if number % 100 < len(ODD):
            stem += ODD[number % 100].encode()
        elif number % 100 < len(ODD) + len(ODD_BYTES):
            stem += ODD_BYTES[number % 100 - len(ODD)]
        name = stem + f" {mnist.y_test[number]}{suffix}".encode()
        more = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
        Path(os.fsdecode(os.fsencode(parent) + b"/" + name)).write_bytes(encode(mnist.x_test[number], kind, **more))
    broken = folder / "broken"
    broken.mkdir()
    whole = encode(mnist.x_test[0])
    for number in range(BROKEN - 2):
        content = (b"", b"no picture", whole[: len(whole) // 2], whole[:-20] + bytes(20))[number % 4]
        (broken / f"{number:02} x.png").write_bytes(content)
    (broken / "link x.png").symlink_to("nowhere")
    os.mkfifo(broken / "pipe x.png")
    # what isn't looked at
    (folder / ".hidden.png").write_bytes(whole)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "seven.png").write_bytes(whole)
    (folder / "notes.txt").write_text("notes")
    (folder / "loop").symlink_to(folder)
    return folder


Row = Mapping[str, Any]


def rows_in(out: Path) -> list[Row]:
    if out.suffix == ".parquet":
        return list(pyarrow.parquet.read_table(out).to_pylist())
    if out.suffix == ".jsonl":
        return [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n") if line]
    with out.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def expected(folder: Path, shipped_url: str) -> dict[str, Prediction | str]:
    """What the service answers to each file, asked one by one; or why there is no answer."""
    answers: dict[str, Prediction | str] = {}
    with Client(shipped_url) as client:
        for path in find([str(folder)]):
            if path.endswith(("link x.png", "pipe x.png")):
                answers[name_of(path)] = "No such file or directory." if "link" in path else "Expected a file;"
            else:
                (answer,) = client.predict_batch([Path(path).read_bytes()])
                answers[name_of(path)] = answer if isinstance(answer, Prediction) else answer.detail
    assert len(answers) == FILES
    return answers


def check_rows(rows: list[Row], expected: dict[str, Prediction | str]) -> None:
    """One row a file, in order, each with the service's answer, and the digits right."""
    assert [row["path"] for row in rows] == list(expected)
    right = 0
    for row, answer in zip(rows, expected.values(), strict=True):
        if isinstance(answer, str):
            assert row["error"].startswith(answer.partition("received")[0])
            assert row["digit"] in ("", None)
        else:
            assert int(row["digit"]) == answer.digit
            assert float(row["confidence"]) == pytest.approx(answer.confidence, abs=1e-5)
            assert not row["error"]
            assert (row["model"], int(row["version"])) == (answer.model.name, answer.model.version)
            if "probabilities" in row:
                assert row["probabilities"] == pytest.approx(answer.probabilities, abs=1e-5)
            right += f" {answer.digit}." in row["path"]
    assert right / (FILES - BROKEN) >= 0.97


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_2000_files_killed_in_the_middle_and_resumed(
    suffix: str, folder: Path, expected: dict[str, Prediction | str], shipped_url: str, tmp_path: Path
) -> None:
    out = tmp_path / f"answers{suffix}"
    written = tmp_path / f"answers{suffix}.part" if suffix == ".parquet" else out
    paths = [os.fsencode(path) for path in find([str(folder)])]
    with started("-0", "-", "--out", out, "--url", shipped_url) as process:
        assert process.stdin
        process.stdin.write(b"".join(path + b"\0" for path in paths[:900]))
        process.stdin.flush()
        wait_for(written, lambda content: content.count(b"\n") > 300)
        process.kill()
    before = written.read_bytes().count(b"\n")
    assert 300 < before < 1000
    with written.open("ab") as file:
        file.write(b'"/somewhere/torn, no e')  # as a write that was cut off leaves it
    result = run("read", folder, "--out", out, "--url", shipped_url, "--resume")
    assert result.returncode == 1
    assert re.search(
        r"digits read: [\d,]+ read, 20 not: see the column error; [\d,]+ had a row already\.", result.stderr
    )
    check_rows(rows_in(out), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name]
    # nothing is left to do, and nothing is done
    again = run("read", folder, "--out", out, "--url", shipped_url, "--resume")
    assert (again.returncode, again.stderr) == (0, "digits read: 0 read; 2,000 had a row already.\n")
    check_rows(rows_in(out), expected)


def test_ctrl_c_writes_what_is_under_way_and_says_how_to_go_on(
    folder: Path, expected: dict[str, Prediction | str], shipped_url: str, tmp_path: Path
) -> None:
    out = tmp_path / "answers.parquet"
    with started("-0", "-", "--out", out, "--url", shipped_url) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(b"".join(os.fsencode(path) + b"\0" for path in list(find([str(folder)]))[:600]))
        process.stdin.flush()
        wait_for(tmp_path / "answers.parquet.part", lambda content: content.count(b"\n") > 300)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
        assert process.wait(20) == 130
    assert re.fullmatch(r"digits read: interrupted: \d+ read\. The same command with --resume goes on\.\n", said)
    assert not out.exists()
    assert run("read", folder, "--out", out, "--url", shipped_url, "--resume").returncode == 1
    check_rows(rows_in(out), expected)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_waits_for_nobody(number: signal.Signals, tmp_path: Path) -> None:
    silent, asked = threading.Event(), threading.Event()

    def reply(each: Asked, _: int) -> Reply:
        if each.method == "POST":
            asked.set()
            silent.wait(30)
        return Reply(document=INFO)

    with answering(reply) as server, started(SEVEN_FILE, "--url", server.url, stdout=subprocess.DEVNULL) as process:
        assert asked.wait(30)
        process.send_signal(number)
        time.sleep(0.2)
        assert process.poll() is None  # it waits for what it has asked
        process.send_signal(number)
        assert process.wait(20) == 130
        silent.set()


def test_a_service_that_goes_away_for_a_while_is_waited_for(tiny_models: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    paths = []
    for number in range(400):
        paths.append(tmp_path / f"{number:03}.png")
        paths[-1].write_bytes(encode(band(number % 10)))
    options, said = (*LITERT, "--model-dir", str(tiny_models), "--port", str(free_port())), tmp_path / "said"
    with (
        running_service(tmp_path, *options) as service,
        said.open("wb") as file,
        started("-", "--out", out, "--url", service.url, stderr=file) as process,
    ):
        assert process.stdin
        process.stdin.write(b"".join(os.fsencode(path) + b"\n" for path in paths[:200]))
        process.stdin.flush()
        wait_for(out, lambda content: content.count(b"\n") > 100)
        service.stop(signal.SIGKILL)
        process.stdin.write(b"".join(os.fsencode(path) + b"\n" for path in paths[200:]))
        process.stdin.close()
        wait_for(said, lambda content: b"trying again" in content)
        with running_service(tmp_path, *options):
            assert process.wait(60) == 0
    assert [row["digit"] for row in rows_in(out)] == [str(number % 10) for number in range(400)]
    assert said.read_text().endswith("digits read: 400 read.\n")
    assert said.read_text().count("can't be reached") == 1


def test_without_a_service_it_reads_itself(shipped_url: str, tmp_path: Path) -> None:
    (tmp_path / "none.png").write_bytes(b"none")
    here = run("read", CHECKOUT / "tests" / "pictures", tmp_path, "--format", "jsonl", "--model-dir", SHIPPED)
    there = run("read", CHECKOUT / "tests" / "pictures", tmp_path, "--format", "jsonl", "--url", shipped_url)
    assert here.stderr == there.stderr == "digits read: 3 read, 1 not: see the column error.\n"
    assert here.returncode == there.returncode == 1
    for one, other in zip(here.stdout.splitlines(), there.stdout.splitlines(), strict=True):
        mine, its = json.loads(one), json.loads(other)
        if its["probabilities"]:
            for figures in ("probabilities", "confidence"):
                its[figures] = pytest.approx(its[figures], abs=1e-5)
        assert mine == its


def test_its_settings_are_the_services(tiny_models: Path, tmp_path: Path) -> None:
    (tmp_path / "three.png").write_bytes(encode(band(3)))
    environment = ENVIRONMENT | {"DIGITS_MODEL_DIR": str(tiny_models), "DIGITS_MODEL_VERSION": "1"}
    result = run("read", tmp_path, env=environment)
    assert result.stdout.splitlines()[1] == f"{tmp_path}/three.png,3,digit 3,{result.stdout.split(',')[-5]},tiny,1,,"
    wrong = run("read", tmp_path, env=environment | {"DIGITS_MAX_PIXELS": "many"})
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("digits read: DIGITS_MAX_PIXELS: ")


def test_a_list_may_name_folders_and_come_line_by_line(shipped_url: str) -> None:
    listing = "tests/pictures/seven.png\n\nnowhere.png\ntests/pictures"
    result = run("read", "-", "--url", shipped_url, stdin=None, input=listing, cwd=CHECKOUT)
    assert result.returncode == 1
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["path"].rpartition("/")[2] for row in rows] == [
        "seven.png",
        "nowhere.png",
        "card.jpg",
        "note.jpg",
        "seven.png",
    ]
    assert rows[1]["error"] == "No such file or directory."
    assert "several digits" in rows[3]["warnings"]


WRONG: list[tuple[list[str], str]] = [
    ([], "PATH"),
    (["nowhere.png"], "There is no nowhere.png."),
    ([".", "--out", "answers.txt"], "Expected --out to end with .csv, .jsonl, .ndjson, .parquet, or a --format"),
    ([".", "--format", "xml"], "invalid choice: 'xml'"),
    ([".", "--format", "parquet"], "A Parquet file needs a name"),
    ([".", "--resume"], "--resume goes on with a file"),
    ([".", "--out", "/nowhere/answers.csv"], "/nowhere/answers.csv can't be written: No such file or directory."),
    ([".", "--connections", "0"], "expected a whole number from 1 to 1000, got '0'"),
    ([".", "--url", "localhost:8000"], "Expected an address such as http://127.0.0.1:8000; got 'localhost:8000'."),
    ([".", "--url", "http://127.0.0.1:99999"], "Expected an address such as http://127.0.0.1:8000; got"),
    ([".", "--url", "http://127.0.0.1:8000/?x"], "Expected an address such as http://127.0.0.1:8000; got"),
    ([".", "--url", "http://127.0.0.1:9", "--patience", "1"], "http://127.0.0.1:9 can't be reached"),
    ([".", "--model-dir", "nowhere"], "Expected a model folder at nowhere, and there is none."),
    ([".", "--model-dir", "x", "--url", "http://x"], "not allowed with argument"),
    ([".", "--res"], "unrecognized arguments: --res"),
]


@pytest.mark.parametrize(("options", "words"), WRONG, ids=[" ".join(options) for options, _ in WRONG])
def test_wrong_options_are_a_sentence_and_status_2(options: list[str], words: str, tmp_path: Path) -> None:
    url = [] if {"--url", "--model-dir"} & set(options) else ["--url", "http://127.0.0.1:9"]
    with answering(lambda *_: Reply(document=INFO)) as server:
        options = [*options, *[each.replace("http://127.0.0.1:9", server.url) for each in url]]
        result = run("read", *options, cwd=tmp_path)
    assert result.returncode == 2
    assert words in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_help_teaches_at_once() -> None:
    for options, words in [
        (["--help"], "digits read photos/ --out answers.csv"),
        (["read", "--help"], "--resume           goes on with what Ctrl-C or a crash ended"),
        (["serve", "--help"], "DIGITS_MODEL_VERSION=1 python -m app"),
        (["train", "--help"], "train by a recipe"),
        (["train", "fit", "--help"], "python -m training fit --seed 7"),
    ]:
        result = run(*options)
        assert (result.returncode, result.stderr) == (0, "")
        assert words in result.stdout
    script = (
        "import sys; sys.argv = ['digits', '--help']; from app.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    )
    heavy = "{'httpx', 'numpy', 'tensorflow', 'rich', 'pydantic'} & set(sys.modules)"
    subprocess.run(
        [sys.executable, "-c", f"{script}sys.exit(str({heavy}) if {heavy} else 0)"], cwd=CHECKOUT, check=True
    )


def test_serve_and_train_are_the_same_commands(tiny_models: Path, tmp_path: Path) -> None:
    wrong = run("serve", "--port", "x")
    assert (wrong.returncode, wrong.stderr[:21]) == (2, "python -m app: --port")
    wrong = run("train", "--data", "nowhere.npz", "--models", tmp_path / "models")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("python -m training: Expected an .npz file")
    assert "Expected a model folder at nowhere" in run("train", "evaluate", "--model", "nowhere").stderr
    log = tmp_path / "log"
    command = [*DIGITS, "serve", *LITERT, "--port", "0", "--model-dir", str(tiny_models)]
    with log.open("w") as file, subprocess.Popen(command, env=ENVIRONMENT, stderr=file) as process:
        wait_for(log, lambda content: b"ready: tiny version 2" in content)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_the_key_is_from_the_environment() -> None:
    def reply(asked: Asked, _: int) -> Reply:
        if asked.headers["Authorization"] != "Bearer sesame":
            return Reply(401, problem(401, "Expected a key."))
        return Reply(document=INFO if asked.method == "GET" else SEVEN)

    with answering(reply) as server:
        shut = run("read", SEVEN_FILE, "--url", server.url)
        opened = run("read", SEVEN_FILE, "--url", server.url, env=ENVIRONMENT | {"DIGITS_API_KEY": "sesame"})
    assert (shut.returncode, shut.stderr) == (2, "digits read: No (401): Expected a key.\n")
    assert (opened.returncode, opened.stderr) == (0, "digits read: 1 read.\n")


def test_a_service_that_stays_away_ends_it_early(tmp_path: Path) -> None:
    def reply(asked: Asked, number: int) -> Reply:
        return Reply(document=INFO if asked.method == "GET" else SEVEN, hang_up=number > 1)

    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(bytes(2**20))
    options = ("read", tmp_path, "--out", tmp_path / "answers.csv", "--patience", "1", "--connections", "1")
    with answering(reply) as server:
        result = run(*options, "--url", server.url)
    assert result.returncode == 3
    assert result.stderr.splitlines()[-1].endswith(" 1 read. The same command with --resume goes on.")
    assert [row["digit"] for row in rows_in(tmp_path / "answers.csv")] == ["7"]


def test_a_full_disk_ends_it_early(shipped_url: str) -> None:
    with Path("/dev/full").open("w") as full:
        result = run(
            "read", SEVEN_FILE, "--url", shipped_url, capture_output=False, stdout=full, stderr=subprocess.PIPE
        )
    assert result.returncode == 3
    assert result.stderr == "digits read: The rows can't be written: No space left on device. 0 read.\n"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_what_is_there_already_is_not_touched(suffix: str, shipped_url: str, tmp_path: Path) -> None:
    out = tmp_path / f"answers{suffix}"
    options = ("read", SEVEN_FILE, "--url", shipped_url, "--out", out)
    assert run(*options).returncode == 0
    before = out.read_bytes()
    refused = run(*options)
    assert refused.returncode == 2
    assert refused.stderr == f"digits read: {out} is there already: --resume goes on with it; or name another.\n"
    assert out.read_bytes() == before
    foreign = {".csv": b"a,b\n1,2\n", ".jsonl": b'{"path": "x"}\n', ".parquet": b"PAR1"}[suffix]
    out.write_bytes(foreign)
    refused = run(*options, "--resume")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert out.read_bytes() == foreign


def test_new_files_are_read_when_it_is_resumed(shipped_url: str, tmp_path: Path) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "answers.parquet"
    pictures.mkdir()
    for name in ("b.png", "a.png"):
        (pictures / name).write_bytes(SEVEN_FILE.read_bytes())
        assert run("read", pictures, "--out", out, "--resume", "--url", shipped_url).returncode == 0
    assert [row["path"].rpartition("/")[2] for row in rows_in(out)] == ["b.png", "a.png"]


def test_two_commands_do_not_write_the_same_file(shipped_url: str, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    with out.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        refused = run("read", SEVEN_FILE, "--url", shipped_url, "--out", out, "--resume")
    assert (refused.returncode, out.read_bytes()) == (2, b"")
    assert "is being written by another command" in refused.stderr


def test_parquet_without_pyarrow_is_a_sentence(shipped_url: str, tmp_path: Path) -> None:
    script = "import sys; sys.modules['pyarrow'] = None\nfrom app.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", script, "read", str(SEVEN_FILE), "--url", shipped_url, "--out", "x.parquet"]
    result = subprocess.run(command, env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == "digits read: Parquet files need pyarrow: .venv/bin/python -m pip install pyarrow\n"


def on_a_terminal(command: list[str]) -> bytes:
    """What `command` shows where its standard error is a terminal. It ends with status 0."""
    terminal, side = pty.openpty()
    environment = ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(command, env=environment, stderr=side) as process:
        os.close(side)
        shown = b""
        try:
            while chunk := os.read(terminal, 4096):
                shown += chunk
        except OSError:  # so Linux says that nobody has the other side any more
            pass
        assert process.wait(20) == 0
    os.close(terminal)
    return shown


def test_a_terminal_shows_how_far_it_is(folder: Path, shipped_url: str, tmp_path: Path) -> None:
    out = str(tmp_path / "answers.csv")
    shown = on_a_terminal([*DIGITS, "read", str(folder / "0"), "--out", out, "--url", shipped_url])
    assert b"500/500" in shown
    assert b"files" in shown
    assert shown.endswith(b"digits read: 500 read.\r\n")


def test_without_rich_as_in_the_container_there_is_no_bar(shipped_url: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\nfind = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'rich' else find(name, package)\n"
        "import sys\nsys.modules['rich'] = None\n"
    )
    command = ["env", f"PYTHONPATH={tmp_path}:{CHECKOUT}", *DIGITS, "read", str(SEVEN_FILE)]
    shown = on_a_terminal([*command, "--out", str(tmp_path / "answers.csv"), "--url", shipped_url])
    assert shown == b"digits read: 1 read.\r\n"


def test_names_are_text_and_no_two_are_alike() -> None:
    raw = [
        b"a",
        b"\xff",
        b"\\xff",
        b"\\\xff",
        b"\\\\xff",
        b"\\x",
        b"\\",
        b"a\\b",
        b"\\\\",
        "ä".encode(),
        b"\xe4",
        b"\\xe4",
    ]
    names = [name_of(os.fsdecode(each)) for each in raw]
    assert len(set(names)) == len(raw)
    assert names[:2] == ["a", "\\xff"]
    assert names[6:10] == ["\\", "a\\b", "\\\\", "ä"]
    for name in names:
        name.encode()


def test_the_command_is_where_it_is_said_to_be(tmp_path: Path) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["digits"].partition(":")
    assert callable(getattr(import_module(module), function))
    assert project["optional-dependencies"]["parquet"]
    (tmp_path / "app").mkdir()  # somebody else's
    (tmp_path / "app" / "__init__.py").write_text("raise SystemExit('the wrong app')")
    link = tmp_path / "link"
    link.symlink_to(CHECKOUT / "digits")
    result = subprocess.run([link, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "digits train evaluate" in result.stdout
