"""The known holes of Pillow, python-multipart and Starlette, and ours that the fuzzers found: each is closed here.

Each request is answered as it should be, by a real server with its default limits, in less than a second of CPU time.
"""

import resource
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from app.errors import DamagedPicture, ServiceError, UnknownFormat
from app.images.decode import decode
from benchmarks.fuzz.seeds import bmp_by_hand, tiff_by_hand
from tests.support import SEVEN, encode

pytestmark = pytest.mark.alone

GOOD = SEVEN.read_bytes()
OCTETS = {"Content-Type": "application/octet-stream"}
FORM = {"Content-Type": "multipart/form-data; boundary=xyz"}
DISPOSITION = b'Content-Disposition: form-data; name="file"; filename="a.png"'
NOTE = b'Content-Disposition: form-data; name="note"'
ABSOLUTE = b'Content-Disposition: form-data; name="file"; filename="/tmp/../../etc/digits-was-here"'
SMUGGLED = b'Content-Disposition: form-data; name="file"; name*=utf-8\'\'other; filename="a.png"'
END = b"--xyz--\r\n"
LIMIT = 64_000_000
CPU_SECONDS = 1.0
MEGABYTES = 120  # more than a request of 20 MB takes while it is read


def part(content: bytes = GOOD, *lines: bytes, disposition: bytes = DISPOSITION) -> bytes:
    return b"--xyz\r\n" + b"\r\n".join([disposition, *lines]) + b"\r\n\r\n" + content + b"\r\n"


@dataclass
class Hole:
    """A request, by its hole's name, and the status it gets."""

    name: str
    status: int
    body: Callable[[], bytes] = lambda: b""
    headers: dict[str, str] = field(default_factory=lambda: FORM)
    path: str = "/predict"
    method: str = "POST"


MANY_RANGES = {"Range": "bytes=" + ",".join(["0-"] * 8000)}
MULTIPART = [
    Hole(
        "CVE-2024-24762, a Content-Type that takes a regular expression for ever",
        400,
        headers={"Content-Type": 'multipart/form-data; !="' + "\\" * 20_000},
    ),
    Hole("CVE-2024-24762, of another kind", 415, headers={"Content-Type": 'application/x; !="' + "\\" * 20_000}),
    Hole("CVE-2024-53981, line breaks before the first part", 200, lambda: b"\r\n" * 500_000 + part() + END),
    Hole("CVE-2024-53981, line breaks behind the last", 200, lambda: part() + END + b"\r\n" * 500_000),
    Hole(
        "CVE-2024-47874, a field of 19 MB that is no file", 400, lambda: part(bytes(19_000_000), disposition=NOTE) + END
    ),
    Hole("CVE-2024-47874, without an end", 400, lambda: part(bytes(19_000_000), disposition=NOTE)[:-2]),
    Hole("CVE-2023-30798, 100,000 fields", 400, lambda: part(b"x", disposition=NOTE) * 100_000 + END),
    Hole("CVE-2025-54121, a file that others would put on disk", 200, lambda: part(GOOD + bytes(19_000_000)) + END),
    Hole("CVE-2026-24486, a path for a file name", 200, lambda: part(disposition=ABSOLUTE) + END),
    Hole("CVE-2026-40347, 10 MB before the first part", 400, lambda: b"x" * 10_000_000 + part() + END),
    Hole("CVE-2026-40347, 10 MB behind the last", 200, lambda: part() + END + b"x" * 10_000_000),
    Hole("CVE-2026-42561, a part of 100,000 headers", 400, lambda: part(GOOD, *[b"A: b"] * 100_000) + END),
    Hole("CVE-2026-42561, a part with a header of 10 MB", 400, lambda: part(GOOD, b"A: " + b"b" * 10_000_000) + END),
    Hole("CVE-2026-53537, a second name, which RFC 7578 forbids", 200, lambda: part(disposition=SMUGGLED) + END),
    Hole(
        "CVE-2026-53538 and 53539, fields between semicolons",
        415,
        lambda: b"a;" * 5_000_000,
        {"Content-Type": "application/x-www-form-urlencoded"},
    ),
]
STARLETTE = [
    *(
        Hole(f"CVE-2025-62727, thousands of ranges of {path}", 200, headers=MANY_RANGES, path=path, method="GET")
        for path in ("/", "/page/style.css", "/model/report")
    ),
    *(
        Hole(f"CVE-2023-29159, {path}", 404, headers={}, path=path, method="GET")
        for path in (
            *("/page/../settings.py", "/page/%2e%2e%2fsettings.py", "/page/..%5csettings.py", "/page//etc/passwd"),
            *("/model/report/../../settings.py", "/page/%00", "/page/index.html"),
        )
    ),
]


