"""A short run of each fuzzer, by seed; that the fuzzers see what they are for; and what holds for whatever is sent."""

import asyncio
import json
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import ServiceError, TooManyParts
from app.images.decode import decode
from app.images.essentials import PNG_SIGNATURE, jpeg_essentials
from app.images.orientation import orientation_of
from app.images.plain_png import decode_plain_png
from app.routes.form import Part, parse_form
from benchmarks.fuzz import __main__ as command
from benchmarks.fuzz import attack, mutate, report, seeds
from benchmarks.fuzz.application import Running
from benchmarks.fuzz.attack import Outcome
from benchmarks.fuzz.child import Attempts
from benchmarks.fuzz.targets import TARGETS
from tests.support import CHECKOUT, chunk, encode, png

# so many that each takes a second or less
INPUTS = {"fit": 1000, "read": 60, "prepare": 1000, "form": 20_000, "text": 20_000, "application": 1500}
INPUTS_OF_OTHERS = 2000
LIMIT = 1_000_000


@pytest.fixture(scope="module")
def application() -> Iterator[Callable[[bytes], None]]:
    """The whole application in this process, on a loop of its own."""
    running = Running(asyncio.new_event_loop())
    yield running.ask
    running.stop()


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_finds_nothing(name: str, request: pytest.FixtureRequest) -> None:
    target = TARGETS[name]
    run = request.getfixturevalue("application") if name == "application" else target.prepare()
    files = list(target.seeds())
    random = Random(7)
    for data in files:
        run(data)
    for _ in range(INPUTS.get(name, INPUTS_OF_OTHERS)):
        run(target.mutator(random.choice(files), random, files))


