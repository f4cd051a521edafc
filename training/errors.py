"""What ends a training with one sentence and a status of its own."""


class TrainingError(Exception):
    """Status 2: bad input or options; the message says what was expected and what was found."""


class Refused(Exception):
    """Status 3: what was trained is worse than what is there; the message says by how much."""


class Interrupted(KeyboardInterrupt):
    """Status 130: the message says how to go on."""
