"""Pictures of rows → what may be digits in them, where."""

import time
from contextlib import suppress

import cv2
import numpy as np
import pytest

from app.errors import BlankPicture, ServiceError, TooManyDigits
from app.images import closeup
from app.images.boxed import without_boxes
from app.images.cuts import find_seams
from app.images.flat import flat_ink
from app.images.ink import Ink
from app.images.normalize import Grey
from app.images.rows import text_lines, usual_height
from app.images.ruled import without_ruling
from app.images.segment import segment
from training.dataset import Dataset
from training.rows import Style, compose


def blot(width: int, height: int, *boxes: tuple[int, int, int, int]) -> Grey:
    """A white picture with black boxes: left, top, right, bottom."""
    picture = np.full((height, width), 255, np.uint8)
    for left, top, right, bottom in boxes:
        picture[top:bottom, left:right] = 0
    return picture


def test_pieces_stand_in_lines_from_top_to_bottom_and_left_to_right() -> None:
    boxes = np.array([(100, 62, 120, 92), (50, 12, 60, 40), (10, 10, 30, 42), (10, 60, 30, 90), (70, 25, 80, 28)])
    assert text_lines(boxes.astype(np.int32), 30) == [[2, 1, 4], [3, 0]]


def test_a_line_may_climb_by_more_than_a_digits_height() -> None:
    boxes = np.array([(40 * place, 200 - 6 * place, 40 * place + 20, 230 - 6 * place) for place in range(20)])
    assert text_lines(boxes.astype(np.int32), 30) == [list(range(20))]


def test_the_usual_height_is_that_of_most_ink() -> None:
    boxes = np.array([(0, 0, 9, 30)] * 3 + [(0, 0, 2, 2)] * 50 + [(0, 0, 99, 99)])
    assert usual_height(boxes.astype(np.int32), np.array([100] * 3 + [4] * 50 + [90], np.int32)) == 30


def test_a_seam_goes_where_ink_is_thinnest() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[:, 4:24] = mask[:, 34:56] = mask[20:23, 24:34] = 255
    seams = find_seams(mask, 40)
    assert any(seam.columns.min() >= 24 and seam.columns.max() < 34 and seam.ink == 3 for seam in seams)
    assert find_seams(mask[:, :24], 80) == []  # so narrow a piece is one digit


def test_ruled_lines_and_boxes_go_and_what_crosses_them_stays() -> None:
    mask = np.zeros((120, 400), np.uint8)
    mask[30:33] = mask[90:93] = 255  # level
    mask[30:93, 100:103] = mask[30:93, 300:303] = 255  # the sides of a box
    mask[40:100, 200:206] = 255  # a stroke through the lower line
    rest = without_ruling(mask, 60)
    assert (rest[30:33] == 0).all()
    assert (rest[:, 100:103] == 0).all()
    assert (rest[40:100, 200:206] == 255).all()


def test_a_box_goes_from_around_the_digit_that_touches_it() -> None:
    mask = np.zeros((100, 90), np.uint8)
    cv2.rectangle(mask, (10, 10), (70, 80), 255, 2)
    box = mask > 0
    mask[30:36, 11:50] = mask[30:81, 44:50] = 255  # a 7 from its left to its lower side
    rest = without_boxes(mask, 50)
    assert (rest[36:80, 44:50] == 255).all()
    assert (rest[30:36, 12:50] == 255).all()
    assert np.count_nonzero(rest[box]) < 0.1 * np.count_nonzero(box)


@pytest.mark.parametrize("thick", [2, 6, 12])
def test_what_is_round_or_empty_is_no_box(thick: int) -> None:
    mask = np.zeros((100, 200), np.uint8)
    cv2.ellipse(mask, (50, 50), (24, 28), 0, 0, 360, 255, thick)
    cv2.rectangle(mask, (110, 22), (150, 78), 255, thick)
    assert (without_boxes(mask, 56) == mask).all()


def test_more_boxes_than_any_form_has_stay() -> None:
    box = np.zeros((40, 40), np.uint8)
    cv2.rectangle(box, (4, 4), (34, 34), 255, 1)
    box[12:28, 18:20] = 255
    form, wall = np.tile(box, (20, 25)), np.tile(box, (25, 25))
    assert np.count_nonzero(without_boxes(form, 26)) < 0.5 * np.count_nonzero(form)
    assert (without_boxes(wall, 26) == wall).all()


@pytest.mark.parametrize("paper", ["black", "white", "paper", "slate"])
def test_the_true_digits_are_among_the_groups(mnist: Dataset, paper: str) -> None:
    random = np.random.default_rng(7)
    row = compose(mnist.x_train[:5], Style("middling", paper, size=3), random)
    found = segment(row.picture)
    assert found.inverted == (paper in ("white", "paper"))
    assert len(found.lines) == 1
    boxes = np.array([group.box for group in found.lines[0].groups])
    for mask in row.masks:
        down, across = np.nonzero(mask)
        true = np.array([across.min(), down.min(), across.max() + 1, down.max() + 1])
        assert np.abs(boxes - true).max(axis=1).min() <= 5


