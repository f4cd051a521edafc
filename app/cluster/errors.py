"""What stands between this program and a Ray cluster."""

import re

from app.model.versions import first_line

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class ClusterError(Exception):
    """Ray is missing, or there is no cluster to be had; the message says why, in a sentence."""


def reason(error: Exception) -> str:
    """What `error` of Ray comes from, in a line: the exception of the process that failed, where Ray names it."""
    cause = getattr(error, "cause", None)
    return COLOURS.sub("", first_line(cause if isinstance(cause, Exception) else error)).rstrip(".") + "."
