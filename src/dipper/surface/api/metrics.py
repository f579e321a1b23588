"""`/metrics`: the platform in the text form that Prometheus reads, computed when it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from dipper.surface.api.platform import Bank, Platform
from dipper.surface.status import lake_files

router = APIRouter(tags=["health"])


@router.get("/metrics", summary="Metrics for Prometheus")
def metrics(bank: Bank) -> Response:
    """Records, lag, what became of what was received, and files of the lake."""
    registry = CollectorRegistry()
    registry.register(_Once(list(_measured(bank))))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Once(Collector):
    """Metrics that were measured for one answer."""

    def __init__(self, measured: list[Metric]) -> None:
        self._measured = measured

    def collect(self) -> Iterable[Metric]:
        return self._measured


def _measured(bank: Platform) -> Iterator[Metric]:
    health = bank.health()
    records = CounterMetricFamily("dipper_log_records", "Synced records", labels=["partition"])
    projected = CounterMetricFamily(
        "dipper_projected_records", "Records in the subject state", labels=["partition"]
    )
    in_lake = CounterMetricFamily(
        "dipper_lake_records", "Records in the lake", labels=["partition"]
    )
    lag = GaugeMetricFamily(
        "dipper_projection_lag_records", "Records not projected yet", labels=["partition"]
    )
    gateways = GaugeMetricFamily("dipper_gateway_up", "Gateway answers", labels=["partition"])
    for part in health.partitions:
        label = [str(part.partition)]
        records.add_metric(label, part.records)
        projected.add_metric(label, part.projected)
        in_lake.add_metric(label, part.in_lake)
        lag.add_metric(label, part.lag)
        gateways.add_metric(label, part.gateway)
    yield from (records, projected, in_lake, lag, gateways)
    yield GaugeMetricFamily("dipper_worker_up", "A worker runs", value=health.worker)
    yield from _conserved(bank)
    with bank.lake_turn:
        fresh, sorted_files = lake_files(bank.workspace)
    yield GaugeMetricFamily("dipper_lake_fresh_files", "Files not compacted yet", value=fresh)
    yield GaugeMetricFamily("dipper_lake_sorted_files", "Sorted files", value=sorted_files)


def _conserved(bank: Platform) -> Iterator[Metric]:
    """received = good + failed + duplicate + refused, for every source."""
    counted = bank.counted()
    received = CounterMetricFamily("dipper_received", "Records received", labels=["source"])
    became = CounterMetricFamily(
        "dipper_received_as", "What became of them", labels=["source", "verdict"]
    )
    for source, counts in counted.by_source().items():
        received.add_metric([source], counts.received)
        for verdict, count in counts._asdict().items():
            became.add_metric([source, verdict], count)
    yield received
    yield became
    yield GaugeMetricFamily(
        "dipper_uncounted_records", "Records these counts have not seen yet", value=counted.behind
    )
