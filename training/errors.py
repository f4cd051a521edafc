"""What ends a training with one sentence and status 2."""


class TrainingError(Exception):
    """Bad input or options; the message says what was expected and what was found."""


def first_line(error: Exception) -> str:
    """What `error` says, without what libraries put below it."""
    return (str(error).splitlines() or [type(error).__name__])[0]
