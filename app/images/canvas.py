"""Grey pixels that are a NumPy array and a picture of Pillow's at once."""

import threading

import numpy as np
from PIL import Image

from app.images.normalize import SIDE


class Canvas(threading.local):
    """One for each thread. `pixels`, uint8 (height, 28), and `image` are the same memory: nothing is copied or made."""

    def __init__(self, height: int = SIDE) -> None:
        self.pixels = np.zeros((height, SIDE), np.uint8)
        self.image = Image.frombuffer("L", (SIDE, height), self.pixels, "raw", "L", 0, 1)
