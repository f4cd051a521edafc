"""What people see meanwhile on a terminal: a bar, on standard error."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

Advance = Callable[[int], None]


@contextmanager
def showing(count: Callable[[], int] | None, finished: int, wanted: bool) -> Iterator[Advance]:
    """Gives what is to be told how many files more are done; shows it, if `wanted` and anybody can see it.

    `count` says how many there are, if anybody can know; it may take long, and is called in a thread. `finished` are
    done already.
    """
    # the container's image and a small installation have no rich: the rows matter, the bar doesn't
    if not (wanted and sys.stderr.isatty() and find_spec("rich")):
        yield lambda _: None
        return
    from rich.console import Console  # takes a while, too
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(bar_width=None), MofNCompleteColumn(), TextColumn("files"), TimeRemainingColumn())
    with Progress(*columns, TextColumn("left"), console=Console(stderr=True), expand=True, transient=True) as bars:
        task = bars.add_task("", total=None, completed=finished)
        if count:
            threading.Thread(target=lambda: bars.update(task, total=count()), daemon=True).start()
        yield lambda more: bars.advance(task, more)
