import pytest

from app.errors import BrokenForm, TooManyParts
from app.routes.form import Part, parse_form

TYPE = "multipart/form-data; boundary=xyz"
PART = (
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n%b\r\n'
)
END = b"--xyz--\r\n"


def parse(body: bytes, content_type: str = TYPE, max_parts: int = 3) -> list[Part]:
    return parse_form(content_type, body, max_parts, TooManyParts)


def test_parts_come_in_order_with_their_whole_content() -> None:
    contents = [b"one", b"", bytes(range(256)) * 300]
    assert parse(b"".join(PART % each for each in contents) + END) == [Part("file", each) for each in contents]


def test_content_that_looks_almost_like_a_boundary_is_content() -> None:
    content = b"\r\n--xy\r\n--xyzz-\r\n-"[:8] + b"\r\n--xy\r\n"
    assert parse(PART % content + END)[0].content == content


@pytest.mark.parametrize("content_type", ['multipart/form-data; boundary="xyz"', "Multipart/Form-Data;boundary=xyz"])
def test_the_boundary_may_be_quoted(content_type: str) -> None:
    assert len(parse(PART % b"x" + END, content_type)) == 1


def test_what_stands_behind_the_parts_is_passed_over() -> None:
    assert len(parse(PART % b"x" + END + b"after")) == 1


@pytest.mark.parametrize("preamble", [b"", b"for those who know no forms --x\r\n--xy", b"\r\n-\r\n", b"--\r\n--"])
def test_what_stands_before_the_parts_is_passed_over(preamble: bytes) -> None:
    assert parse(preamble + b"\r\n" + PART % b"x" + PART % b"y" + END) == [Part("file", b"x"), Part("file", b"y")]


@pytest.mark.parametrize("start", [b" ", b"x", b"preamble\n", b"preamble\r\n "])
def test_a_boundary_begins_a_line(start: bytes) -> None:
    with pytest.raises(BrokenForm):
        parse(start + PART % b"x" + END)


def test_names_may_be_utf8() -> None:
    body = '--xyz\r\nContent-Disposition: form-data; name="Größe"\r\n\r\nx\r\n'.encode()
    assert parse(body + END)[0].name == "Größe"


def test_one_part_too_many_is_refused_when_it_begins() -> None:
    assert len(parse(PART % b"x" * 3 + END)) == 3
    with pytest.raises(TooManyParts):
        parse(PART % b"x" * 4)


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_a_form_that_breaks_off_is_broken(cut: int) -> None:
    with pytest.raises(BrokenForm):
        parse((PART % b"x" + END)[:-cut].rstrip(b"\r\n-"))


def test_a_boundary_of_kilobytes_is_refused() -> None:
    with pytest.raises(BrokenForm):
        parse(b"", "multipart/form-data; boundary=" + "x" * 5000)
