"""Metrics of the exporter itself."""

from pd_exporter.samples import Desc, Kind

COLLECTOR_SUCCESS = Desc(
    "pd_collector_success",
    "Whether the collector ended within this scrape's time and without an error of its own.",
    Kind.GAUGE,
    ("collector",),
)
COLLECTOR_DURATION = Desc(
    "pd_collector_duration_seconds",
    "How long the collector has taken in this scrape.",
    Kind.GAUGE,
    ("collector",),
)
BUILD_INFO = Desc(
    "pd_exporter_build_info",
    "The exporter's version and the Python that runs it.",
    Kind.INFO,
    ("version", "python"),
)

ALL = (COLLECTOR_SUCCESS, COLLECTOR_DURATION, BUILD_INFO)
"""What the exporter says of itself, beside prometheus_client's process_* metrics."""
