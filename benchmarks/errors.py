"""What ends a benchmark early."""


class BenchmarkError(Exception):
    """Something is missing or does not answer as it should; the message says what, in one sentence."""
