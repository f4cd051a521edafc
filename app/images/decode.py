"""The bytes of a picture file → grey pixels, within limits."""

import struct
import warnings
from io import BytesIO
from typing import NamedTuple

# Each plugin that is used is imported by name: Pillow would otherwise load all of its some forty when it meets
# the first WebP or TIFF.
from PIL import (
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from app.errors import (
    BloatedPicture,
    DamagedPicture,
    EmptyPicture,
    ServiceError,
    TooManyPixels,
    UnknownFormat,
    WrongSize,
)
from app.images.essentials import PNG_SIGNATURE, jpeg_essentials, png_essentials
from app.images.grey import to_grey
from app.images.headers import SIZES, Size
from app.images.heic import Contents, heic_contents, heic_size
from app.images.libtiff import silence_libtiff
from app.images.normalize import SIDE, Grey
from app.images.orientation import AS_STORED, orientation_of, turned, upright
from app.images.plain_png import decode_plain_png, may_be_plain
from app.images.tints import to_tints

# Pillow only warns at 89 million pixels and raises at twice that; `decode` has a limit of its own, checked before
# Pillow sees the file.
Image.MAX_IMAGE_PIXELS = None
# It also warns of each odd tag of a TIFF; what a client sends should not fill our log.
warnings.filterwarnings("ignore", module=r"PIL\.")
silence_libtiff()

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
SIGNATURES = (  # how a file of each format begins; None stands for any byte
    ("PNG", tuple(PNG_SIGNATURE)),
    ("JPEG", (0xFF, 0xD8, 0xFF)),
    ("WebP", (*b"RIFF", None, None, None, None, *b"WEBP")),
    ("GIF", tuple(b"GIF87a")),
    ("GIF", tuple(b"GIF89a")),
    ("BMP", (*b"BM", *(None,) * 13, 0, 0, 0)),  # the length of its header, some tens of bytes: no text has that
    ("TIFF", tuple(b"II*\0")),
    ("TIFF", tuple(b"MM\0*")),
    *(("HEIC", (0, 0, 0, None, *b"ftyp", *brand)) for brand in HEIC_BRANDS),
)
FORMATS = tuple(dict.fromkeys(name for name, _ in SIGNATURES))
TURNED_BY_PILLOW = ("TIFF", "HEIC")
PILLOW_NAMES = {"HEIC": "HEIF"}  # where Pillow has another than we
SIZE_OF = SIZES | {"HEIC": heic_size}
ESSENTIALS = {"PNG": png_essentials, "JPEG": jpeg_essentials}

JPEG_DIVISORS = (1, 2, 4, 8)  # of the scales that libjpeg decodes at

# A HEIC is coded in blocks of up to 64x64 pixels and cropped, so a small one is larger on the inside. A telephone's
# photo is decoded once as tiles, again as the whole that they make, and has a quarter more in what goes with it.
HEIC_PADDING, HEIC_PARTS = 1024 * 1024, 4

# A picture of 16 bits a channel, four channels, is 8 bytes a pixel, unpacked; 1 MiB more leaves room for profiles and
# notes. A file with more has been made to keep Pillow busy, with 300 tables or 10,000 scans of the same 784 pixels.
BYTES_PER_PIXEL, BYTES_BESIDE_PIXELS = 16, 1024 * 1024

# A file of at most so many bytes and pixels takes a millisecond or two at most: it may be read between two requests.
# What packs its pixels in other ways than PNG can be made to take long for more of them (a JPEG in a thousand passes).
SMALL_BYTES = 16_384
SMALL_PIXELS = {"PNG": 200 * 200, "HEIC": 0}
SMALL_PIXELS_OF_OTHERS = 64 * 64


class Picture(NamedTuple):
    """A picture, upright. `grey`: uint8 (height, width), 0..255, or smaller where it was decoded at a reduced scale.

    `width`, `height`: in pixels, of the picture as it was sent.
    """

    grey: Grey
    width: int
    height: int


def decode(data: bytes, max_pixels: int, required_size: Size | None = None, enough: int | None = None) -> Picture:
    """Reads a PNG, JPEG, WebP, GIF, BMP, TIFF or HEIC (the first frame) as grey pixels, upright as EXIF has it.

    Colour becomes luma (ITU-R BT.601), samples of 16 bits or floats are scaled to 8 bits. A picture with
    transparency is laid on white paper; when all that is visible has one colour, its opacity is the ink instead
    (255 = opaque), because such a drawing may be black on nothing or white on nothing.

    `max_pixels` bounds width x height, `required_size` is (width, height) where only one will do; both are checked
    in the header, before anything is decoded. `enough`: pixels of the longer side that suffice; a larger picture may
    be decoded at a reduced scale that leaves as many or more.

    Raises: EmptyPicture, UnknownFormat, DamagedPicture, TooManyPixels, BloatedPicture, WrongSize.
    """
    if required_size in (None, (SIDE, SIDE)) and max_pixels >= SIDE * SIDE:
        plain = decode_plain_png(data)
        if plain is not None:
            return Picture(plain, SIDE, SIDE)
    return _decoded(data, max_pixels, required_size, enough)


def decode_tints(data: bytes, max_pixels: int, enough: int) -> Picture:
    """As `decode`, but `grey` says how the colours differ, as `app.images.tints` has it, and not how bright they are.

    Raises: as `decode`.
    """
    return _decoded(data, max_pixels, None, enough, "RGB")


def _decoded(data: bytes, max_pixels: int, required_size: Size | None, enough: int | None, mode: str = "L") -> Picture:
    name = _format_of(data)
    try:
        size = SIZE_OF[name](data)
        orientation = orientation_of(name, data)
        _check_size(turned(size, orientation), max_pixels, required_size)
        if name == "HEIC":
            _check_parts(heic_contents(data), max_pixels)
        essentials = ESSENTIALS.get(name, bytes)(data)
    except ValueError as error:
        raise _damaged(name, data, str(error)) from error
    except (struct.error, IndexError, KeyError) as error:
        raise _damaged(name, data, "it is cut off or damaged") from error
    _check_bytes(name, essentials, size)
    picture = _by_pillow(name, essentials, size, orientation, enough, mode)
    if picture is None:
        raise _damaged(name, data, "it is cut off or damaged")
    _check_size((picture.width, picture.height), max_pixels, required_size)  # in case Pillow has read another
    return picture


def is_small(data: bytes, max_pixels: int) -> bool:
    """Whether reading the file, or finding out what is wrong with it, is quick. Takes a microsecond or two itself."""
    if may_be_plain(data):
        return len(data) <= SMALL_BYTES
    if len(data) > SMALL_BYTES and not data.startswith(PNG_SIGNATURE):  # others' size may be anywhere in them
        return False
    try:
        name = _format_of(data)
        width, height = SIZE_OF[name](data)
    except (ServiceError, ValueError, struct.error, IndexError, KeyError):  # `decode` says what is wrong with it
        return True
    few = width * height <= SMALL_PIXELS.get(name, SMALL_PIXELS_OF_OTHERS)
    return width * height > max_pixels or (few and len(data) <= SMALL_BYTES)


def _format_of(data: bytes) -> str:
    if not data:
        raise EmptyPicture()
    for name, signature in SIGNATURES:
        # a file cut off inside its signature still counts as that format, damaged and not unknown, unless the
        # signature is made of letters and the file may as well be a text
        enough = len(data) >= len(signature) or signature[0] in (0x89, 0xFF)
        if enough and all(want is None or got == want for got, want in zip(data, signature, strict=False)):
            return name
    raise UnknownFormat(
        f"Expected a {', '.join(FORMATS[:-1])} or {FORMATS[-1]}; "
        f"received {len(data)} bytes that begin with {data[:12]!r}."
    )


def _damaged(name: str, data: bytes, reason: str) -> DamagedPicture:
    return DamagedPicture(f"Expected a whole {name}; received {len(data)} bytes that can't be decoded: {reason}.")


def _check_size(size: Size, max_pixels: int, required_size: Size | None) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ValueError("it has no pixels")
    if width * height > max_pixels:
        raise TooManyPixels(
            f"Expected a picture of at most {max_pixels} pixels; received {width}x{height} = {width * height}."
        )
    if required_size and size != required_size:
        raise WrongSize(
            f"Expected a picture of {required_size[0]}x{required_size[1]} pixels; received one of {width}x{height}."
        )


def _check_parts(heic: Contents, max_pixels: int) -> None:
    limit = HEIC_PADDING + max_pixels
    if heic.largest > limit or heic.all > HEIC_PARTS * limit:
        raise TooManyPixels(
            f"Expected a HEIC whose largest part has at most {limit} pixels, and all together {HEIC_PARTS * limit}; "
            f"received {heic.largest} and {heic.all}."
        )


def _check_bytes(name: str, data: bytes, size: Size) -> None:
    limit = BYTES_BESIDE_PIXELS + BYTES_PER_PIXEL * size[0] * size[1]
    if len(data) > limit:
        raise BloatedPicture(
            f"Expected at most {limit} bytes for a {name} of {size[0]}x{size[1]} pixels; received {len(data)}."
        )


def _by_pillow(name: str, data: bytes, size: Size, orientation: int, enough: int | None, mode: str) -> Picture | None:
    """The picture by its brightness (`mode` L) or its tints (RGB), or None when Pillow can't read it.

    Pillow raises almost anything on a hostile file (OSError, SyntaxError, ValueError, struct.error, KeyError,
    MemoryError, ...), and here Pillow alone looks at a client's bytes, with `to_grey` at what it made of them. No
    exception leaves: it would hold on to Pillow's frames and their buffers, which can be a gigabyte, for as long as
    the answer takes.
    """
    try:
        if name == "HEIC":
            _register_heic()
        with Image.open(BytesIO(data), formats=[PILLOW_NAMES.get(name, name)]) as image:
            if image.size not in (size, size[::-1]):  # a TIFF may be turned by a quarter
                return None
            if name == "JPEG":
                _choose_scale(image, enough, mode)
            image.load()
            if name in TURNED_BY_PILLOW:
                size, orientation = image.size, AS_STORED
            pixels = (to_grey if mode == "L" else to_tints)(image, enough)
            return Picture(upright(pixels, orientation), *turned(size, orientation))
    except Exception:  # noqa: BLE001
        return None


def _register_heic() -> None:
    """Teaches Pillow HEIC, at the first one that comes: to import libheif takes 30 ms and 7 MB."""
    from pillow_heif import register_heif_opener

    # large pictures are decoded one by one, and shall leave the other processors to small ones
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def _choose_scale(image: Image.Image, enough: int | None, mode: str) -> None:
    """Has a JPEG decoded without the colours that `mode` lacks, and at the smallest scale that leaves `enough` pixels.

    Such a scale is less work for libjpeg, not more: it undoes a smaller cosine transform for each block. Of
    4000x3000 pixels, 1/4 takes a quarter of the time.
    """
    longer = max(image.size)
    divisor = max((each for each in JPEG_DIVISORS if enough and -(-longer // each) >= enough), default=1)
    width, height = (max(1, side // divisor) for side in image.size)
    image.draft(mode, (width, height))
