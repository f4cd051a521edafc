"""What the command lines here have in common. Imports nothing that takes time: --help and errors come at once."""

import argparse
from collections.abc import Callable


def command_line(prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """A parser that shows `epilog`, its examples, as they are written, and takes no option by half its name."""
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `least`, which is 0 or more, to `most`."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, got {text!r}")
        return int(text)

    return read
