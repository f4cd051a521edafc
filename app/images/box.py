"""A part of a picture."""

Box = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom are the first beyond
