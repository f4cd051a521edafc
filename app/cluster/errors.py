"""What stands between this program and a Ray cluster."""

import re

from app.model.versions import first_line

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
CLASS = re.compile(r"^[\w.]+(Error|Exception): ")


class ClusterError(Exception):
    """Ray is missing, or there is no cluster to be had; the message says why, in a sentence."""


def reason(error: Exception) -> str:
    """What `error` of Ray comes from, in a line: the exception of the process that failed, where Ray names it."""
    cause = getattr(error, "cause", None)
    return COLOURS.sub("", first_line(cause if isinstance(cause, Exception) else error)).rstrip(".") + "."


def last_cause(traceback: str) -> str:
    """What the exception says in which `traceback` ends, in a line."""
    lines = traceback.strip().splitlines() or ["Ray doesn't say why."]
    return CLASS.sub("", COLOURS.sub("", lines[-1])).rstrip(".") + "."
