"""POST /predict and /predict/batch, over HTTP, with a model whose answer is arithmetic."""

import base64
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.conftest import MAX_BATCH
from tests.support import SEVEN, band, encode


def upload(client: httpx.Client, data: bytes, query: str = "") -> httpx.Response:
    return client.post(f"/predict{query}", files={"file": ("digit.png", data, "image/png")})


@pytest.mark.parametrize("digit", range(10))
def test_a_form_is_answered(client: httpx.Client, digit: int) -> None:
    response = upload(client, encode(band(digit)))
    assert response.status_code == 200
    answer = response.json()
    assert answer["digit"] == digit
    assert answer["label"] == f"digit {digit}"
    assert answer["confidence"] == answer["probabilities"][digit] == max(answer["probabilities"])
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert answer["model"] == {"name": "tiny", "version": 2}
    assert answer["picture"] == {
        "width": 28,
        "height": 28,
        "fitted": False,
        "inverted": False,
        "box": None,
        "warnings": [],
    }


@pytest.mark.parametrize("content_type", ["image/png", "image/x-unknown", "application/octet-stream", "IMAGE/PNG; q=1"])
def test_the_picture_itself_may_be_the_body(client: httpx.Client, content_type: str) -> None:
    response = client.post("/predict", content=encode(band(4)), headers={"Content-Type": content_type})
    assert response.status_code == 200
    assert response.json()["digit"] == 4


def test_a_body_without_a_content_type_is_taken_for_a_picture(client: httpx.Client) -> None:
    response = client.post("/predict", content=encode(band(5)))
    assert response.json()["digit"] == 5


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "JPEG", "WEBP"])
def test_every_format_is_read(client: httpx.Client, kind: str) -> None:
    assert upload(client, encode(Image.fromarray(band(6)).convert("RGB"), kind)).json()["digit"] == 6


def test_a_chunked_body_is_read(client: httpx.Client) -> None:
    data = encode(band(8))
    response = client.post(
        "/predict", content=iter([data[:30], data[30:]]), headers={"Content-Type": "application/octet-stream"}
    )
    assert response.json()["digit"] == 8


def test_fit_never_is_taken_and_anything_else_is_a_bad_query(client: httpx.Client) -> None:
    assert upload(client, encode(band(1)), "?fit=never").json()["digit"] == 1
    response = upload(client, encode(band(1)), "?fit=sometimes")
    assert response.status_code == 400
    assert "'fit'" in response.json()["detail"]
    assert "'auto' or 'never'" in response.json()["detail"]
    assert "'sometimes'" in response.json()["detail"]


def test_a_preview_is_the_picture_that_the_model_saw(client: httpx.Client) -> None:
    preview = upload(client, encode(band(2)), "?preview=true").json()["picture"]["preview"]
    assert (np.asarray(Image.open(BytesIO(base64.b64decode(preview)))) == band(2)).all()
    assert "preview" not in upload(client, encode(band(2))).json()["picture"]


def test_a_batch_is_answered_in_order_with_a_problem_where_one_belongs(client: httpx.Client) -> None:
    pictures = [encode(band(3)), b"", encode(band(9)), b"hello", encode(Image.new("L", (30, 20)))]
    response = client.post("/predict/batch", files=[("files", ("x", data)) for data in pictures])
    assert response.status_code == 200
    answer = response.json()
    assert answer["model"] == {"name": "tiny", "version": 2}
    results = answer["results"]
    assert [result.get("digit") for result in results] == [3, None, 9, None, None]
    assert [result.get("status") for result in results] == [None, 422, None, 415, 422]
    assert results[0]["picture"]["width"] == 28
    assert "30x20" in results[4]["detail"]
    assert results[1]["request_id"] == response.headers["X-Request-ID"]


