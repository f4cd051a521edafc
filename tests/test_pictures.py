"""Real pictures of digits: read as the plain digits are, told of truly, and refused when there is no digit in them."""

import base64
from collections.abc import Callable
from io import BytesIO
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from app.errors import BlankPicture
from app.images.normalize import normalize
from app.images.prepare import prepare
from app.images.resemblance import look_like_mnist, looks_like_mnist
from app.model.model import Model
from app.reader import NOT_A_DIGIT
from benchmarks.copies import COPIES, lost
from tests.real_pictures import drawing, enlarged, light, photograph, turned_by_exif, with_opacity
from tests.support import band, encode
from training.dataset import Dataset

LIMIT = 64_000_000
DIGITS = 40  # of each kind of picture
# Of 40 pictures two may be read otherwise than the plain digit: the fit makes strokes as MNIST's mostly are, and moves
# the digit by fractions of a pixel, which decides where the network hardly knows. 2 points of MNIST's own test
# pictures are read wrong, and 40 are too few to tell 1 in 100 from 1 in 40.
MAY_DIFFER = 2

Grey = NDArray[np.uint8]
Make = Callable[[Grey, Generator], bytes]


def grey_png(image: Grey, random: Generator) -> bytes:
    return encode(photograph(image, random).pixels)


def sixteen_bits(image: Grey, random: Generator) -> bytes:
    samples = photograph(image, random).pixels.astype(np.uint16) * 257
    return encode(Image.fromarray(samples + random.integers(0, 200, samples.shape, dtype=np.uint16)))


def palette(image: Grey, random: Generator) -> bytes:
    picture = Image.fromarray(photograph(image, random).pixels).convert("RGB")
    return encode(picture.quantize(16))


