"""The report says what the evaluation found, of any labels, and needs nothing but itself."""

import re
from base64 import b64decode
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.reports import FASHION, findings
from training.dataset import Dataset
from training.report import Findings, write_report
from training.report.card import reproducing
from training.report.page import render
from training.report.pictures import MISTAKES
from training.report.svg import counting, decades
from training.report.units import influential_units
from training.trained import Epoch

MAX_BYTES = 400_000  # it is read on telephones, too


@pytest.fixture(scope="module")
def found(mnist: Dataset) -> Findings:
    return findings(mnist)


@pytest.fixture(scope="module")
def page(found: Findings) -> str:
    return render(found)


class Outline(HTMLParser):
    """The names of all elements and attributes of a page, whose elements must all be closed in their order."""

    ALONE = ("meta", "link", "img")

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.open: list[str] = []

    @classmethod
    def of(cls, page: str) -> set[str]:
        outline = cls()
        outline.feed(page)
        assert outline.open == []
        return outline.names

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names |= {tag, *(f"{tag}@{name}" for name, _ in attrs)}
        if tag not in self.ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names |= {tag, *(f"{tag}@{name}" for name, _ in attrs)}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def words(page: str) -> str:
    """The text of the page, as people read it."""
    without_style = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", without_style)).split())


def test_it_is_written_into_the_folder_of_the_version(tmp_path: Path, found: Findings, page: str) -> None:
    for _ in range(2):
        write_report(tmp_path, found)
        content = (tmp_path / "report" / "index.html").read_bytes()
        assert content.decode("utf-8") == page  # the same findings, the same bytes
    assert 20_000 < len(content) < MAX_BYTES


def test_the_headline_is_the_evaluation(found: Findings, page: str) -> None:
    test, text = found.test, words(page)
    low, high = test.interval
    assert f"Read right {test.accuracy:.2%} 95% interval: {low:.2%} to {high:.2%}" in text
    assert f"Mistakes {len(test.worst)} of 500 pictures" in text
    assert f"Log loss {test.log_loss:.4f} ±" in text
    assert f"Calibration error {test.calibration_error:.4f}" in text


def test_the_tables_are_the_evaluation(found: Findings, page: str) -> None:
    cells = re.findall(r'<td class="(?:hit|none|miss-[1-5])">([^<]+)</td>', page)
    assert [0 if cell == "·" else int(cell) for cell in cells] == found.test.confusion.ravel().tolist()
    for label, each in zip(found.labels, found.test.per_class, strict=True):
        assert each.recall is not None
        assert re.search(rf"\b{label} {each.pictures} {each.recall:.1%} ", words(page))


def test_the_mistakes_are_shown_with_their_pictures_the_worst_first(found: Findings, page: str) -> None:
    shown = re.findall(r'alt="Test picture (\d+): a (\d)" src="data:image/png;base64,([^"]+)"', page)
    assert [int(index) for index, _, _ in shown] == found.test.worst[:MISTAKES].tolist()
    index, truth, data = shown[0]
    assert int(truth) == found.test.truth[int(index)]
    assert (np.asarray(Image.open(BytesIO(b64decode(data)))) == found.pictures[int(index)]).all()


def test_it_asks_for_nothing_and_runs_nothing(page: str) -> None:
    assert not re.search(r"https?:|<script|\son\w+=|@import|url\(|<iframe|<object|\sstyle=", page)
    for source in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert source.startswith(("data:", "#"))
    for target in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{target}"' in page


def test_names_from_outside_are_text_and_nothing_else(mnist: Dataset) -> None:
    bad = '<script>alert("&amp;")</script>'
    data = {"source": bad, "sha256": {bad: bad}}
    page = render(findings(mnist, labels=[bad + str(n) for n in range(10)], data=data, recipe={"name": bad, bad: 1}))
    assert "<script" not in page
    assert words(page).count("alert(") > 30
    assert Outline.of(page) == Outline.of(render(findings(mnist, labels=["label"] * 10, data={"source": "a"})))


def test_classes_that_are_no_digits_have_their_names(mnist: Dataset) -> None:
    text = words(render(findings(mnist, labels=FASHION, fit="never", data={"source": "fashion", "sha256": {}})))
    assert "A network that tells ten classes apart" in text
    assert "is Ankle boot read" in text
    assert "handwritten digit" not in text
    assert "CC BY-SA" not in text