def test_a_batch_takes_the_query_of_one_picture(shipped_url: str) -> None:
    files = [("files", ("x", path.read_bytes())) for path in (SEVEN, SEVEN.with_name("card.jpg"))]
    seven, card = ask_batch(shipped_url, "", files)
    assert (seven["digit"], card["digit"], card["picture"]["fitted"]) == (7, 5, True)
    assert "preview" not in card["picture"]
    seven, card = ask_batch(shipped_url, "?fit=never", files)
    assert (seven["digit"], card["status"]) == (7, 422)
    assert "of 28x28 pixels; received one of 800x600" in card["detail"]
    for (_, (_, data)), found in zip(files, ask_batch(shipped_url, "?preview=true", files), strict=True):
        alone = httpx.post(shipped_url + "/predict?preview=true", content=data, timeout=30).json()
        assert found["picture"] == alone["picture"]
    bad = httpx.post(shipped_url + "/predict/batch?fit=sometimes", files=files, timeout=30)
    assert (bad.status_code, "'sometimes'" in bad.json()["detail"]) == (400, True)


def ask_batch(url: str, query: str, files: list[tuple[str, tuple[str, bytes]]]) -> list[dict[str, Any]]:
    response = httpx.post(url + "/predict/batch" + query, files=files, timeout=30)
    assert response.status_code == 200
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def test_a_batch_without_one_good_picture_is_answered_too(client: httpx.Client) -> None:
    response = client.post("/predict/batch", files=[("files", ("x", b"no")), ("files", ("y", b""))])
    assert [result["status"] for result in response.json()["results"]] == [415, 422]


def test_a_batch_of_the_most_pictures_and_one_more(client: httpx.Client) -> None:
    files = [("files", ("x", encode(band(digit % 10)))) for digit in range(MAX_BATCH)]
    response = client.post("/predict/batch", files=files)
    assert [result["digit"] for result in response.json()["results"]] == [digit % 10 for digit in range(MAX_BATCH)]
    response = client.post("/predict/batch", files=[*files, files[0]])
    assert response.status_code == 413
    assert f"at most {MAX_BATCH} pictures" in response.json()["detail"]


def test_raw_images_are_answered_as_json_and_as_floats(client: httpx.Client) -> None:
    images = np.stack([band(digit) for digit in (3, 1, 4)])
    octets = {"Content-Type": "application/octet-stream"}
    answer = client.post("/predict/batch", content=images.tobytes(), headers=octets).json()
    assert [result["digit"] for result in answer["results"]] == [3, 1, 4]
    assert answer["results"][1]["label"] == "digit 1"
    assert answer["results"][1]["picture"]["width"] == 28
    assert answer["model"] == {"name": "tiny", "version": 2}
    accept = octets | {"Accept": "application/octet-stream"}
    response = client.post("/predict/batch", content=images.tobytes(), headers=accept)
    assert response.headers["Content-Type"] == "application/octet-stream"
    floats = np.frombuffer(response.content, "<f4").reshape(3, 10)
    written = [result["probabilities"] for result in answer["results"]]
    assert np.abs(floats - written).max() <= 1e-6


def test_the_most_raw_images_and_one_more(client: httpx.Client) -> None:
    octets = {"Content-Type": "application/octet-stream"}
    response = client.post("/predict/batch", content=band(5).tobytes() * MAX_BATCH, headers=octets)
    assert [result["digit"] for result in response.json()["results"]] == [5] * MAX_BATCH
    response = client.post("/predict/batch", content=band(5).tobytes() * (MAX_BATCH + 1), headers=octets)
    assert response.status_code == 413
    assert f"at most {MAX_BATCH} pictures in one request; received {MAX_BATCH + 1}." in response.json()["detail"]


def test_every_answer_has_an_id_and_a_sane_one_is_kept(client: httpx.Client) -> None:
    assert client.get("/livez").headers["X-Request-ID"] != client.get("/livez").headers["X-Request-ID"]
    assert client.get("/livez", headers={"X-Request-ID": "abc-1:2"}).headers["X-Request-ID"] == "abc-1:2"
    for odd in ('a"b', "a b", "x" * 129, "é"):
        headers = {b"X-Request-ID": odd.encode("latin-1")}
        assert client.get("/livez", headers=headers).headers["X-Request-ID"] != odd
