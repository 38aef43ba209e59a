"""The queries of triggers, of recorded and of scraped series, say the same, or nothing."""

from pathlib import Path

import pytest

from pd_exporter.autoscaler import laws
from pd_exporter.policy import REQUIRED_WORKERS
from pd_exporter.rules.triggers import SIGNALS, Signal
from tests.promtool import ask

PREFILL = [signal for signal in SIGNALS if signal.scraped()]
QUEUE = {
    "pd_queue_up": "1x80",
    "pd_queue_pending_messages": "12x80",
    "pd_queue_ack_pending_messages": "3x80",
    "pd_queue_enqueued_messages_total": "1000+90x80",
    "pd_queue_delivered_messages_total": "1000+90x80",
    "pd_queue_service_prior_seconds": "0.5x80",
    "pd_queue_worker_concurrency": "4x80",
}
"""6 requests a second."""
EXPECTED = {
    "role:pd_required_workers:sum": laws.required_workers(6, 0.5, 12, 4, REQUIRED_WORKERS),
    "role:pd_lag_messages:sum": 15,
}


@pytest.mark.parametrize("signal", PREFILL, ids=lambda signal: signal.series)
@pytest.mark.parametrize("query", ["recorded", "scraped"])
def test_both_queries_give_the_signal(signal: Signal, query: str, tmp_path: Path) -> None:
    expression = signal.recorded() if query == "recorded" else signal.scraped()

    ask(expression, QUEUE, "10m", round(EXPECTED[signal.series], 6), tmp_path)


@pytest.mark.parametrize("signal", PREFILL, ids=lambda signal: signal.series)
@pytest.mark.parametrize("lost", ["pd_queue_pending_messages", "pd_queue_up"])
def test_a_scraped_query_is_empty_as_soon_as_an_input_is(
    signal: Signal, lost: str, tmp_path: Path
) -> None:
    series = QUEUE | {lost: f"{QUEUE[lost].split('x')[0]}x39 stale"}

    ask(signal.scraped(), series, "10m", None, tmp_path)


@pytest.mark.parametrize("signal", PREFILL, ids=lambda signal: signal.series)
def test_a_scraped_query_is_empty_when_samples_stop_without_a_marker(
    signal: Signal, tmp_path: Path
) -> None:
    stopped = {name: values.replace("x80", "x40") for name, values in QUEUE.items()}

    ask(f"count({signal.scraped()})", stopped, "10m44s", 1, tmp_path)
    ask(signal.scraped(), stopped, "10m45s", None, tmp_path)


def test_without_any_service_time_nothing_is_required(tmp_path: Path) -> None:
    unknown = {name: values for name, values in QUEUE.items() if "prior" not in name}

    for signal in PREFILL:
        expected = None if "required" in signal.series else EXPECTED[signal.series]
        ask(signal.scraped(), unknown, "10m", expected, tmp_path)
