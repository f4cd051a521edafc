"""Which ink is taken for the digit: the one in the middle of a page with other things on it."""

import time
from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.fit import fit
from app.images.ink import Ink
from app.images.parts import Digit, find_digit, without_lines

Mask = NDArray[np.uint8]
BOX = (40, 30, 72, 92)  # of the digit drawn by `five`


def five(page: Mask) -> Mask:
    """A 5 whose bar doesn't touch the rest."""
    cv2.line(page, (52, 32), (69, 32), 255, 5)
    cv2.polylines(page, [np.array([[45, 40], [44, 58], [62, 60], [69, 74], [58, 89], [43, 86]])], False, 255, 5)
    return page


def digit_on(page: Mask) -> Digit:
    digit = find_digit(Ink(page, 255.0, True))
    assert digit is not None
    return digit


def alone() -> Digit:
    return digit_on(five(np.zeros((120, 110), np.uint8)))


def test_the_parts_of_a_digit_stay_together() -> None:
    digit = alone()
    assert np.abs(np.array(digit.box) - BOX).max() <= 3
    assert (digit.mask == five(np.zeros((120, 110), np.uint8))).all()
    assert not digit.several
    assert not digit.cut


def frame(page: Mask) -> None:
    cv2.rectangle(page, (0, 0), (109, 119), 255, 2)


def specks(page: Mask) -> None:
    for x, y in ((5, 5), (100, 20), (90, 110), (20, 60)):
        cv2.circle(page, (x, y), 1, 255, -1)


def ruled(page: Mask) -> None:
    for y in (15, 50, 105):
        cv2.line(page, (0, y), (109, y + 2), 255, 1)


def squared(page: Mask) -> None:
    ruled(page)
    for x in (20, 56, 95):
        cv2.line(page, (x, 0), (x, 119), 255, 1)


def dotted_paper(page: Mask) -> None:
    for shift in range(3):
        page[shift::6, :] |= np.where(np.arange(110) % 6 < 3, 255, 0).astype(np.uint8)


def neighbour_cut_off(page: Mask) -> None:
    cv2.ellipse(page, (109, 60), (12, 30), 0, 0, 360, 255, 5)


@pytest.mark.parametrize("add", [frame, specks, ruled, squared, dotted_paper, neighbour_cut_off])
def test_what_else_is_on_the_page_is_left_out(add: Callable[[Mask], None]) -> None:
    page = np.zeros((120, 110), np.uint8)
    add(page)
    digit = digit_on(five(page))
    assert np.abs(np.array(digit.box) - alone().box).max() <= 2
    assert not digit.cut


@pytest.mark.parametrize("thickness", [4, 10])
def test_an_underline_is_left_out(thickness: int) -> None:
    page = five(np.zeros((120, 110), np.uint8))
    cv2.line(page, (10, 93 + thickness), (100, 94 + thickness), 255, thickness)
    assert digit_on(page).box == alone().box


@pytest.mark.parametrize("radius", [34, 40, 48])
def test_of_a_circle_around_a_small_digit_no_arc_is_left(radius: int) -> None:
    # so small that it is looked at again from near, where the circle isn't seen whole
    page = np.full((400, 400), 240, np.uint8)
    cv2.polylines(page, [np.array([[190, 180], [205, 175], [198, 215]])], False, 40, 5)
    plain = fit(page)
    cv2.circle(page, (198, 195), radius, 40, 3)
    assert (fit(page).image == plain.image).mean() > 0.9
    assert np.abs(np.array(fit(page).box) - plain.box).max() <= 3


def boxed(page: Mask) -> None:
    cv2.rectangle(page, (18, 10), (95, 112), 255, 2)


def circled(page: Mask) -> None:
    cv2.ellipse(page, (56, 61), (53, 55), 3, 0, 360, 255, 2)


def rim_in_pieces(page: Mask) -> None:
    """Of a plate whose screws and edges cover some of it."""
    for start in (10, 100, 190, 280):
        cv2.ellipse(page, (56, 61), (48, 50), 0, start, start + 70, 255, 2)
    for x, y in ((18, 61), (94, 61)):
        cv2.circle(page, (x, y), 2, 255, -1)


def plate_with_a_shadow(page: Mask) -> None:
    cv2.circle(page, (56, 61), 45, 255, 2)
    cv2.polylines(page, [np.array([[106, 6], [107, 115], [4, 116]])], False, 255, 3)


@pytest.mark.parametrize("frame_it", [boxed, circled, rim_in_pieces, plate_with_a_shadow])
def test_a_digit_in_a_drawn_frame_is_taken_without_it(frame_it: Callable[[Mask], None]) -> None:
    page = np.zeros((120, 110), np.uint8)
    frame_it(page)
    digit = digit_on(five(page))
    assert np.abs(np.array(digit.box) - alone().box).max() <= 1
    assert not digit.several


def test_what_a_digit_has_within_it_is_no_digit_in_a_frame() -> None:
    outlined = np.zeros((120, 110), np.uint8)
    cv2.ellipse(outlined, (55, 60), (28, 44), 0, 0, 360, 255, 2)
    cv2.ellipse(outlined, (55, 60), (18, 34), 0, 0, 360, 255, 2)
    dotted = np.zeros((120, 110), np.uint8)
    cv2.ellipse(dotted, (55, 60), (28, 44), 0, 0, 360, 255, 5)
    cv2.circle(dotted, (55, 60), 6, 255, -1)
    broken = np.zeros((120, 110), np.uint8)
    cv2.polylines(broken, [np.array([[50, 20], [30, 70], [80, 70]])], False, 255, 5)
    cv2.line(broken, (66, 30), (60, 64), 255, 5)
    for page in (outlined, dotted, broken):
        digit = digit_on(page)
        left, top, width, height = cv2.boundingRect(page)
        assert digit.box == (left, top, left + width, top + height)


