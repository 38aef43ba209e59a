"""The exporter itself: whether it is scraped, what that costs, and what it cannot read."""

from dashboards.board import Board, Panel
from dashboards.panels import graph
from dashboards.query import SERVICES, Query, failures, highest, latest
from dashboards.states import states
from dashboards.tables import table
from dashboards.variables import jobs, services
from pd_exporter.catalogue import gpu, own, queue, roles

_JOBS = 'job=~"$job"'
_REPLICA = "{{job}} {{instance}}"
_OF_REPLICA = ("job", "instance")


def board() -> Board:
    """The dashboard of the exporter."""
    return Board(
        uid="pd-exporter",
        title="PD autoscaling: exporter",
        description="Each replica of the exporter: scrapes, collectors, resources and errors.",
        variables=(*services(), jobs()),
        rows={"Scrapes": _scrapes(), "Collectors": _collectors(), "Process": _process()},
    )


def _of_replica(name: str) -> Query:
    return Query(highest(f"{name}{{{_JOBS}}}", _OF_REPLICA), _REPLICA)


def _scrapes() -> list[Panel]:
    return [
        states(
            "Up",
            "Whether Prometheus reaches each replica; with none up, every series of the exporter is"
            " absent and replicas of the services stand still.",
            [_of_replica("up")],
        ),
        graph(
            "Scrape duration",
            "How long a scrape takes; near the scrape timeout (Prometheus's own is 10 s), the"
            " slowest collector loses its series first.",
            "s",
            [_of_replica("scrape_duration_seconds")],
        ),
        graph(
            "Series per scrape",
            "Samples that each scrape brings; a fall is something that is no longer read, and says"
            " how much.",
            "short",
            [_of_replica("scrape_samples_scraped")],
        ),
    ]


def _collectors() -> list[Panel]:
    by = ("instance", "collector")
    success = latest(own.COLLECTOR_SUCCESS, _JOBS, by)
    duration = latest(own.COLLECTOR_DURATION, _JOBS, by)
    queues = failures(queue.ERRORS, SERVICES, ("group", "role", "reason"))
    gpus = failures(gpu.ERRORS, _JOBS, ("node", "reason"))
    versions = ("job", "instance", "version", "python")
    return [
        states(
            "Collectors",
            "Whether each collector ends in time and without an error of its own; one that does not"
            " costs its own series only.",
            [Query(success, "{{instance}} {{collector}}")],
        ),
        graph(
            "Collector duration",
            "Which collector makes scrapes long.",
            "s",
            [Query(duration, "{{instance}} {{collector}}")],
        ),
        states(
            "Watched objects",
            "Whether the objects of each kind are up to date; where not, what is told of roles is"
            " absent, and access rights or the API server are the place to look.",
            [Query(latest(roles.SOURCE_UP), "{{source_namespace}} {{resource}}")],
        ),
        graph(
            "Errors of queues",
            "Readings of queues that failed, of all replicas, by reason.",
            "short",
            [Query(queues, "{{group}} {{role}}: {{reason}}")],
        ),
        graph(
            "Errors of GPUs",
            "Readings of GPUs that failed, by node and reason.",
            "short",
            [Query(gpus, "{{node}}: {{reason}}")],
        ),
        table(
            "Versions",
            "What runs; two versions at once are a rollout, or one that is stuck.",
            versions,
            [Query(latest(own.BUILD_INFO, _JOBS, versions), "")],
            width=8,
        ),
    ]


def _process() -> list[Panel]:
    cpu = highest(f"rate(process_cpu_seconds_total{{{_JOBS}}}[$__rate_interval])", _OF_REPLICA)
    return [
        graph(
            "Memory",
            "Resident memory; a steady rise over days is a leak to report.",
            "bytes",
            [_of_replica("process_resident_memory_bytes")],
        ),
        graph(
            "CPU",
            "Cores in use; far above its usual height, look at scrape duration and series.",
            "none",
            [Query(cpu, _REPLICA)],
        ),
        graph(
            "Open files",
            "Files and connections; a steady rise over days is a leak to report.",
            "short",
            [_of_replica("process_open_fds")],
        ),
    ]
