"""What a process of the service knows of its life, and of that of the others that serve the same address."""

import time
from collections.abc import MutableSequence
from dataclasses import dataclass, field


@dataclass
class Lifecycle:
    """By default, of a process that serves alone.

    `loaded`, `heard` and `orphaned` are shared. For each process: whether it has once loaded its model; when it last
    gave a sign of life (time.monotonic, which is the same in all); and since when it is away, so that nobody serves its
    socket, or 0. `index` is the place of this one; `replaces` says that it
    takes the place of one that died. `stopping` is true from the first signal on.
    """

    loaded: MutableSequence[int] = field(default_factory=lambda: [0])
    heard: MutableSequence[float] = field(default_factory=lambda: [0.0])
    orphaned: MutableSequence[float] = field(default_factory=lambda: [0.0])
    index: int = 0
    replaces: bool = False
    stopping: bool = False

    @property
    def alone(self) -> bool:
        return len(self.loaded) == 1

    @property
    def all_loaded(self) -> bool:
        """Whether no client can meet a process that has never loaded its model."""
        return all(self.loaded)

    @property
    def has_loaded(self) -> bool:
        """Whether this process has loaded its model."""
        return bool(self.loaded[self.index])

    def mark_loaded(self) -> None:
        """This process has loaded its model."""
        self.loaded[self.index] = 1

    def mark_serving(self) -> None:
        """This process serves its socket."""
        self.orphaned[self.index] = 0.0

    def beat(self) -> None:
        """A sign of life."""
        self.heard[self.index] = time.monotonic()
