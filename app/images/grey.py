"""What Pillow has decoded, in any of its modes → grey pixels of 8 bits."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.images.normalize import Grey

# Samples say how bright they are, but mostly not what white is. Those of cameras and scanners have 10, 12 or 14 bits
# in 16; 15 are missing, because a picture of 16 bits may well be that dark.
WHITE_OF_16_BITS = tuple(2.0**bits - 1 for bits in (8, 10, 12, 14, 16))
WHITE_OF_32_BITS = (*WHITE_OF_16_BITS[:-1], *(2.0**bits - 1 for bits in (15, 16, 24, 31, 32)))
WHITE_OF_FLOATS = (1.0, *(2.0**bits - 1 for bits in (8, 16, 32)))
OVERSHOOT = 1.5  # a float may lie beyond white: sharpening and resampling do that
DARK = 0.25  # of white: a float picture that is darker than that was meant to have another white
NEGATIVE = -0.25  # of white: what is not below is such overshoot, too, and black
TIFF_PHOTOMETRIC, TIFF_SAMPLE_FORMAT = 262, 339
WHITE_IS_ZERO, UNSIGNED = 0, (1,)

# How far a visible pixel may be from the one colour of a drawing, of 255, weighed by its opacity: editors keep the
# colour of an edge to the precision that its opacity leaves, lossy formats change it by some steps.
SAME_COLOUR = 12
TASTE = 65_536  # pixels that are looked at before all are


def to_grey(image: Image.Image, enough: int | None) -> Grey:
    """The pixels of a loaded picture: uint8 (height, width), 0..255. `app.images.decode` says what of.

    Where the longer side is at least twice `enough`, areas of 2x2, 3x3, ... pixels become one.
    Raises: ValueError when a sample is not a number.
    """
    factor = max(1, max(image.size) // enough) if enough else 1
    if image.mode.startswith("I;16"):
        image = Image.fromarray(_from_16_bits(_samples(image), image.info.get("transparency")))
    elif image.mode in ("I", "F"):
        image = Image.fromarray(_to_8_bits(_samples(image)))
    if image.has_transparency_data:
        return _flatten(np.asarray(_reduced(image.convert("RGBA"), factor)))
    if image.mode in ("CMYK", "LAB", "HSV", "YCbCr"):  # these reach grey by way of RGB
        image = image.convert("RGB")
    return np.asarray(_reduced(image if image.mode == "L" else image.convert("L"), factor))


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    return image.reduce(factor) if factor > 1 else image


def _samples(image: Image.Image) -> NDArray[np.generic]:
    """The samples as the file has them. Pillow doesn't heed two of a TIFF's tags where they have 16 bits or more."""
    samples = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "I" and tags.get(TIFF_SAMPLE_FORMAT, UNSIGNED) == UNSIGNED:
        samples = samples.view(np.uint32)
    if tags.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO and samples.dtype.kind == "u":
        samples = ~samples
    return samples


def _from_16_bits(samples: NDArray[np.generic], transparent: object) -> Grey:
    """Samples of 16 bits → uint8. `transparent`: the sample that is, or None."""
    grey = _to_8_bits(samples)
    if not isinstance(transparent, int):
        return grey
    opacity = np.where(samples == np.uint16(transparent), 0, 255).astype(np.uint8)
    return _flatten(np.dstack([grey, grey, grey, opacity]))


def _to_8_bits(samples: NDArray[np.generic]) -> Grey:
    """Whole numbers of 16 or 32 bits, or floats → uint8.

    The format doesn't say what is white in them: for whole numbers it is the least usual white that none exceeds.
    Where some are far below zero, black is as far below it as white is above.
    """
    low, high = float(samples.min()), float(samples.max())
    white = _white(samples.dtype, max(-low, high))
    black = 0.0 if low >= NEGATIVE * white else -white
    if samples.dtype.itemsize == 2 and white == WHITE_OF_16_BITS[-1]:
        # the high byte: exact whether 8 bits were widened as v * 257 or as v * 256
        return (samples.astype(np.uint16) >> 8).astype(np.uint8)
    scale = 255 / (white - black)
    values: NDArray[np.float32] = samples.astype(np.float32) * np.float32(scale) - np.float32(black * scale)
    grey: Grey = np.rint(values.clip(0, 255)).astype(np.uint8)
    return grey


def _white(kind: np.dtype[np.generic], high: float) -> float:
    """The sample that is white, in a picture of samples of `kind`, the largest of which is `high`."""
    if not np.isfinite(high):
        raise ValueError("a sample is not a finite number")
    if kind.kind != "f":
        return next(white for white in (WHITE_OF_16_BITS if kind.itemsize == 2 else WHITE_OF_32_BITS) if high <= white)
    white = next((white for white in WHITE_OF_FLOATS if high <= OVERSHOOT * white), high)
    return high if white > 1 and high < DARK * white else white


def _flatten(rgba: NDArray[np.uint8]) -> Grey:
    """Pixels with opacity, uint8 (height, width, 4) → grey, uint8 (height, width)."""
    if _is_ink_on_nothing(rgba):
        return rgba[..., 3].copy()
    paper = Image.new("RGBA", (rgba.shape[1], rgba.shape[0]), "white")
    return np.asarray(Image.alpha_composite(paper, Image.fromarray(rgba, "RGBA")).convert("L"))


def _is_ink_on_nothing(rgba: NDArray[np.uint8]) -> bool:
    """Whether all that is visible has one colour, or nearly, and not everything is opaque."""
    opacity = rgba[..., 3]
    if opacity.min() == 255 or opacity.max() == 0:
        return False
    colour = rgba.reshape(-1, 4)[opacity.argmax(), :3]
    step = max(1, opacity.size // TASTE)
    return all(_has_colour(part, colour) for part in (rgba.reshape(-1, 4)[::step], rgba.reshape(-1, 4)))


def _has_colour(rgba: NDArray[np.uint8], colour: NDArray[np.uint8]) -> bool:
    """Whether each pixel of uint8 (n, 4) has the colour, uint8 (3,), as far as it is seen."""
    opacity = rgba[:, 3].astype(np.uint16)
    for channel in range(3):
        values, expected = rgba[:, channel], colour[channel]
        deviation = np.maximum(values, expected) - np.minimum(values, expected)
        if (deviation * opacity).max() > SAME_COLOUR * 255:
            return False
    return True
