"""The strict scan finds what python-multipart finds, or leaves the body to it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import ServiceError, TooManyParts
from app.routes.form import Part, parse_form
from app.routes.plain_body import plain_picture

TYPE = b"multipart/form-data; boundary=%b"
PART = (
    b'--%b\r\nContent-Disposition: form-data; name="file"; filename="digit.png"\r\n'
    b"Content-Type: image/png\r\n\r\n%b\r\n"
)


def form(content: bytes, boundary: bytes = b"xyz") -> bytes:
    return PART % (boundary, content) + b"--%b--\r\n" % boundary


def thorough(content_type: bytes, body: bytes) -> list[Part] | None:
    try:
        return parse_form(content_type.decode("latin-1"), body, 8, TooManyParts)
    except ServiceError:
        return None


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        # as curl 8, Chrome, Firefox, Safari, httpx and requests (the same), undici and Go send it
        (TYPE % (b"-" * 24 + b"ab12"), form(b"x", b"-" * 24 + b"ab12")),
        (TYPE % b"----WebKitFormBoundaryAb1", form(b"x", b"----WebKitFormBoundaryAb1")),
        (TYPE % b"----geckoformboundaryab1", form(b"x", b"----geckoformboundaryab1")),
        (TYPE % b"0123456789abcdef", form(b"x", b"0123456789abcdef")),
        (TYPE % b"----formdata-undici-012345", form(b"x", b"----formdata-undici-012345")),
        (TYPE % b"xyz", form(b"x")[:-2]),
        (TYPE % b"xyz", form(b"x").replace(b"Content-Type: image/png\r\n", b"")),
        (TYPE % b"xyz", form(b"x").replace(b'; filename="digit.png"', b"")),
        (TYPE % b"xyz", form(b"x").replace(b"digit.png", "größe 7; ü.png".encode())),
    ],
)
def test_the_usual_forms_are_taken(content_type: bytes, body: bytes) -> None:
    assert plain_picture(content_type, body) == b"x"
    assert thorough(content_type, body) == [Part("file", b"x")]


@pytest.mark.parametrize("content_type", [b"image/png", b"image/jpeg", b"application/octet-stream"])
def test_a_picture_as_the_body_is_taken(content_type: bytes) -> None:
    assert plain_picture(content_type, b"x") == b"x"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (b"text/plain", b"x"),
        (b"", b"x"),
        (b"image/png; charset=x", b"x"),
        (b'multipart/form-data; boundary="xyz"', form(b"x")),
        (b"multipart/form-data; charset=utf-8; boundary=xyz", form(b"x")),
        (b"Multipart/Form-Data; boundary=xyz", form(b"x")),
        (TYPE % b"xyz", b"preamble\r\n" + form(b"x")),
        (TYPE % b"xyz", form(b"x") + b"epilogue"),
        (TYPE % b"xyz", PART % (b"xyz", b"x") + form(b"x")),
        (TYPE % b"xyz", form(b"x").replace(b'"file"', b'"files"')),
        (TYPE % b"xyz", form(b"x").replace(b'"file"', b"file")),
        (TYPE % b"xyz", form(b"x").replace(b"digit.png", b'a\\".png')),
        (TYPE % b"xyz", form(b"x").replace(b"digit.png", b"a\0.png")),
        (TYPE % b"xyz", form(b"x").replace(b"\r\nContent-Type", b"\r\nX-More: y\r\nContent-Type")),
        (TYPE % b"xyz", form(b"x").replace(b"\r\n", b"\n")),
        (TYPE % b"xyz", form(b"x")[:-4]),
        (TYPE % b"xyz", form(b"a\r\n--xyzb")),
        (TYPE % b"xyz", b""),
        (TYPE % b"xyz", b"--xyz--\r\n"),
    ],
)
def test_whatever_is_unusual_is_left_to_the_thorough_way(content_type: bytes, body: bytes) -> None:
    assert plain_picture(content_type, body) is None


BOUNDARIES = [b"xyz", b"--xyz", b"\r\n--xyz", b"\r\n", b"--", b"--\r\n"]
PIECES = st.sampled_from([*BOUNDARIES, b'name="file"', b"; ", b'filename="', b'"', b"\0", b"\\"])


@settings(max_examples=2000, deadline=None)
@given(
    content=st.lists(PIECES | st.binary(max_size=9), max_size=6).map(b"".join),
    inserted=st.lists(st.tuples(st.integers(0, 400), PIECES | st.binary(max_size=3)), max_size=2),
    removed=st.none() | st.tuples(st.integers(0, 400), st.integers(1, 5)),
    boundary=st.sampled_from([b"xyz", b"--xyz", b"x", b"----WebKitFormBoundary0"]),
)
def test_what_it_finds_is_what_python_multipart_finds(
    content: bytes, inserted: list[tuple[int, bytes]], removed: tuple[int, int] | None, boundary: bytes
) -> None:
    body = form(content, boundary)
    for at, piece in inserted:
        body = body[: at % len(body)] + piece + body[at % len(body) :]
    if removed:
        start = removed[0] % len(body)
        body = body[:start] + body[start + removed[1] :]
    found = plain_picture(TYPE % boundary, body)
    if found is not None:
        assert thorough(TYPE % boundary, body) == [Part("file", found)]