def test_a_digit_of_mnist_comes_out_as_it_went_in(mnist: Dataset) -> None:
    differences = []
    for image in mnist.x_train[:50]:
        groups = segment(np.hstack([image, image, image])).lines[0].groups
        differences.append(min(np.abs(group.image.astype(int) - image).mean() for group in groups))
    assert np.median(differences) < 10  # of 255: strokes are brought to one width


@pytest.mark.parametrize("picture", [np.zeros((40, 300), np.uint8), np.full((1, 1), 7, np.uint8)])
def test_a_blank_picture_has_no_digits(picture: Grey) -> None:
    with pytest.raises(BlankPicture):
        segment(picture)


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (2, 2), (3, 5000), (40, 40), (28, 3000)])
def test_any_picture_is_segmented_or_refused(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(3)
    noise = random.integers(0, 256, shape).astype(np.uint8)
    halves = np.where(np.arange(shape[1]) < shape[1] / 2, 0, 255).astype(np.uint8) * np.ones((shape[0], 1), np.uint8)
    for picture in (noise, halves):
        with suppress(BlankPicture, TooManyDigits):
            assert segment(picture).lines


def test_a_page_of_dots_is_too_much() -> None:
    with pytest.raises(TooManyDigits, match="at most 256 digits"):
        segment(np.tile(blot(24, 24, (9, 6, 13, 18)), (40, 40)))


def hostile() -> dict[str, Grey]:
    """Pictures full of what may be ink: each took seconds, some ten, before what is looked at was bounded."""
    random = np.random.default_rng(1)
    x, y = np.meshgrid(np.arange(1600), np.arange(1200))
    smooth = cv2.GaussianBlur(random.normal(0, 1, (600, 800)), (0, 0), 3)
    letters = np.full((1200, 1600), 240, np.uint8)
    for row in range(30, 1200, 32):
        text = "".join(random.choice(list("abcdefgh ijklmnopqrst uvw, ."), 150))
        cv2.putText(letters, text, (10, row), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 20, 1, cv2.LINE_AA)
    overwritten = np.full((60, 1600), 240, np.uint8)
    for shift in range(0, 40, 5):
        cv2.putText(overwritten, "WM" * 23, (10 + shift, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 20, 2)
    return {
        "noise": random.integers(0, 256, (28, 3000), dtype=np.uint8),
        "large noise": random.integers(0, 256, (1200, 1600), dtype=np.uint8),
        "smooth noise": cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8),
        "stripes": np.where(x // 6 % 2, 0, 255).astype(np.uint8),
        "hatching": np.where(((x + y) // 12 % 3 == 0) | ((x - y) // 12 % 3 == 0), 0, 255).astype(np.uint8),
        "a code": np.kron(random.integers(0, 2, (57, 57)) * 255, np.ones((21, 21))).astype(np.uint8),
        "a page of letters": letters,
        "specks": np.where(cv2.erode(random.random((1200, 1600)), np.ones((3, 3))) < 5e-4, 20, 230).astype(np.uint8),
        "writing on writing": overwritten,
    }


@pytest.mark.alone
@pytest.mark.parametrize("name", hostile())
def test_what_is_full_of_ink_is_read_or_refused_in_bounded_time(name: str) -> None:
    begin = time.thread_time()
    with suppress(ServiceError):
        segment(hostile()[name])
    assert time.thread_time() - begin < 8  # the slowest takes 2.7


def test_a_picture_as_large_as_it_may_become_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise in a small picture: found by the fuzzer, which waited 2.2 s for four looks at six million pixels each."""
    looks: list[int] = []

    def counted(grey: Grey, dark: bool, widest: float) -> Ink:
        looks.append(grey.size)
        return flat_ink(grey, dark, widest)

    monkeypatch.setattr(closeup, "flat_ink", counted)
    with suppress(ServiceError):
        closeup.look_close(np.random.default_rng(1).integers(0, 256, (1600, 1600), np.uint8), dark=True)
    assert max(looks) > 0.9 * closeup.MOST_PIXELS
    assert sum(size > 0.9 * closeup.MOST_PIXELS for size in looks) == 1


def test_ink_of_too_many_digits_is_refused_before_any_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.images.segment.MAX_GROUPS", 5)
    monkeypatch.setattr("app.images.segment.groups_of", None)
    boxes = [(40 * place + 10, 20, 40 * place + 26, 60) for place in range(6)]
    with pytest.raises(TooManyDigits, match="ink for many more"):
        segment(blot(260, 80, *boxes))
