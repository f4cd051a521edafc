"""What stands between this program and a Ray cluster."""


class ClusterError(Exception):
    """Ray is missing, or there is no cluster to be had; the message says why, in a sentence."""
