"""The model: from rows of numbers to probabilities. Knows TensorFlow, and neither pictures nor HTTP."""