FOUND = {
    # no server that we run lets these through; another might
    "a query that is no UTF-8": b"POST /read?\x87 HTTP/1.1\r\nContent-Type: a/b\r\n\r\n7",
    "a length of more digits than Python reads": b"POST /read HTTP/1.1\r\nContent-Length: "
    + b"9" * 5000
    + b"\r\n\r\n7",
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_in_the_application_is_answered(name: str, application: Callable[[bytes], None]) -> None:
    application(FOUND[name])


def test_every_seed_of_a_format_is_read() -> None:
    for name, files in seeds.FILES.items():
        for data in files():
            assert decode(data, LIMIT).width > 1, name


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_seed_makes_the_same_inputs_and_another_others(name: str) -> None:
    target = TARGETS[name]
    files = list(target.seeds())
    made = [
        [target.mutator(files[0], Random(seed), files) for seed in range(start, start + 20)] for start in (0, 0, 99)
    ]
    assert made[0] == made[1] != made[2]
    assert len(set(made[0])) > 15


def test_a_changed_png_keeps_its_checksums_mostly_and_so_reaches_what_is_behind_them() -> None:
    reasons = []
    files = list(seeds.png_files())
    for seed in range(300):
        random = Random(seed)
        try:
            decode(mutate.png(random.choice(files), random, files), LIMIT)
            reasons.append("read")
        except ServiceError as error:
            reasons.append(error.detail)
    assert sum("checksum" in reason for reason in reasons) < 100
    assert reasons.count("read") > 50
    assert len({reason.partition("decoded: ")[2] for reason in reasons}) >= 5


# what watches a target, before it may be believed that nothing was found


def attempts_of(
    run: Callable[[bytes], None], folder: Path, capsys: pytest.CaptureFixture[str]
) -> list[dict[str, object]]:
    attempts = Attempts(run, 1000, folder)
    for data in (b"one", b"two", b"three", b"two"):
        attempts.one(data)
    attempts._say()
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_an_exception_is_noted_once_with_its_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(data: bytes) -> None:
        if data == b"two":
            raise ZeroDivisionError

    (finding,) = [each for said in attempts_of(run, tmp_path, capsys) for each in said["findings"]]  # type: ignore[attr-defined]
    assert "ZeroDivisionError" in finding["what"]
    assert (tmp_path / finding["input"]).read_bytes() == b"two"


@pytest.mark.alone
def test_what_takes_longer_than_a_second_every_time_is_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.fuzz.child.SLOW_SECONDS", 0.05)
    calls = []

    def run(data: bytes) -> None:
        calls.append(data)
        if data == b"two" or (data == b"three" and len(calls) < 7):  # slow always, and slow at first
            time.sleep(0.06)

    findings = [each for said in attempts_of(run, tmp_path, capsys) for each in said["findings"]]  # type: ignore[attr-defined]
    assert [(tmp_path / each["input"]).read_bytes() for each in findings] == [b"two"]


CHILD = """
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[4])
(folder / "current").write_bytes((4).to_bytes(4, "little") + b"evil and what was there before")
def say(inputs, rss): print(json.dumps({"inputs": inputs, "slowest_ms": 1.0, "findings": [], "rss": rss}), flush=True)
say(0, 9.0)
"""
ENDINGS = {
    "dies with status -11": "say(3, 9.0); os.kill(os.getpid(), 11)",
    "dies with status 3": "say(3, 9.0); sys.exit(3)",
    "hangs, for more than 0.5 s": "say(3, 9.0); time.sleep(60)",
}


@pytest.mark.alone
@pytest.mark.parametrize("how", ENDINGS)
def test_a_target_that_dies_or_hangs_is_a_finding_and_the_next_process_goes_on(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = f"if not pathlib.Path(folder, 'again').exists(): pathlib.Path(folder, 'again').touch(); {ENDINGS[how]}\n"
    monkeypatch.setattr(attack, "CHILD", (sys.executable, "-c", CHILD + ending + "say(int(sys.argv[2]), 9.0)"))
    monkeypatch.setattr(attack, "HANG_SECONDS", 0.5)
    outcome = attack.attack("form", 10, 0, tmp_path, lambda _: None)
    (finding,) = outcome.findings
    assert finding.startswith(how)
    assert Path(finding.rpartition(": ")[2]).read_bytes() == b"evil"
    assert outcome.inputs == 10


@pytest.mark.parametrize(("last", "grew"), [(9.8, False), (10.0, True)])
def test_memory_that_grows_by_more_than_a_tenth_is_a_finding(
    last: float, grew: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"for each in range(1, 101): say(each, 9.0 if each <= 50 else {last})"
    monkeypatch.setattr(attack, "CHILD", (sys.executable, "-c", CHILD + said))
    outcome = attack.attack("form", 100, 0, tmp_path, lambda _: None)
    assert [each.startswith("memory grew from 9 to 10 MiB") for each in outcome.findings] == [True] * grew


def test_a_run_by_the_command_line_says_what_was_done(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.fuzz", "--only", "text", "--inputs", "500", "--findings", str(tmp_path)]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "| text | 500 |" in done.stdout
    assert (tmp_path / "text" / "slowest").exists()


def test_an_input_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "input").write_bytes(b"abc")
    monkeypatch.setattr(sys, "argv", ["fuzz", "--replay", "text", str(tmp_path / "input")])
    assert command.main() == 0


@pytest.mark.parametrize("options", [["--inputs", "0"], ["--only", "nothing"], ["--replay", "nothing", "file"]])
def test_a_wrong_option_is_status_2(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.parse(options)
    assert ended.value.code == 2
    assert "received" in capsys.readouterr().err or options == ["--only", "nothing"]


def test_all_inputs_are_shared_out() -> None:
    counts = command.shares(list(TARGETS), 1_000_000)
    assert sum(counts.values()) == 1_000_000
    assert min(counts.values()) >= 20_000


def test_the_page_has_a_line_for_each_target_and_says_what_was_found() -> None:
    outcomes = [Outcome("form", 10, 2.0, 3.25, 90, [(1, 9.0), (9, 10.0)]), Outcome("fit", 5, findings=["it dies"])]
    page = report.page(outcomes, 7)
    assert "| form | 10 | 5 | 90 | 3.2 | 9, 10 | 0 |" in page
    assert "15 inputs" in page
    assert "- fit: it dies" in page
    assert "Nothing was found." in report.page(outcomes[:1], 7)
    assert os.fspath(CHECKOUT) not in page


def test_no_finding_stands_in_the_committed_page() -> None:
    page = (CHECKOUT / "benchmarks" / "FUZZ.md").read_text(encoding="utf-8")
    rows = [
        line.split(" | ") for line in page.splitlines() if line.startswith("| ") and line[2:].split(" ")[0] in TARGETS
    ]
    assert [row[0].removeprefix("| ") for row in rows] == list(TARGETS)
    assert sum(int(row[1].replace(",", "")) for row in rows) >= command.INPUTS
    assert {row[-1] for row in rows} == {"0 |"}


# what holds for whatever is sent


@settings(max_examples=150, deadline=None)
@given(
    filters=st.lists(st.integers(0, 4), min_size=28, max_size=28),
    seed=st.integers(0, 2**32 - 1),
    level=st.integers(0, 9),
    cuts=st.lists(st.integers(0, 900), max_size=3),
)
def test_both_ways_read_the_same_pixels_from_any_28x28(
    filters: list[int], seed: int, level: int, cuts: list[int]
) -> None:
    rows = np.random.default_rng(seed).integers(0, 256, (28, 29), np.uint8)
    rows[:, 0] = filters
    packed = zlib.compress(rows.tobytes(), level)
    bounds = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    parts = [chunk(b"IDAT", packed[start:end]) for start, end in pairwise(bounds)]
    plain = decode_plain_png(png(28, 28, chunk(b"IDAT", packed)))
    assert plain is not None
    assert np.array_equal(decode(png(28, 28, *parts), LIMIT).grey, plain)
    assert np.array_equal(decode(png(28, 28, chunk(b"teXt", b"x"), *parts), LIMIT).grey, plain)


JPEG = encode(seeds.pictures()["photo"], "JPEG")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0xFE, *range(0xE1, 0xEE), 0xEF]), st.binary(max_size=300)), max_size=6))
def test_no_note_in_a_jpeg_changes_its_pixels(notes: list[tuple[int, bytes]]) -> None:
    written = b"".join(bytes([0xFF, marker]) + (2 + len(text)).to_bytes(2, "big") + text for marker, text in notes)
    noted = JPEG[:2] + written + JPEG[2:]
    assert jpeg_essentials(noted) == jpeg_essentials(JPEG)
    # but for the turn that EXIF may ask for
    assert decode(noted, LIMIT).grey.size == decode(JPEG, LIMIT).grey.size


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_any_exif_gives_one_of_eight_orientations(exif: bytes, begins_well: bool) -> None:
    content = (b"MM\0*\0\0\0\x08" if begins_well else b"") + exif
    assert 1 <= orientation_of("PNG", PNG_SIGNATURE + chunk(b"eXIf", content)) <= 8
    assert 1 <= orientation_of("TIFF", content) <= 8


NAMES = st.text(st.characters(exclude_characters='"\\\r\n\0', exclude_categories=["Cs", "Cc"]), max_size=20)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(NAMES, st.binary(max_size=60)), max_size=5))
def test_a_form_is_taken_apart_into_what_was_put_in(fields: list[tuple[str, bytes]]) -> None:
    boundary = b"a-boundary-that-nobody-writes"
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (boundary, name.encode(), content)
        for name, content in fields
    ]
    body = b"".join(parts) + b"--%b--\r\n" % boundary
    found = parse_form(f"multipart/form-data; boundary={boundary.decode()}", body, 8, TooManyParts)
    assert found == [Part(name, content) for name, content in fields]