def on_blue_paper(image: Grey, random: Generator) -> bytes:
    grey = photograph(image, random).pixels
    return encode(Image.fromarray(np.dstack([grey // 2, grey // 5 * 4, grey])))


def on_a_blackboard(image: Grey, random: Generator) -> bytes:
    return encode(255 - photograph(image, random, darkness=0.6).pixels)


def enlarged_by(factor: int, interpolation: int) -> Make:
    side = 28 * factor
    return lambda image, _: encode(cv2.resize(image, (side, side), interpolation=interpolation))


def as_jpeg(mode: str = "L", **options: Any) -> Make:
    return lambda image, random: encode(
        Image.fromarray(photograph(image, random).pixels).convert(mode), "JPEG", **options
    )


def as_file(kind: str) -> Make:
    return lambda image, random: encode(Image.fromarray(photograph(image, random).pixels).convert("RGB"), kind)


def turned(orientation: int) -> Make:
    return lambda image, random: turned_by_exif(photograph(image, random).pixels, orientation)


KINDS: dict[str, Make] = {
    **{f"enlarged x{k}": enlarged_by(k, cv2.INTER_CUBIC) for k in (3, 8, 17, 40)},
    **{f"enlarged x{k}, nearest": enlarged_by(k, cv2.INTER_NEAREST) for k in (3, 8, 17, 40)},
    **{f"enlarged x{k}, linear": enlarged_by(k, cv2.INTER_LINEAR) for k in (3, 8, 17, 40)},
    "inverted": lambda image, _: encode(255 - image),
    "inverted and enlarged": lambda image, _: encode(255 - cv2.resize(image, (280, 280))),
    "shifted": lambda image, random: encode(COPIES["shifted"](image, random)),
    "on uneven paper": grey_png,
    "on blue paper": on_blue_paper,
    "on a blackboard": on_a_blackboard,
    "faint": lambda image, random: encode(photograph(image, random, darkness=0.25, noise=2).pixels),
    "drawn, black on white": lambda image, _: encode(255 - drawing(image)),
    "drawn, white on black": lambda image, _: encode(drawing(image)),
    "black ink on nothing": lambda image, _: with_opacity(0, drawing(image)),
    "white ink on nothing": lambda image, _: with_opacity(255, drawing(image)),
    "paper transparent": lambda image, _: with_opacity(255 - drawing(image), ((drawing(image) > 0) * 255).astype("u1")),
    "half transparent ink": lambda image, _: with_opacity(0, drawing(image) // 2),
    "opaque, in RGBA": lambda image, random: with_opacity(
        pixels := photograph(image, random).pixels, np.full_like(pixels, 255)
    ),
    "16 bits": sixteen_bits,
    "palette": palette,
    "CMYK": as_jpeg("CMYK"),
    "JPEG at quality 30": as_jpeg(quality=30),
    "RGB JPEG": as_jpeg("RGB"),
    **{kind: as_file(kind) for kind in ("WEBP", "GIF", "TIFF", "BMP")},
    **{f"EXIF {orientation}": turned(orientation) for orientation in range(1, 9)},
}


def plain_digits(mnist: Dataset, number: int, seed: int) -> Grey:
    """Some of the test digits, anywhere in the set."""
    return mnist.x_test[np.random.default_rng(seed).choice(len(mnist.x_test), number, replace=False)]


def classes(images: list[Grey], model: Model) -> NDArray[np.int64]:
    digits: NDArray[np.int64] = model(normalize(np.stack(images))).argmax(axis=1)
    return digits


@pytest.mark.parametrize("kind", KINDS)
def test_a_real_picture_is_read_as_the_plain_digit_is(kind: str, mnist: Dataset, shipped: Model) -> None:
    random = np.random.default_rng(list(KINDS).index(kind))
    digits = plain_digits(mnist, DIGITS, seed=1)
    seen = [prepare(KINDS[kind](digit, random), LIMIT, True)[0] for digit in digits]
    differ = np.flatnonzero(classes(seen, shipped) != classes(list(digits), shipped))
    assert len(differ) <= MAY_DIFFER, f"numbers {differ.tolist()} differ"


def test_a_photograph_of_12_megapixels_is_read_as_the_plain_digit_is(mnist: Dataset, shipped: Model) -> None:
    random = np.random.default_rng(2)
    digits = plain_digits(mnist, 8, seed=2)
    seen = []
    for digit in digits:
        image, note = prepare(
            encode(photograph(digit, random, (4000, 3000), noise=0).pixels, "JPEG", quality=85), LIMIT, True
        )
        assert (note.width, note.height) == (4000, 3000)
        seen.append(image)
    assert (classes(seen, shipped) == classes(list(digits), shipped)).all()


def test_a_small_digit_on_a_large_page_is_read(mnist: Dataset, shipped: Model) -> None:
    random = np.random.default_rng(3)
    digits = plain_digits(mnist, DIGITS, seed=3)
    seen = []
    for digit in digits:
        page, ink = light(900, 1200, random), enlarged(digit, 110)
        left, top = random.integers(150, 600), random.integers(150, 900)
        page[top : top + ink.shape[0], left : left + ink.shape[1]] *= 1 - 0.7 * ink
        seen.append(prepare(encode(page.astype(np.uint8)), LIMIT, True)[0])
    assert (classes(seen, shipped) != classes(list(digits), shipped)).sum() <= MAY_DIFFER


@pytest.mark.parametrize("kind", COPIES)
def test_copies_of_the_test_pictures_lose_at_most_a_point(kind: str, mnist: Dataset, shipped: Model) -> None:
    chosen = np.random.default_rng(4).choice(len(mnist.x_test), 1500, replace=False)
    loss = lost(COPIES[kind], mnist.x_test[chosen], mnist.y_test[chosen], shipped)
    # 1500 stand for all 10,000, which `python -m benchmarks.copies` reads: two standard errors are their chance to err
    assert loss.points <= 1 + 2 * loss.standard_error
    assert loss.standard_error < 0.5


def test_all_of_mnist_looks_as_mnist_does(mnist: Dataset) -> None:
    for images in (mnist.x_train, mnist.x_test):
        assert all(looks_like_mnist(image) for image in images)
        assert look_like_mnist(images).all()
    assert len(mnist.x_train) + len(mnist.x_test) == 70_000


def test_what_is_not_as_mnist_was_made_does_not_look_so(mnist: Dataset) -> None:
    for image in mnist.x_test[:200]:
        assert not looks_like_mnist(255 - image)
        assert not looks_like_mnist(np.roll(image, 3, axis=1))
        assert not looks_like_mnist(cv2.resize(image, (56, 56)))
    assert not looks_like_mnist(np.zeros((28, 28), np.uint8))


def test_many_at_once_look_as_mnist_does_where_each_alone_does(mnist: Dataset) -> None:
    random = np.random.default_rng(0)
    images = np.stack([np.roll(image, random.integers(-1, 2, 2), (0, 1)) for image in mnist.x_test[:3000]])
    images[:1000] = np.where(random.random((1000, 28, 28)) < 0.001, 255, images[:1000])
    images[:2] = [[[0]], [[255]]]
    images[2, :, :], images[2, 13:15, 4:24] = 0, 200
    alone = [looks_like_mnist(image) for image in images]
    assert look_like_mnist(images).tolist() == alone
    assert 0.05 < np.mean(alone) < 0.95


@pytest.fixture(scope="module")
def client(shipped_url: str) -> Any:
    with httpx.Client(base_url=shipped_url, timeout=60) as client:
        yield client


def ask(client: httpx.Client, data: bytes, query: str = "") -> Any:
    response = client.post(f"/predict{query}", files={"file": data})
    assert response.status_code == 200, response.text
    return response.json()


def preview(note: dict[str, Any]) -> Grey:
    image = Image.open(BytesIO(base64.b64decode(note["preview"])))
    assert (image.format, image.mode, image.size) == ("PNG", "L", (28, 28))
    return np.asarray(image)


def test_mnists_own_pictures_reach_the_model_bit_for_bit(client: httpx.Client, mnist: Dataset) -> None:
    as_it_is: dict[str, Any] = {
        "width": 28,
        "height": 28,
        "fitted": False,
        "inverted": False,
        "box": None,
    }
    for image in np.concatenate([mnist.x_train[:150], mnist.x_test[:150]]):
        data = encode(image)
        found = ask(client, data)["picture"]
        assert found.items() >= as_it_is.items()
        assert set(found["warnings"]) <= {NOT_A_DIGIT}  # of one in 300, as its threshold has it
        note = ask(client, data, "?preview=true")["picture"]
        assert (preview(note) == image).all()
        assert note.items() >= as_it_is.items()


def test_the_preview_is_what_the_model_saw(client: httpx.Client, mnist: Dataset, shipped: Model) -> None:
    answer = ask(client, grey_png(mnist.x_test[0], np.random.default_rng(5)), "?preview=true")
    seen = preview(answer["picture"])
    assert looks_like_mnist(seen)
    assert np.abs(shipped(normalize(seen[np.newaxis]))[0] - answer["probabilities"]).max() <= 1e-5


@pytest.mark.parametrize("dark", [False, True])
def test_the_note_tells_the_truth(client: httpx.Client, mnist: Dataset, dark: bool) -> None:
    random = np.random.default_rng(6)
    for digit in plain_digits(mnist, 25, seed=6):
        scene = photograph(digit, random, (360, 280))
        note = ask(client, encode(255 - scene.pixels if dark else scene.pixels))["picture"]
        assert (note["width"], note["height"], note["fitted"], note["inverted"]) == (360, 280, True, not dark)
        assert np.abs(np.subtract(note["box"], scene.box)).max() <= 8, (note["box"], scene.box)  # 2% of the width
        assert note["warnings"] == []


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_box_is_that_of_the_upright_picture_in_its_full_size(
    client: httpx.Client, mnist: Dataset, orientation: int
) -> None:
    scene = photograph(mnist.x_test[3], np.random.default_rng(7), (1600, 1200), noise=1)
    note = ask(client, turned_by_exif(scene.pixels, orientation))["picture"]
    assert (note["width"], note["height"], note["inverted"]) == (1600, 1200, True)
    assert np.abs(np.subtract(note["box"], scene.box)).max() <= 32  # 2% of the width


def blanks() -> dict[str, Grey]:
    random = np.random.default_rng(8)
    gradient = np.linspace(60, 220, 200).astype(np.uint8)
    noise = np.clip(random.normal(190, 5, (300, 400)), 0, 255).astype(np.uint8)
    return {
        "white": np.full((200, 300), 255, np.uint8),
        "black": np.zeros((200, 300), np.uint8),
        "grey": np.full((200, 300), 128, np.uint8),
        "28x28, black": np.zeros((28, 28), np.uint8),
        "28x28, white": np.full((28, 28), 255, np.uint8),
        "one pixel": np.full((1, 1), 99, np.uint8),
        "noise": noise,
        "noise, smoothed": cv2.GaussianBlur(noise, (0, 0), 2),
        "gradient across": np.tile(gradient, (150, 1)),
        "gradient down": np.tile(gradient, (150, 1)).T.copy(),
        "uneven light": light(300, 200, random).astype(np.uint8),
        "uneven light, noise": (light(300, 200, random) + random.normal(0, 3, (200, 300))).astype(np.uint8),
    }


@pytest.mark.parametrize("kind", blanks())
def test_a_blank_picture_is_refused_as_blank(client: httpx.Client, kind: str) -> None:
    response = client.post("/predict", files={"file": encode(blanks()[kind])})
    assert response.status_code == 422, response.text
    problem = response.json()
    assert problem["type"] == "urn:digits:blank-picture"
    assert "without any ink" in problem["detail"]


@pytest.mark.parametrize("quality", [40, 85])
def test_a_blank_photograph_is_refused_as_blank(quality: int) -> None:
    random = np.random.default_rng(9)
    page = (light(2000, 1500, random) + random.normal(0, 4, (1500, 2000))).astype(np.uint8)
    with pytest.raises(BlankPicture):
        prepare(encode(page, "JPEG", quality=quality), LIMIT, True)


def warnings_of(pixels: Grey) -> str:
    return " ".join(prepare(encode(pixels), LIMIT, True)[1].warnings)


def test_a_digit_that_is_cut_is_warned_of(mnist: Dataset) -> None:
    random = np.random.default_rng(10)
    for digit in plain_digits(mnist, 20, seed=10):
        scene = photograph(digit, random)
        left, top, right, bottom = scene.box
        assert "touches the border" not in warnings_of(scene.pixels)
        cut = scene.pixels[:, : (left + 3 * right) // 4] if right - left > 60 else scene.pixels[: (top + bottom) // 2]
        assert "touches the border" in warnings_of(cut)


def test_several_digits_are_warned_of(mnist: Dataset) -> None:
    random = np.random.default_rng(11)
    warned = []
    for first, second in plain_digits(mnist, 200, seed=11).reshape(-1, 2, 28, 28):
        page = light(400, 240, random)
        for left, digit in ((60, first), (230, second)):
            ink = enlarged(digit, 120)
            page[60 : 60 + ink.shape[0], left : left + ink.shape[1]] *= 1 - 0.7 * ink
        warned.append("several digits" in warnings_of(page.astype(np.uint8)))
        assert "several digits" not in warnings_of(photograph(first, random).pixels)
    assert np.mean(warned) >= 0.9  # a thin 1 beside a fat 0 has no more ink than a speck beside a digit may have


def test_faint_ink_is_warned_of(mnist: Dataset) -> None:
    random = np.random.default_rng(12)
    for digit in plain_digits(mnist, 20, seed=12):
        assert "faint" in warnings_of(photograph(digit, random, darkness=0.1, noise=1).pixels)
        assert "faint" not in warnings_of(photograph(digit, random, darkness=0.5).pixels)


def test_fit_never_takes_28x28_as_it_is_even_inverted(client: httpx.Client, mnist: Dataset) -> None:
    for image in (mnist.x_test[0], 255 - mnist.x_test[0], np.roll(mnist.x_test[0], 5, axis=0)):
        note = ask(client, encode(image), "?fit=never&preview=true")["picture"]
        assert not note["fitted"]
        assert not note["inverted"]
        assert (preview(note) == image).all()


@pytest.mark.parametrize("size", [(29, 28), (28, 27), (280, 280), (1, 1)])
def test_fit_never_refuses_other_sizes(client: httpx.Client, size: tuple[int, int]) -> None:
    response = client.post("/predict?fit=never", files={"file": encode(Image.new("L", size, 9))})
    assert response.status_code == 422
    assert response.json()["type"] == "urn:digits:wrong-size"


def test_a_model_that_says_fit_never_gets_no_digit_rules(tiny_url: str) -> None:
    with httpx.Client(base_url=tiny_url) as client:
        for query in ("", "?fit=auto", "?fit=never"):
            note = ask(client, encode(255 - band(3)), query + ("&" if query else "?") + "preview=true")["picture"]
            assert not note["fitted"]
            assert (preview(note) == 255 - band(3)).all()
            response = client.post(f"/predict{query}", files={"file": encode(Image.new("L", (56, 56)))})
            assert response.json()["type"] == "urn:digits:wrong-size"
