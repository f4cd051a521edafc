"""What is seen from outside the answers: the id of each request, its line in the log, and the metrics."""