@pytest.mark.parametrize("hole", [*MULTIPART, *STARLETTE], ids=lambda hole: hole.name)
def test_a_known_hole_of_forms_and_files_is_closed(shipped_url: str, hole: Hole) -> None:
    body = hole.body()
    before, began = peak_megabytes(), time.process_time()
    status, _ = ask(shipped_url, hole.method, hole.path, hole.headers, body)
    assert status == hole.status
    assert time.process_time() - began < CPU_SECONDS
    assert peak_megabytes() - before < MEGABYTES
    assert httpx.post(shipped_url + "/predict", files={"file": GOOD}).json()["digit"] == 7


def test_no_file_name_of_a_client_becomes_a_file() -> None:
    assert not Path("/etc/digits-was-here").exists()


def peak_megabytes() -> float:
    """Of this process, in which the server runs."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def ask(url: str, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """As it is: httpx would tidy the path."""
    address = httpx.URL(url)
    fields = {"Host": "x", "Connection": "close", "Content-Length": str(len(body))} | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    with socket.create_connection((address.host, address.port or 0), timeout=30) as peer:
        peer.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        received = b""
        while data := peer.recv(65536):
            received += data
    return int(received.split()[1]), received.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("length", ["-1", "-9999999", "+5", "1e9", "0x10"])
def test_cve_2026_53540_a_negative_length_is_no_request(shipped_url: str, length: str) -> None:
    assert ask(shipped_url, "POST", "/predict", OCTETS | {"Content-Length": length}, GOOD)[0] == 400


OTHER_FORMATS = {
    # each has had a hole of its own in Pillow; none is read here, so none can be reached
    "PSD, CVE-2026-25990 and CVE-2021-28675": b"8BPS\0\1" + bytes(100),
    "DDS, CVE-2025-48379": b"DDS \x7c\0\0\0" + bytes(120),
    "FLI, CVE-2021-28676 and CVE-2020-5313": bytes(4) + b"\x11\xaf" + bytes(122),
    "EPS, CVE-2021-28677 and CVE-2017-8291": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "BLP, CVE-2021-28678 and CVE-2021-27921": b"BLP2\1\0\0\0" + bytes(100),
    "ICNS, CVE-2021-27922": b"icns\0\0\0\x10ic07\0\0\0\x08",
    "ICO, CVE-2021-27923": b"\0\0\1\0\1\0" + bytes(100),
    "PCX, CVE-2020-35653": b"\x0a\x05\x01\x08" + bytes(124),
    "SGI, CVE-2020-35655": b"\x01\xda\1\1" + bytes(508),
    "JPEG 2000, CVE-2021-25287": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50),
    "FITS, a bomb": b"SIMPLE  =                    T" + b" " * 2850,
    "AVIF": b"\0\0\0\x1cftypavif" + bytes(50),
    "PPM": b"P6 28 28 255\n" + bytes(28 * 28 * 3),
    "WMF": b"\xd7\xcd\xc6\x9a\0\0" + bytes(50),
    "PDF": b"%PDF-1.7\n",
    "an SVG that names a file": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
}


@pytest.mark.parametrize("name", OTHER_FORMATS)
def test_no_other_format_is_opened(name: str) -> None:
    with pytest.raises(UnknownFormat):
        decode(OTHER_FORMATS[name], LIMIT)


def webp_of_random_codes(seed: int) -> bytes:
    """A lossless WebP whose Huffman codes are what a seed makes of them: CVE-2023-4863 wrote behind a table for one."""
    codes = bytes([0x2F]) + struct.pack("<I", 27 | 27 << 14) + np.random.default_rng(seed).bytes(600)
    content = b"WEBPVP8L" + struct.pack("<I", len(codes)) + codes
    return b"RIFF" + struct.pack("<I", len(content)) + content


def test_cve_2023_4863_random_huffman_codes_are_answered_or_refused() -> None:
    for seed in range(500):
        try:
            assert decode(webp_of_random_codes(seed), LIMIT).grey.shape == (28, 28)
        except ServiceError:
            continue


def jpeg_of_scans(side: int, scans: int) -> bytes:
    """Progressive, its last scan again and again: each time libjpeg goes over all pixels."""
    whole = encode(Image.new("L", (side, side)), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * scans + whole[-2:]


def tiff_of_strips(count: int) -> bytes:
    """One pixel wide, a strip for each row: Pillow makes an object of each."""
    at = 8 + 2 + 9 * 12 + 4
    sizes = ((256, 4, 1, 1), (257, 4, 1, count), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1), (278, 4, 1, 1))
    strips = ((273, 4, count, at), (279, 4, count, at + 4 * count), (259, 3, 1, 1))
    return tiff_by_hand(*sizes, *strips, tail=struct.pack("<I", 8) * count + struct.pack("<I", 1) * count)


def tiff_of_tiles(count: int) -> bytes:
    at = 8 + 2 + 8 * 12 + 4
    sizes = ((256, 4, 1, 2000), (257, 4, 1, 2000), (258, 3, 1, 8), (262, 3, 1, 1))
    tiles = ((322, 4, 1, 4), (323, 4, 1, 4), (324, 4, count, at), (325, 4, count, at + 4 * count))
    return tiff_by_hand(*sizes, *tiles, tail=struct.pack("<I", 8) * count + struct.pack("<I", 16) * count)


EXPENSIVE = {
    # found here: before, the first took minutes, hours with 20 MB; the others 7 s and more
    "jpeg of 2,000 scans": lambda: jpeg_of_scans(4000, 2000),
    "bmp of runs, 64 million pixels in 33 KB": lambda: bmp_by_hand(8000, 8000, 8, 1, b"\1\0\0\0" * 8100 + b"\0\1"),
    "bmp of runs, of half bytes": lambda: bmp_by_hand(8000, 8000, 4, 2, b"\1\0\0\0" * 8100 + b"\0\1"),
    "bmp of runs, more than there are pixels": lambda: bmp_by_hand(1000, 1000, 8, 1, b"\1\0" * 2_000_000),
    "tiff of 1.2 million strips": lambda: tiff_of_strips(1_200_000),
    "tiff of 250,000 tiles": lambda: tiff_of_tiles(250_000),
}


@pytest.mark.parametrize("name", EXPENSIVE)
def test_what_the_fuzzers_found_expensive_is_refused_cheaply(name: str) -> None:
    data = EXPENSIVE[name]()
    began = time.process_time()
    with pytest.raises(DamagedPicture):
        decode(data, LIMIT)
    assert time.process_time() - began < 0.2


def test_what_is_usual_in_those_is_still_read() -> None:
    grey = np.arange(784, dtype=np.uint8).reshape(28, 28)
    colours = Image.fromarray(np.dstack([grey, grey.T, grey[::-1]]))
    for progressive in (False, True):
        assert decode(encode(colours, "JPEG", progressive=progressive), LIMIT).width == 28
    assert decode(jpeg_of_scans(28, 50), LIMIT).width == 28
    assert decode(tiff_of_strips(2000), LIMIT).height == 2000
    runs = bmp_by_hand(1000, 1000, 8, 1, (b"\xff\7" * 3 + b"\xeb\7\0\0") * 1000 + b"\0\1")
    assert (decode(runs, LIMIT).grey == 7).all()


def test_one_scan_of_all_components_is_not_searched_for_more() -> None:
    # what stands behind it may look like scans: a second picture, or anything
    data = encode(Image.new("RGB", (28, 28)), "JPEG")
    assert decode(data + b"\xff\xda" * 1000, LIMIT).width == 28


def test_libtiff_says_nothing_past_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    whole = encode(Image.fromarray(np.arange(784, dtype=np.uint8).reshape(28, 28)), "TIFF", compression="tiff_lzw")
    for at in range(8, len(whole), 7):
        try:
            decode(whole[:at] + b"\xff\xff" + whole[at + 2 :], LIMIT)
        except ServiceError:
            continue
    assert capfd.readouterr().err == ""
