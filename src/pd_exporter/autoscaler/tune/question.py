"""From the command line's arguments to what is asked of the tuner, told in words too."""

import argparse
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import cycle, islice

from pd_exporter.autoscaler.generated import generate
from pd_exporter.autoscaler.setting import SignalPath
from pd_exporter.autoscaler.signals import Ack
from pd_exporter.autoscaler.traces import Trace, read_trace
from pd_exporter.autoscaler.tune.score import Goal, Judge, Measure
from pd_exporter.autoscaler.tune.search import Question
from pd_exporter.autoscaler.workload import Workload, service_by_distribution, service_by_tokens

UNSCORED_SECONDS = 600.0
"""Of a trace's beginning, by default; a fifth of a trace that is shorter than 50 minutes."""

SHORT_SECONDS = 1800.0
"""A trace below this shows no more than one scale-out and one scale-in of a swing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what a reader needs to know of it.

    Attributes:
        title: The trace's name.
        question: The question.
        facts: What it is about, name and words.
    """

    title: str
    question: Question
    facts: dict[str, str]


def ask(parsed: argparse.Namespace, progress: Callable[[int], None]) -> Asked:
    """Read or generate the trace, and put the question.

    Args:
        parsed: The arguments of ``pd-exporter tune``.
        progress: Gets the number of bytes of the trace that have been read.

    Raises:
        ValueError: The trace cannot be used, or an argument is out of range; `TraceError` is one.
    """
    traces = _traces(parsed, progress)
    draws = parsed.phases if parsed.service_seconds is not None and parsed.service_cv else 1
    workloads = tuple(
        _workload(parsed, trace, parsed.seed + number)
        for number, trace in enumerate(islice(cycle(traces), max(draws, len(traces))))
    )
    measure = Measure.TTFT if parsed.ttft is not None else Measure.WAIT
    goal = Goal(measure, parsed.ttft if parsed.ttft is not None else parsed.wait, parsed.quantile)
    shortest = min(workload.duration for workload in workloads)
    unscored = min(UNSCORED_SECONDS, shortest / 5) if parsed.unscored is None else parsed.unscored
    judge = Judge(workloads, goal, unscored)
    _check(judge, parsed.max_replicas)
    path = SignalPath(parsed.scrape, parsed.rule, missed_scrapes=parsed.missed_scrapes)
    service = parsed.prior or statistics.fmean(each.mean_service_seconds for each in workloads)
    question = Question(
        judge,
        parsed.max_replicas,
        path,
        float(f"{service:.4g}"),  # as it stands in the query
        parsed.intervals,
        parsed.phases,
        parsed.seed,
    )
    return Asked(traces[0].name, question, _facts(traces, question))


def _check(judge: Judge, max_replicas: int) -> None:
    """Refuse what no setting can do."""
    busy = max(workload.offered_workers for workload in judge.workloads)
    if busy >= max_replicas:
        raise ValueError(
            f"{busy:.1f} workers are busy on average and --max-replicas is {max_replicas}: no"
            " setting keeps up; raise it, or check the service time"
        )
    if judge.ceiling() < 0.01:
        raise ValueError(
            f"a {judge.goal.measure.words} of {judge.goal.seconds:g} s cannot be had: the service"
            " alone takes longer for 99 % of the requests; raise the goal, or check the service"
            " time"
        )


def _traces(parsed: argparse.Namespace, progress: Callable[[int], None]) -> list[Trace]:
    if parsed.generate is None:
        return [read_trace(parsed.trace, parsed.format, progress)]
    return [generate(parsed.generate, parsed.seed + number) for number in range(parsed.phases)]


def _workload(parsed: argparse.Namespace, trace: Trace, seed: int) -> Workload:
    if parsed.tokens_per_second is not None:
        service = service_by_tokens(trace, parsed.tokens_per_second, parsed.overhead)
    else:
        service = service_by_distribution(
            len(trace), parsed.service_seconds, parsed.service_cv, seed
        )
    workload = Workload(
        trace.arrivals,
        service,
        concurrency=parsed.concurrency,
        startup_seconds=parsed.startup,
        ack=Ack(parsed.ack),
    )
    initial = parsed.initial_replicas or max(1, math.ceil(workload.offered_workers))
    return replace(workload, initial_replicas=min(initial, parsed.max_replicas))


def _facts(traces: list[Trace], question: Question) -> dict[str, str]:
    trace, judge, path = traces[0], question.judge, question.path
    workload = judge.workloads[0]
    draws = f"; {len(judge.workloads)} draws" * (len(judge.workloads) > 1)
    facts = {
        "requests": f"{len(trace):,} in {trace.duration_seconds:,.0f} s, {trace.rate:.2f}/s,"
        f" coefficient of variation of the times between them {trace.arrival_cv:.2f}{draws}",
        "service time": f"{workload.mean_service_seconds:.3g} s on average;"
        f" {workload.offered_workers:.2f} workers busy on average if nobody waited",
        "replica": f"{_count(workload.concurrency, 'request')} at a time, serves"
        f" {workload.startup_seconds:g} s after it was asked for",
        "queue": f"workers acknowledge {workload.ack.words}",
        "replicas": f"{workload.initial_replicas} at first, then 1 to {question.max_replicas}",
        "signal": f"scraped every {path.scrape_seconds:g} s, rules every {path.rule_seconds:g} s,"
        f" HPA every {path.sync_seconds:g} s",
        "goal": str(judge.goal),
        "ceiling": f"{100 * judge.ceiling():.2f} % attain it where nobody waits"
        + _lowered(question),
        "scored": f"requests from second {judge.unscored_seconds:.0f} on, in {question.phases}"
        " replays that differ in when scrapes, rules and syncs fall",
    }
    if workload.duration < SHORT_SECONDS:
        facts["caution"] = (
            "a trace of less than half an hour: settings that swing within the hour look better on"
            " it than they are"
        )
    return facts


def _lowered(question: Question) -> str:
    if question.target == question.judge.goal.share:
        return ""
    return f", fewer than the goal asks: the target is {100 * question.target:.2f} %"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
