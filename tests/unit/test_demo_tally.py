"""What the demo's workload counts of itself."""

import pytest

from pd_exporter.demo.service.decode import Decoding
from pd_exporter.demo.service.tally import Tally
from pd_exporter.policy import REQUIRED_WORKERS

PLANNED = 0.25


def test_nothing_is_required_of_a_service_without_requests() -> None:
    truth = Tally(PLANNED).truth(1, Decoding(1))

    assert (truth.required_workers, truth.service_seconds) == (0, PLANNED)
    assert (truth.waiting, truth.oldest_wait, truth.mean_wait) == (0, 0, 0)


def test_requests_are_counted_from_client_to_worker() -> None:
    tally = Tally(PLANNED)
    for number in range(3):
        tally.sent(f"{number}")
        tally.enqueued()
    tally.dequeued("0")
    tally.done(seconds=2)
    tally.dequeued("1")
    tally.done(seconds=4)
    truth = tally.truth(1, Decoding(1))

    assert (truth.sent, truth.enqueued, truth.dequeued, truth.done) == (3, 3, 2, 2)
    assert (truth.waiting, truth.peak_waiting) == (1, 3)
    assert truth.service_seconds == 3
    assert 0 <= truth.mean_wait <= truth.longest_wait <= truth.oldest_wait


def test_required_workers_are_those_of_the_law_on_its_own_counts() -> None:
    tally = Tally(PLANNED)
    for number in range(600):
        tally.sent(f"{number}")
    truth = tally.truth(1, Decoding(1))

    # 10 a second in the last minute, less three deviations of chance, which is above 2 in five.
    offered = (10 - 3 * (10 / 60) ** 0.5) * PLANNED
    backlog = 600 * PLANNED / REQUIRED_WORKERS.drain_seconds
    required = offered + REQUIRED_WORKERS.headroom * offered**0.5 + backlog
    assert truth.required_workers == pytest.approx(required)
