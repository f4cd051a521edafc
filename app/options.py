"""An option for each setting, for the command lines that take them."""

import argparse
from collections.abc import Container

from app.settings import Settings, default_of, option, variable


def add_settings(parser: argparse.ArgumentParser, without: Container[str] = ()) -> None:
    """An option for each field of Settings but those in `without`; None, where it isn't given."""
    parser.usage = "%(prog)s [OPTION ...]"  # two dozen names would be twenty lines before anything is said
    for name, field in Settings.model_fields.items():
        if name not in without:
            parser.add_argument(
                option(name), metavar=name.upper(), help=f"{field.description} ({variable(name)}, {default_of(name)})"
            )
