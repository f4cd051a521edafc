"""The same application on Ray: served by replicas on one machine or many. For `python -m app.cluster`."""
