"""The model: from rows of numbers to probabilities. Knows TensorFlow and LiteRT, and neither pictures nor HTTP."""
