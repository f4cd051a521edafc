"""`python -m benchmarks.picture_costs FOLDER SECONDS`: what preparing pictures costs, without a server around it.

Reads FOLDER/*.jpg, photographs, and FOLDER/*.png, small pictures. Prints a JSON object: µs of CPU by name.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import NamedTuple

from PIL import Image

from app.images.decode import decode
from app.images.fit import fit
from app.images.prepare import prepare
from app.settings import Settings

SCALED = (500, 375)  # pixels: an eighth of the photographs' sides
MAX_PIXELS = Settings().max_pixels
IN_A_ROW, LEAST = 30, 3  # calls that make one measurement; measurements of each


def pillows_own(data: bytes) -> None:
    """Pillow's own decode of a photograph, at a reduced scale: what nobody who uses Pillow can do without."""
    with Image.open(BytesIO(data)) as image:
        image.draft("L", SCALED)
        image.load()


class Work(NamedTuple):
    """Does the same `times` times."""

    run: Callable[[], object]
    times: int

    def cpu_us(self) -> float:
        """µs of this thread's CPU time, each time."""
        begin = time.thread_time()
        for _ in range(self.times):
            self.run()
        return 1e6 * (time.thread_time() - begin) / self.times


def works(folder: Path) -> dict[str, Work]:
    """What is timed, by name. A photograph leaves nothing of the small ones in the caches, so these come in rows."""
    found: dict[str, Work] = {}
    for file in sorted(folder.glob("*.jpg")):
        data = file.read_bytes()
        found[f"{file.stem}/pillow"] = Work(partial(pillows_own, data), 1)
        found[f"{file.stem}/prepare"] = Work(partial(prepare, data, MAX_PIXELS, may_fit=True), 1)
    for file in sorted(folder.glob("*.png")):
        data = file.read_bytes()
        found[f"{file.stem}/decode"] = Work(partial(decode, data, MAX_PIXELS), IN_A_ROW)
        found[f"{file.stem}/fit"] = Work(partial(fit, decode(data, MAX_PIXELS).grey), IN_A_ROW)
    return found


def costs(found: Mapping[str, Work], seconds: float) -> dict[str, float]:
    """The median of each, taken in turn for so long: what else the machine does meets all of them."""
    times: dict[str, list[float]] = {name: [] for name in found}
    end = time.monotonic() + seconds
    while time.monotonic() < end or min(map(len, times.values())) < LEAST:
        for name, work in found.items():
            times[name].append(work.cpu_us())
    return {name: median(each) for name, each in times.items()}


def main(folder: Path, seconds: float) -> None:
    """In a process of its own, on the server's CPU."""
    sys.stdout.write(json.dumps(costs(works(folder), seconds)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