def test_a_stroke_that_crosses_a_line_stays_whole() -> None:
    page = np.zeros((120, 110), np.uint8)
    cv2.line(page, (55, 20), (55, 100), 255, 7)
    with_line = page.copy()
    cv2.line(with_line, (0, 60), (109, 60), 255, 2)
    assert (without_lines(with_line) == page).mean() > 0.999
    assert without_lines(with_line)[60, 55] == 255


def test_the_bar_of_a_digit_is_no_line() -> None:
    page = np.zeros((60, 60), np.uint8)
    cv2.line(page, (8, 10), (50, 10), 255, 4)
    cv2.line(page, (50, 10), (25, 55), 255, 4)
    assert (without_lines(page) == page).all()


def test_a_second_digit_is_several_and_one_at_the_border_is_cut() -> None:
    page = np.zeros((120, 200), np.uint8)
    cv2.ellipse(five(page), (140, 60), (20, 28), 0, 0, 360, 255, 5)
    assert digit_on(page).several
    page = np.zeros((60, 40), np.uint8)
    cv2.line(page, (20, 10), (20, 59), 255, 5)
    assert digit_on(page).cut


def test_of_two_the_one_in_the_middle_is_read() -> None:
    page = np.zeros((120, 110), np.uint8)
    cv2.line(page, (98, 85), (98, 115), 255, 12)
    cv2.line(page, (55, 40), (55, 76), 255, 9)
    assert digit_on(page).box[0] < 60


def test_a_larger_thing_that_the_border_cuts_is_not_read() -> None:
    page = np.zeros((120, 110), np.uint8)
    cv2.circle(page, (109, 50), 32, 255, 8)
    cv2.line(page, (40, 40), (40, 84), 255, 7)
    assert digit_on(page).box[2] < 60


def test_no_ink_is_no_digit() -> None:
    assert find_digit(Ink(np.zeros((20, 20), np.uint8), 255.0, True)) is None


@pytest.mark.alone
def test_a_thousand_specks_are_joined_in_little_time() -> None:
    # a fuzzer's: such pictures are read between two requests, and this one took 60 ms and more
    pattern = np.frombuffer(bytes.fromhex("b9babbbdbeade5c1c2c3c4c5c6c7c8c9cacb"), np.uint8)
    pixels = np.resize(pattern, (182, 183))
    seconds = []
    for _ in range(5):
        began = time.process_time()
        fit(pixels)
        seconds.append(time.process_time() - began)
    assert min(seconds) < 0.025


def dotted(page: Mask, apart: int = 7) -> None:
    corners = np.array([[70, 20], [40, 22], [38, 58], [62, 56], [72, 74], [58, 96], [36, 90]])
    for start, end in pairwise(corners):
        for along in np.linspace(0, 1, max(2, round(float(np.hypot(*(end - start))) / apart)), endpoint=False):
            x, y = (start + along * (end - start)).astype(int).tolist()
            cv2.circle(page, (x, y), 2, 255, -1)


def sparsely_dotted(page: Mask) -> None:
    dotted(page, apart=10)


def segments(page: Mask) -> None:
    """A 2 of a display."""
    for x, y, right, bottom in (
        (40, 20, 70, 24),
        (68, 27, 72, 53),
        (40, 56, 70, 60),
        (38, 63, 42, 93),
        (40, 96, 70, 100),
    ):
        cv2.rectangle(page, (x, y), (right, bottom), 255, -1)


def hairline(page: Mask) -> None:
    """A 3 of a fax: thin, and in five parts, some long, some far apart."""
    for points in (
        [[38, 24], [56, 20], [68, 28]],
        [[70, 38], [66, 46], [60, 50]],
        [[52, 55], [62, 58], [71, 66]],
        [[73, 76], [70, 88], [62, 95]],
        [[50, 98], [36, 93]],
    ):
        cv2.polylines(page, [np.array(points)], False, 255, 1)


@pytest.mark.parametrize("draw", [dotted, sparsely_dotted, segments, hairline])
def test_a_digit_of_broken_strokes_is_whole(draw: Callable[[Mask], None]) -> None:
    page = np.zeros((120, 110), np.uint8)
    draw(page)
    digit = digit_on(page)
    left, top, width, height = cv2.boundingRect(page)
    assert digit.box == (left, top, left + width, top + height)
    assert not digit.several


def test_two_digits_close_together_are_no_broken_one() -> None:
    page = np.zeros((120, 110), np.uint8)
    cv2.line(page, (30, 25), (30, 95), 255, 5)
    cv2.ellipse(page, (61, 60), (22, 34), 0, 0, 360, 255, 5)
    digit = digit_on(page)
    assert digit.box[0] > 32
    assert digit.several


def test_rows_of_digits_are_no_broken_one() -> None:
    page = np.zeros((120, 110), np.uint8)
    two = np.array([[0, 4], [14, 0], [19, 9], [0, 28], [20, 28]])
    for corner in ((40, 30), (70, 30), (40, 68), (70, 68)):
        cv2.polylines(page, [two + np.array(corner)], False, 255, 3)
    digit = digit_on(page)
    assert digit.box[3] - digit.box[1] < 35
    assert digit.several
