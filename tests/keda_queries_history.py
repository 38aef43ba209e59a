"""Two histories of the same services: with rules as shipped, and with rules that come late.

In both, services are well until `LAST`, the time of the last scrape before their fates come. What
is stored on time answers for any time what it would have answered then; what comes late has to be
asked meanwhile.
"""

from collections.abc import Iterable, Iterator

from pd_exporter.rules.forms import alibaba_v2, recording_rules
from tests.keda_queries_service import BEGIN, STEP, Fate, Scrapes, Service
from tests.keda_queries_store import Rules, Store

LAST = BEGIN + 28 * STEP
"""A whole window of every rate, and those behind it that rules look back to."""
FATED = range(28 + 1, 28 + 5)
AWAY = BEGIN + FATED[-1] * STEP
"""The last scrape before Prometheus goes away."""
BACK = AWAY + 60
"""When it is back; it evaluates its rules before it scrapes."""
RECOVERED = BACK + 6 * STEP

_EVALUATED = 5
"""Seconds after a scrape."""
_FIRST = 5
"""The scrape from which on rules are evaluated, each minute's rate being whole."""

LATE_INTERVAL = 60
LATE_DELAY = 30
LATE_UNTIL = LAST + 480
"""The last late evaluation; scrapes go on."""
LATE_END = LATE_UNTIL + 330


class History:
    """What is scraped of services, until Prometheus is started anew.

    Staleness markers come only of what the same process has stored before.
    """

    def __init__(self, store: Store, services: Iterable[Service]) -> None:
        self._store = store
        self._scrapes = [(service, Scrapes(service)) for service in services]

    def scrape(self, time: int) -> None:
        """Store one scrape of all targets."""
        step = (time - BEGIN) // STEP
        for service, scrapes in self._scrapes:
            fate = service.fate if time > LAST else Fate.NONE
            self._store.write(time, scrapes.at(step, fate))


def prompt(store: Store, services: Iterable[Service]) -> None:
    """Rules as shipped: each 15 s. At last Prometheus is away for a minute."""
    services = list(services)
    history, rules = History(store, services), Rules(recording_rules())
    for time in range(BEGIN, AWAY + 1, STEP):
        history.scrape(time)
        if time >= BEGIN + _FIRST * STEP:
            rules.record(store, time + _EVALUATED)
    history, rules = History(store, services), Rules(recording_rules())
    rules.record(store, BACK)
    for time in range(BACK + STEP, RECOVERED + 1, STEP):
        history.scrape(time)
        rules.record(store, time + _EVALUATED)


def late(store: Store, services: Iterable[Service]) -> Iterator[int]:
    """Rules for Alibaba Managed Prometheus V2: each 60 s, and to be seen 30 s later.

    No staleness markers are written, which nobody promises of rules that are evaluated elsewhere.

    Yields:
        The time after each scrape, before what has been recorded until then is to be seen.
    """
    history, rules = History(store, services), Rules(alibaba_v2())
    for time in range(BEGIN, LATE_END + 1, STEP):
        history.scrape(time)
        yield time
        begun = time - LATE_DELAY
        if BEGIN + _FIRST * STEP <= begun <= LATE_UNTIL and (begun - LAST) % LATE_INTERVAL == 0:
            found = rules.results(store, begun)
            store.write(begun, {each: value for each, value in found.items() if value is not None})