@pytest.mark.parametrize(
    "metadata",
    [{"recipe": None, "data": None, "seed": None, "packages": {}}, {"metrics": {"a": {"b": [1.5, None]}}}],
    ids=["hardly anything", "more than is known"],
)
def test_whatever_is_written_down_is_shown_and_nothing_must_be(mnist: Dataset, metadata: dict[str, Any]) -> None:
    text = words(render(findings(mnist, 100, **metadata)))
    assert ("a.b 1.5, none" in text) == ("metrics" in metadata)


def test_calibration_and_threshold_are_told_when_there_are_any(mnist: Dataset, page: str) -> None:
    assert "not calibrated" in page
    assert "no notion of what belongs to no class" in page
    text = words(render(findings(mnist, 100, temperature=1.25, thresholds={"not_a_digit": -3.5})))
    assert "temperature 1.25, folded into the last layer" in text
    assert "threshold (-3.5)" in text


@pytest.mark.parametrize("pictures", [1, 7])
def test_a_few_pictures_without_a_mistake_make_a_report_too(found: Findings, pictures: int) -> None:
    right = np.flatnonzero(found.test.right)[:pictures]
    test = replace(found.test, probabilities=found.test.probabilities[right], truth=found.test.truth[right])
    none = found.examples[:0]
    text = words(render(replace(found, test=test, pictures=found.pictures[right], history=(), examples=none)))
    assert "It made no mistake on these pictures." in text
    assert "No history of this training was kept." in text
    assert "What it was trained on" not in text


@pytest.mark.parametrize(
    "history", [(Epoch(0.0, 1.0),), (Epoch(0.5, 0.9, 0.5, 0.9),), (Epoch(2.3, 0.1),) * 300], ids=["zero", "one", "many"]
)
def test_any_history_has_curves_within_their_plot(found: Findings, history: tuple[Epoch, ...]) -> None:
    page = render(replace(found, history=history))
    curves = re.findall(r'class="line (training|held-out)" d="M([^"]+)"', page)
    assert len(curves) == (4 if history[0].held_out_loss else 2)
    for _, path in curves:
        points = [tuple(map(float, point.split())) for point in path.split("L")]
        assert len(points) == len(history)
        assert all(48 <= x <= 302 and 12 <= y <= 192 for x, y in points)


def test_the_numbers_at_an_axis_are_round_and_hold_all_values() -> None:
    assert decades(0.0132, 0.3) == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
    assert decades(1, 1) == [1]
    assert counting(5) == [0, 1, 2, 3, 4, 5]
    assert counting(80) == [0, 20, 40, 60, 80]


def test_chance_makes_an_error_that_shrinks_with_the_pictures(mnist: Dataset) -> None:
    few, many = (findings(mnist, count).test.error_by_chance for count in (100, 3000))
    assert 0 < many < few / 3


def test_the_units_of_a_class_are_those_that_speak_for_it(found: Findings) -> None:
    kernel = np.zeros((784, 512), np.float32)
    kernel[:, :110] = 0.01  # these are active whatever the picture
    out = np.zeros((512, 10), np.float32)
    out[100:110] = 9  # and speak for all classes, so for none
    for digit in range(10):
        out[digit * 10 + np.arange(6), digit] = 6 - np.arange(6)
    weights = [kernel, np.zeros(512, np.float32), out, np.zeros(10, np.float32)]
    expected = [[10 * digit + place for place in range(6)] for digit in range(10)]
    assert influential_units(replace(found, weights=weights)).tolist() == expected


def test_the_commands_train_the_same_again(found: Findings, mnist: Dataset) -> None:
    assert list(reproducing(found)) == [
        "git checkout c98e91d0",
        "make .venv/.run",
        ".venv/bin/python -m training fit --recipe book --seed 7 --epochs 5 --models /tmp/models",
    ]
    fashion = findings(mnist, labels=FASHION, data={"source": "my data", "sha256": {}}, code_version="unknown")
    assert list(reproducing(fashion))[1:] == [
        f"printf '%s\\n' {' '.join(FASHION).replace('Ankle boot', repr('Ankle boot'))} > labels.txt",
        ".venv/bin/python -m training fit --recipe book --seed 7 --epochs 5 --data 'my data' --labels labels.txt "
        "--models /tmp/models",
    ]
