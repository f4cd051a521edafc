"""Measures the service against what HTTP alone costs, the usual tutorial, and other model servers."""
