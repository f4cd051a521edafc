"""What keeps the service from starting."""


class StartError(Exception):
    """The machine doesn't give what the service needs; the message says what, in a sentence for the operator."""
