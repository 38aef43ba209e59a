"""Shipped ScaledObjects' queries, asked of a real Prometheus as KEDA asks, up to HPA replicas."""

import http.client
import json
import re
from collections.abc import Iterator

import pytest

from pd_exporter.policy import FRESH_SECONDS
from pd_exporter.rules.forms import LATE_SECONDS
from pd_exporter.rules.triggers import SIGNALS
from tests import keda_queries_history as history
from tests.keda_queries import Asked
from tests.keda_queries_expected import (
    ASKED,
    EVERY,
    EXPECTED,
    FATED,
    NEIGHBOURS,
    figure,
    ours,
)
from tests.keda_queries_service import Fate, Service
from tests.keda_queries_store import Store, store_in

pytestmark = pytest.mark.timeout(300)

PROMPT = [asked for asked in ASKED if not asked.late]
LONGEST_REQUEST = 8192
"""The longest line of a request that nginx takes unless it is told otherwise."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with store_in(tmp_path_factory.mktemp("prompt")) as running:
        history.prompt(running, EVERY)
        yield running


@pytest.mark.parametrize("asked", PROMPT, ids=str)
def test_a_query_has_one_element_and_gives_the_replicas_of_the_service_s_figures(
    store: Store, asked: Asked
) -> None:
    status, body = asked.ask(store, history.LAST + 10)
    answer = json.loads(body)
    value = asked.read((status, body))

    assert status == http.client.OK
    assert answer["data"]["resultType"] == "vector"
    assert len(answer["data"]["result"]) == 1
    assert value == pytest.approx(ours(asked))
    assert asked.climb(value, seconds=300) == EXPECTED[asked.signal].replicas


@pytest.mark.parametrize("other", NEIGHBOURS, ids=lambda each: f"{each.namespace}-{each.group}")
@pytest.mark.parametrize("asked", PROMPT, ids=str)
def test_other_services_have_numbers_of_their_own(
    store: Store, asked: Asked, other: Service
) -> None:
    value = asked.value(store, history.LAST + 10, (other.namespace, other.group))

    assert value == pytest.approx(figure(asked.signal, other))


@pytest.mark.parametrize("fate", [each.fate for each in FATED])
@pytest.mark.parametrize("asked", PROMPT, ids=str)
def test_a_number_lasts_until_the_next_scrape_and_is_gone_within_a_minute(
    store: Store, asked: Asked, fate: Fate
) -> None:
    of = ("default", fate.value)

    assert asked.value(store, history.LAST + 10, of) == pytest.approx(ours(asked))
    if fate in EXPECTED[asked.signal].ending:
        assert asked.finds_nothing(store, history.LAST + 60, of)
    else:
        value = asked.value(store, history.LAST + 60, of)
        # The fifth instance is taken to be like the mean of the four that still tell.
        assert value == pytest.approx(ours(asked), rel=0.06 if fate is Fate.ONE_INSTANCE else 1e-6)


@pytest.mark.parametrize("asked", PROMPT, ids=str)
def test_what_was_before_prometheus_was_away_is_gone_when_it_is_back(
    store: Store, asked: Asked
) -> None:
    again = asked.value(store, history.RECOVERED + 10)

    assert asked.value(store, history.AWAY + 10) == pytest.approx(ours(asked))
    assert asked.finds_nothing(store, history.BACK + 1)
    # Rates of the first seconds are short, and what is measured of the service time with them.
    assert again == pytest.approx(ours(asked), rel=0.01)


def test_a_request_is_shorter_than_servers_and_proxies_take() -> None:
    lengths = [len(f"GET {asked.request(history.LAST)} HTTP/1.1\r\n") for asked in ASKED]

    assert 4000 < max(lengths) < LONGEST_REQUEST


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_targets_are_averages_with_the_shipped_thresholds(asked: Asked) -> None:
    metadata = asked.trigger["metadata"]

    assert asked.trigger["type"] == "prometheus"
    assert asked.trigger["metricType"] == "AverageValue"
    assert float(metadata["threshold"]) == EXPECTED[asked.signal].threshold > 0
    assert metadata["ignoreNullValues"] == "false"


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_a_query_is_its_signal_s(asked: Asked) -> None:
    identity = 'namespace="{}",group="{}"'.format(*asked.service)
    queries = {
        query
        for signal in SIGNALS
        for of in [f'{identity},role="{signal.role}"']
        for query in (
            signal.recorded(LATE_SECONDS if asked.late else FRESH_SECONDS, of),
            signal.scraped(of),
        )
        if query
    }

    def bare(query: str) -> str:
        return re.sub(r"\s", "", query)

    assert bare(asked.query) in set(map(bare, queries))
