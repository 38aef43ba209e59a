"""What the run has shown, and whether it is what it should be."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pd_exporter.catalogue import queue as queue_metrics
from pd_exporter.demo.plan import LOADING_REPLICAS, Plan
from pd_exporter.demo.seen.course import Course
from pd_exporter.demo.seen.memory import RoleMemory, memory_faults, memory_of_roles
from pd_exporter.demo.seen.readings import LAG, READY
from pd_exporter.demo.seen.signals import Signal, signal_faults, signals_of
from pd_exporter.demo.seen.watch import Moment
from pd_exporter.demo.service.tally import Truth


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole run.

    Attributes:
        plan: What was to be done.
        truth: What the workload did.
        burst_seconds: How long it took.
        exported: The exporter's values by metric name, at the end.
        exported_lag: The exporter's lag over the run.
        exported_wait: The wait by the exporter's page over the run, in seconds.
        recorded: The recorded series over the run by name; None without Prometheus.
        memory: GPU memory by role; none where GPUs are left out.
        signals: What a scaler reads, by its series; none without Prometheus.
    """

    plan: Plan
    truth: Truth
    burst_seconds: float
    exported: Mapping[str, float]
    exported_lag: Course | None
    exported_wait: Course | None
    recorded: Mapping[str, Course] | None
    memory: Sequence[RoleMemory]
    signals: Mapping[str, Signal]

    @property
    def lag(self) -> Course | None:
        """The recorded lag; without Prometheus the exporter's."""
        return self.exported_lag if self.recorded is None else self.recorded.get(LAG)


def summarise(
    plan: Plan,
    burst_seconds: float,
    moments: Sequence[Moment],
    recorded: Mapping[str, Sequence[float | None]] | None,
) -> Summary:
    """Put together what was seen; `recorded` is what Prometheus gives back of the run."""
    courses = None
    if recorded is not None:
        found = {name: Course.of(values) for name, values in recorded.items()}
        courses = {name: course for name, course in found.items() if course}
    return Summary(
        plan=plan,
        truth=moments[-1].truth,
        burst_seconds=burst_seconds,
        exported=moments[-1].exported,
        exported_lag=Course.of([moment.exported_lag for moment in moments]),
        exported_wait=Course.of([moment.exported_wait for moment in moments]),
        recorded=courses,
        memory=tuple(memory_of_roles(moments, recorded)),
        signals={} if recorded is None else signals_of(moments, recorded),
    )


def faults(summary: Summary) -> Iterator[str]:
    """Say what is not as it should be, a sentence each."""
    whose = "exporter's" if summary.recorded is None else "recorded"
    lag = summary.lag
    if lag is None:
        yield f"There was no {whose} lag."
    elif lag.peak <= lag.first:
        yield (
            f"The {whose} lag did not rise: it stayed at {lag.peak:g}."
            " If the burst was shorter than a few seconds, make it longer."
        )
    elif lag.last > lag.first:
        yield f"The {whose} lag did not fall back: it was {lag.last:g} at the end."
    truth = summary.truth
    # A message that a worker acknowledges at this moment may be counted on both sides.
    most = truth.peak_waiting + summary.plan.workers
    if lag is not None and lag.peak > most:
        yield f"The {whose} lag rose to {lag.peak:g}, yet at most {truth.peak_waiting} waited."
    yield from _miscounted(summary, queue_metrics.ENQUEUED.name, truth.enqueued)
    yield from _miscounted(summary, queue_metrics.DELIVERED.name, truth.dequeued)
    yield from _miscounted(summary, queue_metrics.EXPIRED.name, 0)
    yield from _miscounted(summary, READY, truth.workers + LOADING_REPLICAS)
    yield from signal_faults(summary.signals.values())
    for memory in summary.memory:
        yield from memory_faults(memory, prometheus=summary.recorded is not None)


def _miscounted(summary: Summary, metric: str, truth: int) -> Iterator[str]:
    exported = summary.exported.get(metric)
    if exported is None:
        yield f"The exporter gives no {metric}, which should be {truth}."
    elif exported != truth:
        yield f"The exporter gives {exported:g} for {metric}, which should be {truth}."
