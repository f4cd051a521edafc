"""What ends a training with one sentence and status 2."""


class TrainingError(Exception):
    """Bad input or options; the message says what was expected and what was found."""
