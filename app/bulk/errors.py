"""What can stop `digits read` before a file is read."""


class OutputError(Exception):
    """The rows can't be written where they should; the message says why, in a sentence."""
