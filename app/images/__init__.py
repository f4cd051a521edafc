"""Pictures: from the bytes of a file to the numbers a network reads. Knows neither HTTP nor TensorFlow."""
