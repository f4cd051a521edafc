"""The service: a picture of a digit in, the digit and its probabilities out."""

__version__ = "0.1.0"
