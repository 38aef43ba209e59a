"""The dashboards on the demo: which of their queries its burst answers."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.dashboards import FILES, Asked, asked, dashboard
from tests.prometheus import Prometheus
from tests.servers import program

QUERIES = [each for file in FILES for each in asked(dashboard(file))]
NOT_REACHED = {
    "Prefill: conditions: blocked",
    "Decode: conditions: blocked",
    "Firing alerts: firing",
    "Which alerts fire: ",
    "NVML: {{node}}",
    "Age of what the sources told: {{node}} {{source}}",
    "Coverage: {{role}} Dynamo workers",
    "Pending: cap of {{group}} {{role}}: {{stream}}/{{consumer}}",
    "Queues: cap",
}
"""Panels and legends of what the demo does not have, and the component tests have series of.

That is a policy, an alert that fires, a driver, a cap, and Dynamo's workers.
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    command = [sys.executable, "-m", "pd_exporter", "demo", "--keep"]
    command += ["--prometheus", program("prometheus")]
    environment = {"TMPDIR": str(tmp_path_factory.mktemp("demo")), "PATH": "/nowhere"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as demo:
        try:
            lines = iter(demo.stdout or ())
            port = next(
                found[1] for line in lines if (found := re.search(r":(\d+)/api/v1/query\?", line))
            )
            asking = Prometheus(int(port))
            yield asking
            asking.close()
        finally:
            demo.terminate()


def points(server: Prometheus, query: Asked) -> int:
    """Series that the query has in the last two minutes."""
    ranged = f"count_over_time(({query.substituted()})[2m:2s])"
    return len(server.query(ranged, round(time.time() * 1000)))


@pytest.mark.timeout(300)
def test_the_demo_s_burst_answers_all_queries_but_those_of_states_that_it_does_not_reach(
    server: Prometheus,
) -> None:
    silent = {f"{each.panel}: {each.legend}" for each in QUERIES if not points(server, each)}

    assert silent <= NOT_REACHED
