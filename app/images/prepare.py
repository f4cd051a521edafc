"""The bytes of a picture file → the 28x28 that the model is shown, and what was done on the way."""

import base64
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

from app.errors import BlankPicture
from app.images.box import Box
from app.images.decode import decode, decode_tints
from app.images.fitting import fit
from app.images.normalize import SIDE, Grey
from app.images.resemblance import looks_like_mnist

if TYPE_CHECKING:
    from app.images.fit import Fitted

# Pixels of the longer side that suffice: a digit that is a tenth of it still has strokes, and a photograph of 4000x3000
# is decoded at an eighth of that.
ENOUGH = 500


class PictureNote(NamedTuple):
    """What was found and done on the way from the file to 28x28.

    `width`, `height`: in pixels, of the upright picture as it was sent. `box`: left, top, right, bottom of the digit
    in it; None where the picture was taken as it is. `inverted`: dark ink on light paper was turned round.
    `warnings`: what may have made the answer wrong. `preview`: the 28x28 as PNG in base64, when asked for.
    """

    width: int
    height: int
    fitted: bool = False
    inverted: bool = False
    box: Box | None = None
    warnings: tuple[str, ...] = ()
    preview: str | None = None


AS_IT_IS = PictureNote(SIDE, SIDE)


def prepare(data: bytes, max_pixels: int, may_fit: bool, preview: bool = False) -> tuple[Grey, PictureNote]:
    """The file `data` as uint8 (28, 28), white ink on black, and what was done to it.

    A picture that looks as MNIST's do is left exactly as it is, any other is fitted. Without `may_fit` only 28x28
    will do, whatever it looks like, if it isn't blank. Raises: a ServiceError that says what is wrong with the picture.
    """
    picture = decode(data, max_pixels, None if may_fit else (SIDE, SIDE), ENOUGH)
    if not may_fit and picture.grey.min() == picture.grey.max():
        raise BlankPicture()
    if not may_fit or looks_like_mnist(picture.grey):
        image, note = picture.grey, AS_IT_IS
    else:
        fitted = _fitted(data, picture.grey, max_pixels)
        image = fitted.image
        note = _note(fitted, picture.width, picture.height, picture.width / picture.grey.shape[1])
    return image, note._replace(preview=_png_base64(image)) if preview else note


def _fitted(data: bytes, grey: Grey, max_pixels: int) -> "Fitted":
    """`grey`, fitted; where nothing in it stands out, the picture's colours are looked at as well."""
    with suppress(BlankPicture):
        return fit(grey)
    return fit(decode_tints(data, max_pixels, ENOUGH).grey)


def _note(fitted: "Fitted", width: int, height: int, scale: float) -> PictureNote:
    left, top, right, bottom = (round(each * scale) for each in fitted.box)
    box = left, top, min(right, width), min(bottom, height)
    return PictureNote(width, height, True, fitted.inverted, box, fitted.warnings)


def _png_base64(image: Grey) -> str:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")
