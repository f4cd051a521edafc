"""POST /read over HTTP with the shipped model: rows of MNIST's test digits, and what people would send."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.reader import NOT_DIGITS
from tests.support import encode
from training.dataset import Dataset
from training.rows import SPACINGS, any_style, compose, cropped

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]

FOUR_APART, FOUR_TOUCHING = 0.85, 0.5
DARK, LIGHT = 40, 215  # grey levels


@pytest.fixture(scope="module")
def service(shipped_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shipped_url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def known(service: httpx.Client, mnist: Dataset) -> tuple[Grey, NDArray[np.uint8]]:
    """Test pictures that the model reads right when they come alone: what it can't read is not /read's fault."""
    images = mnist.x_test[:1000]
    octets = {"Content-Type": "application/octet-stream", "Accept": "application/octet-stream"}
    answer = service.post("/predict/batch", content=images.tobytes(), headers=octets).content
    probabilities = np.frombuffer(answer, "<f4").reshape(-1, 10)
    sure = (probabilities.argmax(axis=1) == mnist.y_test[:1000]) & (probabilities.max(axis=1) > 0.99)
    return images[sure], mnist.y_test[:1000][sure]


def read(service: httpx.Client, picture: Grey | bytes) -> dict[str, Any]:
    data = picture if isinstance(picture, bytes) else encode(picture)
    response = service.post("/read", files={"file": data})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def shares_read_right(service: httpx.Client, mnist: Dataset, count: int, each: int, spacings: Any) -> dict[str, float]:
    """Of rows of `count` test digits, by spacing, how many are read without a mistake."""
    random = np.random.default_rng(100 + count)
    right: Counter[str] = Counter()
    for spacing in spacings:
        for _ in range(each):
            chosen = random.integers(0, len(mnist.x_test), count)
            row = compose(mnist.x_test[chosen], any_style(random, spacing), random)
            right[spacing] += read(service, row.picture)["text"] == "".join(map(str, mnist.y_test[chosen]))
    return {spacing: right[spacing] / each for spacing in spacings}


def test_rows_of_four(service: httpx.Client, mnist: Dataset) -> None:
    shares = shares_read_right(service, mnist, 4, 40, SPACINGS)
    print("four digits:", shares)  # 0.92 is what 97.9% of single digits allow
    apart = [shares[spacing] for spacing in SPACINGS if spacing != "touching"]
    assert np.mean(apart) >= FOUR_APART
    assert shares["touching"] >= FOUR_TOUCHING


@pytest.mark.parametrize(("count", "least"), [(1, 0.9), (2, 0.8), (6, 0.7), (8, 0.65), (10, 0.6), (12, 0.55)])
def test_rows_of_any_length(service: httpx.Client, mnist: Dataset, count: int, least: float) -> None:
    shares = shares_read_right(service, mnist, count, 12, ("glued", "near", "middling", "wide"))
    print(count, "digits:", shares)
    assert np.mean(list(shares.values())) >= least


class Sheet:
    """Something to write digits on: ink, float32 (height, width) in 0..1."""

    def __init__(self, width: int, height: int, known: tuple[Grey, NDArray[np.uint8]], seed: int = 1) -> None:
        self.ink: Floats = np.zeros((height, width), np.float32)
        self.random = np.random.default_rng(seed)
        self._images, self._labels = known

    def write(self, text: str, left: int, top: int, tall: int, gap: int) -> list[tuple[int, int, int, int]]:
        """Writes `text`, digits and "-", "." or " ", and says where each digit is."""
        boxes = []
        for sign in text:
            if sign == "-":
                middle = top + tall // 2
                cv2.line(self.ink, (left + 2, middle), (left + 2 + tall // 3, middle - 1), 1, max(2, tall // 10))
                left += tall // 2 + gap
            elif sign == ".":
                cv2.circle(self.ink, (left + tall // 10, top + tall - tall // 10), max(2, tall // 12), 1, -1)
                left += tall // 4 + gap
            elif sign == " ":
                left += tall
            else:
                boxes.append(self._write_digit(int(sign), left, top, tall))
                left = boxes[-1][2] + gap
        return boxes

    def _write_digit(self, digit: int, left: int, top: int, tall: int) -> tuple[int, int, int, int]:
        tile = cropped(self._images[self.random.choice(np.flatnonzero(self._labels == digit))])
        width = max(2, round(tile.shape[1] * tall / tile.shape[0]))
        tile = cv2.resize(tile, (width, tall), interpolation=cv2.INTER_CUBIC)
        place = slice(top, top + tall), slice(left, left + width)
        self.ink[place] = np.maximum(self.ink[place], tile / np.float32(255))
        return left, top, left + width, top + tall

    def seen(self, noise: float = 4) -> Grey:
        """A scan of it: uneven light, and noise."""
        down, across = np.mgrid[-1 : 1 : self.ink.shape[0] * 1j, -1 : 1 : self.ink.shape[1] * 1j]
        grey = (LIGHT + 25 * across - 15 * down) * (1 - self.ink) + DARK * self.ink
        scan: Grey = np.clip(grey + self.random.normal(0, noise, grey.shape), 0, 255).astype(np.uint8)
        return scan


Known = tuple[Grey, NDArray[np.uint8]]


def test_the_answer_says_where_and_what(service: httpx.Client, known: Known) -> None:
    sheet = Sheet(500, 260, known)
    places = sheet.write("407", 40, 30, 60, 25) + sheet.write("83", 60, 150, 66, 25)
    answer = read(service, sheet.seen())
    assert answer["text"] == "407\n83"
    assert [each["line"] for each in answer["digits"]] == [0, 0, 0, 1, 1]
    assert np.abs(np.array([each["box"] for each in answer["digits"]]) - places).max() <= 4
    for each in answer["digits"]:
        assert each["confidence"] == each["probabilities"][each["digit"]] == max(each["probabilities"])
        assert each["label"] == str(each["digit"])
    assert answer["model"]["name"] == "mnist_mlp"
    assert answer["picture"] == {"width": 500, "height": 260, "inverted": True, "warnings": []}


def test_a_telephone_number_has_dashes_and_dots(service: httpx.Client, known: Known) -> None:
    sheet = Sheet(1100, 130, known)
    sheet.write("0171-555.20-38", 40, 40, 50, 14)
    assert read(service, sheet.seen())["text"] == "01715552038"


def test_a_meter_has_light_digits_in_dark_windows(service: httpx.Client, known: Known) -> None:
    sheet = Sheet(620, 160, known)
    for place, digit in enumerate("048213"):
        sheet.write(digit, 60 + 90 * place, 52, 56, 0)
    face = np.full(sheet.ink.shape, 200, np.float32)
    face[30:130, 30:590] = 25
    for edge in range(135, 590, 90):
        face[30:130, edge : edge + 2] = 150
    picture = face * (1 - sheet.ink) + 235 * sheet.ink + sheet.random.normal(0, 3, face.shape)
    answer = read(service, np.clip(picture, 0, 255).astype(np.uint8))
    assert answer["text"] == "048213"
    assert not answer["picture"]["inverted"]


@pytest.mark.parametrize(("window", "hand"), [(82, True), (82, False), (None, True), (None, False)])
def test_light_digits_on_a_dark_panel_in_a_light_picture(
    service: httpx.Client, known: Known, window: int | None, hand: bool
) -> None:
    sheet = Sheet(900, 420, known)
    ground = np.full(sheet.ink.shape, 195, np.float32)
    for place, digit in enumerate("46325"):
        left = 230 + 90 * place
        ground[150:250, left - 20 : left - 20 + (window or 120)] = 40
        if hand:
            sheet.write(digit, left, 170, 60, 0)
        else:
            signs = np.zeros(sheet.ink.shape, np.uint8)
            cv2.putText(signs, digit, (left, 230), cv2.FONT_HERSHEY_SIMPLEX, 2.4, 255, 5, cv2.LINE_AA)
            sheet.ink = np.maximum(sheet.ink, signs / np.float32(255))
    picture = ground * (1 - sheet.ink) + 225 * sheet.ink + sheet.random.normal(0, 3, ground.shape)
    answer = read(service, np.clip(picture, 0, 255).astype(np.uint8))
    assert answer["text"] == "46325"
    assert not answer["picture"]["inverted"]


@pytest.mark.parametrize("degrees", [0, 60, 90, 120, 210, 300])
def test_a_shadow_may_lie_across_the_lines(service: httpx.Client, known: Known, degrees: int) -> None:
    sheet = Sheet(640, 420, known)
    for top, text in ((60, "50926"), (170, "7183"), (280, "446802")):
        sheet.write(text, 90, top, 56, 24)
    down, across = np.mgrid[-210:210, -320:320]
    way = across * np.cos(np.radians(degrees)) + down * np.sin(np.radians(degrees))
    lit = 1 - 0.5 / (1 + np.exp(-way / 4))
    assert read(service, (sheet.seen() * lit).astype(np.uint8))["text"] == "50926\n7183\n446802"


@pytest.mark.parametrize(("pitch", "box"), [(80, 80), (100, 78)])
def test_a_form_has_boxes_side_by_side_or_apart(service: httpx.Client, known: Known, pitch: int, box: int) -> None:
    sheet = Sheet(60 + 8 * pitch, 150, known)
    for place, digit in enumerate("90417526"):
        left = 30 + pitch * place
        cv2.rectangle(sheet.ink, (left, 35), (left + box, 115), 0.8, 2)
        sheet.write(digit, left + 22, 50 + int(sheet.random.integers(-6, 6)), 48, 0)
    assert read(service, sheet.seen())["text"] == "90417526"


@pytest.mark.parametrize("weight", [0.6, 0.8])
def test_digits_may_touch_the_boxes_of_a_form(service: httpx.Client, known: Known, weight: float) -> None:
    sheet = Sheet(760, 150, known)
    for place, digit in enumerate("30582746"):
        left, top, right, bottom = sheet.write(digit, 45 + 88 * place, 50, 52, 0)[0]
        middle = (left + right) // 2
        box = (middle - 35, top - 15), (middle + 35, bottom - 2)  # which the digit just reaches beyond
        side = np.zeros(sheet.ink.shape, np.float32)
        cv2.rectangle(side, *box, weight, 2)
        sheet.ink = np.maximum(sheet.ink, side)
    assert read(service, sheet.seen())["text"] == "30582746"


def test_lines_may_be_ruled_and_climb(service: httpx.Client, known: Known) -> None:
    sheet = Sheet(760, 260, known)
    for base, text in ((70, "48210"), (140, "7739"), (210, "60254")):
        cv2.line(sheet.ink, (0, base), (759, base), 0.5, 2)
        sheet.write(text, 60, base - 42, 36, 16)
    assert read(service, sheet.seen())["text"] == "48210\n7739\n60254"
    turn = cv2.getRotationMatrix2D((380, 130), 5, 0.9)
    sheet.ink = cv2.warpAffine(sheet.ink, turn, (760, 260))
    assert read(service, sheet.seen())["text"] == "48210\n7739\n60254"


@pytest.mark.parametrize("degrees", [-32, -15, 12, 25])
def test_lines_of_a_turned_note_are_read_in_their_order(service: httpx.Client, known: Known, degrees: int) -> None:
    sheet = Sheet(560, 360, known)
    for top, text in ((60, "48210"), (150, "7739"), (240, "602541")):
        sheet.write(text, 60, top, 48, 16)
    turn = cv2.getRotationMatrix2D((280, 180), degrees, 1)
    turn[:, 2] += 120
    sheet.ink = cv2.warpAffine(sheet.ink, turn, (800, 600))
    answer = read(service, sheet.seen())
    assert answer["text"] == "48210\n7739\n602541"
    for each in answer["digits"]:
        left, top, right, bottom = each["box"]
        assert sheet.ink[top:bottom, left:right].max() > 0.5


def test_paper_may_lie_on_a_dark_table_and_be_turned_by_exif(service: httpx.Client, known: Known) -> None:
    sheet = Sheet(560, 300, known)
    sheet.write("27418", 60, 60, 70, 20)
    sheet.write("9035", 80, 180, 66, 20)
    table = np.clip(60 + sheet.random.normal(0, 6, (600, 900)), 0, 255)
    turn = cv2.getRotationMatrix2D((280, 150), 4, 1)
    turn[:, 2] += (170, 150)
    paper, covered = (
        cv2.warpAffine(each, turn, (900, 600)) for each in (sheet.seen(), np.ones(sheet.ink.shape, np.uint8))
    )
    picture = Image.fromarray(np.where(covered > 0, paper, table).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right
    answer = read(service, encode(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=90, exif=exif))
    assert answer["text"] == "27418\n9035"
    assert (answer["picture"]["width"], answer["picture"]["height"]) == (900, 600)


def test_a_photograph_of_12_megapixels_has_boxes_in_its_own_pixels(service: httpx.Client, known: Known) -> None:
    sheet = Sheet(1000, 750, known)
    places = sheet.write("5081 2264", 60, 300, 70, 24)
    large = cv2.resize(sheet.seen(), (4000, 3000), interpolation=cv2.INTER_LINEAR)
    answer = read(service, encode(large, "JPEG", quality=80))
    assert answer["text"] == "50812264"
    assert np.abs(np.array([each["box"] for each in answer["digits"]]) - 4 * np.array(places)).max() <= 16


def test_digits_between_half_and_the_whole_height(service: httpx.Client, known: Known) -> None:
    sheet = Sheet(700, 140, known)
    left = 30
    for digit, tall in zip("4709583", (80, 42, 60, 80, 48, 66, 44), strict=True):
        left = sheet.write(digit, left, 110 - tall, tall, 0)[0][2] + 20
    assert read(service, sheet.seen())["text"] == "4709583"


def test_letters_are_warned_of_and_digits_are_not(service: httpx.Client) -> None:
    def warnings(text: str) -> list[str]:
        picture = np.full((160, 760), LIGHT, np.uint8)
        cv2.putText(picture, text, (40, 120), cv2.FONT_HERSHEY_SIMPLEX, 3, DARK, 6, cv2.LINE_AA)
        found: list[str] = read(service, picture)["picture"]["warnings"]
        return found

    assert warnings("ABCDEF") == [NOT_DIGITS.format(3, 6)]
    assert warnings("2026 1128") == []


def test_the_picture_itself_may_be_the_body(service: httpx.Client, known: Known) -> None:
    sheet = Sheet(300, 100, known)
    sheet.write("42", 60, 20, 60, 20)
    response = service.post("/read", content=encode(sheet.seen()), headers={"Content-Type": "image/png"})
    assert response.json()["text"] == "42"


@pytest.mark.parametrize(
    ("picture", "status", "kind"),
    [
        (np.full((100, 300), 255, np.uint8), 422, "blank-picture"),
        (np.tile(np.pad(np.zeros((12, 4), np.uint8), 8, constant_values=255), (40, 50)), 413, "too-many-digits"),
    ],
)
def test_nothing_and_too_much_are_refused(service: httpx.Client, picture: Grey, status: int, kind: str) -> None:
    response = service.post("/read", files={"file": encode(picture)})
    assert response.status_code == status
    assert response.json()["type"] == f"urn:digits:{kind}"
    assert response.json()["detail"].startswith("Expected ")


def test_other_faults_are_those_of_predict(service: httpx.Client) -> None:
    assert service.post("/read", files={"file": b"hello"}).status_code == 415
    assert service.post("/read", files={"files": b"hello"}).status_code == 400
    assert service.post("/read", files={"file": encode(np.zeros((40, 40), np.uint8))[:-20]}).status_code == 422
    response = service.post("/read", json={})
    assert response.status_code == 415
    assert "/read -F file=@digit.png" in response.json()["detail"]


def test_a_model_that_is_no_reader_of_digits_says_so(client: httpx.Client) -> None:
    response = client.post("/read", files={"file": encode(np.zeros((40, 40), np.uint8))})
    assert response.status_code == 501
    assert "tiny takes pictures as they are" in response.json()["detail"]
