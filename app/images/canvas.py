"""28x28 grey pixels that are a NumPy array and a picture of Pillow's at once."""

import threading

import numpy as np
from PIL import Image

from app.images.normalize import SIDE


class Canvas(threading.local):
    """One for each thread. `pixels`, uint8 (28, 28), and `image` are the same memory, so nothing is copied or made."""

    def __init__(self) -> None:
        self.pixels = np.zeros((SIDE, SIDE), np.uint8)
        self.image = Image.frombuffer("L", (SIDE, SIDE), self.pixels, "raw", "L", 0, 1)
