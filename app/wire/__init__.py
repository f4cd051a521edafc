"""One client's bytes: connections and their limits, how a body arrives, and how an answer leaves."""
