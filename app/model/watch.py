"""The model folder under watch: versions that come and go while the service answers."""

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from app.model.engines import Engine
from app.model.model import Model
from app.model.versions import ModelError, Version, candidates, identify
from app.telemetry.metrics import LOADS, MODEL_VERSION

log = logging.getLogger("digits")

STOP_SECONDS = 1  # a load mostly ends by then; neither the engine's import nor a disk that hangs is waited for
# So long Python lets this thread go on while the event loop wants its turn; otherwise it is 5 ms. Loading takes 50 ms,
# most of it Python: the slowest of 16 connections waited 31 ms for it, and waits 8; less than this buys nothing.
TURN_SECONDS = 0.0002
# What is refused is tried again when its files change; and after a while, twice as long each time, for the reason may
# have been the machine's: no memory, no file to be had, a disk that was away.
AGAIN_SECONDS, MAX_AGAIN_SECONDS = 10, 3600


class _Refused(NamedTuple):
    version: Version
    times: int  # in a row
    until: float  # time.monotonic()


class Watch:
    """Sees to it that the newest version which can be loaded is served, or the version `wanted`.

    Calls `serve` with each model that is to answer from then on, once it is loaded, checked and warmed up; and with
    None, when there is none to begin with. All in a thread: neither the disk nor the engine stops a request.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        wanted: int | None,
        every_s: float,
        serve: Callable[[Model | None], None],
    ) -> None:
        self._engine = engine
        self._folder, self._wanted, self._every_s, self._serve = folder, wanted, every_s, serve
        self._served: Version | None = None
        self._seen: Version | None = None  # by the last look: who is still copying it changes it until the next
        self._refused: dict[Path, _Refused] = {}
        self._trouble = ""  # that has been told of
        self._stopped = threading.Event()
        # a daemon: a disk that doesn't answer keeps no process from ending
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """From now on, until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Lets a load that is under way come to its end."""
        self._stopped.set()
        self._thread.join(STOP_SECONDS)

    def begin(self) -> None:
        """Loads the newest version that can be loaded, at once."""
        with self._telling_of_trouble():
            if not any(self._load(version) for version in candidates(self._folder, self._wanted)):
                raise ModelError(f"no version in {self._folder} can be served")
        if not self._served:
            self._serve(None)

    def look(self) -> bool:
        """Loads what is to be served, if that is another version, and as it was at the last look.

        Says whether it tried.
        """
        with self._telling_of_trouble():
            every = candidates(self._folder, self._wanted)
            found = next((version for version in every if not self._is_refused(version)), None)
            settled, self._seen = found == self._seen, found
            if found is None:
                raise ModelError(f"no version in {self._folder} can be served")
            if found.trouble and self._served and found.folder == self._served.folder:
                raise ModelError(f"it can't be read any more: {found.trouble}")  # no reason to go back to an older one
            if found != self._served and settled:
                self._load(found)
                return True
        return False

    def _run(self) -> None:
        with self._telling_of_trouble():
            self._engine.start()
        self.begin()
        tried = True
        while not self._stopped.wait(self._every_s):
            if tried:  # a load leaves 4 MB in circles, and so is an old reader; by now its last requests are answered
                gc.collect()  # 3 ms
            tried = self.look()

    def _load(self, version: Version) -> bool:
        """Whether `version` could be loaded, and is served now."""
        try:
            if version.trouble:
                raise ModelError(f"it can't be read: {version.trouble}")
            with _stepping_back():
                model = self._engine.load(version.folder)
            if identify(version.folder) != version:
                raise ModelError("it was changed or removed while it was loaded")
        except Exception as error:  # noqa: BLE001 - a damaged file makes TensorFlow raise anything
            self._refuse(version, error)
            return False
        self._serve(model)
        before, self._served = self._served, version
        LOADS.labels("loaded").inc()
        MODEL_VERSION.labels(model.name).set(model.version)
        if before:
            log.info("swapped: %s version %d for version %s", model.name, model.version, before.folder.name)
        else:
            log.info("ready: %s version %d", model.name, model.version)
        return True

    def _refuse(self, version: Version, error: Exception) -> None:
        LOADS.labels("refused").inc()
        unexpected = None if isinstance(error, ModelError) else error
        reason = str(error).rstrip(".")
        log.error("refused version %s: %s; %s", version.folder.name, reason, self._state(), exc_info=unexpected)
        before = self._refused.get(version.folder)
        times = before.times + 1 if before and before.version == version else 1
        again_s = min(AGAIN_SECONDS * 2 ** (times - 1), MAX_AGAIN_SECONDS)
        self._refused[version.folder] = _Refused(version, times, time.monotonic() + again_s)

    def _is_refused(self, version: Version) -> bool:
        """Whether `version` was refused, and it is too early to try again."""
        refused = self._refused.get(version.folder)
        return refused is not None and refused.version == version and time.monotonic() < refused.until

    @contextmanager
    def _telling_of_trouble(self) -> Iterator[None]:
        """Logs what is wrong with the folder as a whole: once, not at each look. Nothing ends the watch."""
        trouble = ""
        try:
            yield
        except Exception as error:
            trouble = str(error)
            if trouble != self._trouble:
                expected = isinstance(error, ModelError | OSError)
                log.error("%s: %s", self._state(), trouble, exc_info=None if expected else error)
        self._trouble = trouble

    def _state(self) -> str:
        return f"version {self._served.folder.name} serves on" if self._served else "not ready"


@contextmanager
def _stepping_back() -> Iterator[None]:
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)
