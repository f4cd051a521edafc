"""GET /metrics behind Ray: whichever replica is asked answers for all, each with a label of its own.

Added up, a counter would fall when a replica ends, and Prometheus take that for a restart; with a label each counts
for itself.
"""

import asyncio
import logging
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from app.telemetry.metrics import render

log = logging.getLogger("digits")

LABEL = "replica"
WAIT_SECONDS = 5.0  # for the figures of the others: one that is just dying has none


async def of_this_replica(engine: str) -> tuple[str, bytes]:
    """Its id, and its figures in Prometheus' text format. `engine` runs its model."""
    from ray import serve

    return serve.get_replica_context().replica_id.unique_id, await asyncio.to_thread(render, engine)


async def of_all_replicas(application: str, deployment: str) -> bytes:
    """All their figures in Prometheus' text format, each with the label `replica`; of those that answer in time."""
    from ray import serve

    handle = serve.get_deployment_handle(deployment, application)
    answers = await handle.broadcast("figures").results_async(timeout_s=WAIT_SECONDS, return_exceptions=True)
    for each in answers:
        if isinstance(each, BaseException):
            log.warning("a replica has no figures: %s", each)
    figures = {each[0]: each[1] for each in answers if isinstance(each, tuple)}
    return await asyncio.to_thread(merged, figures)


def merged(figures: dict[str, bytes]) -> bytes:
    """Those of several replicas, by id, as one text."""
    families: dict[str, Metric] = {}
    for replica, text in sorted(figures.items()):
        for family in text_string_to_metric_families(text.decode()):
            samples = [each._replace(labels={**each.labels, LABEL: replica}) for each in family.samples]
            families.setdefault(family.name, Metric(family.name, family.documentation, family.type)).samples += samples
    registry = CollectorRegistry()
    registry.register(_Families(families.values()))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
