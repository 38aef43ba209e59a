"""Measure the shipped parameters on two public traces, and how fast settings are replayed.

Usage: ``python -m benchmarks.replay_traces --azure FILE --mooncake FILE`` prints the tables of
``docs/tuning.md``. The traces are AzureLLMInferenceTrace_conv.csv of Azure/AzurePublicDataset
(2023) and FAST25-release/traces/conversation_trace.jsonl of kvcache-ai/Mooncake.

One prompt at a time per worker, prompts at the speeds below plus 20 ms, start-up 120 s, 4 replicas
at first and 1 to 32 after, workers that acknowledge when the work is done, the first 600 s of
requests unscored, 16 phases.
"""

import argparse
import os
import statistics
import time
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pd_exporter.autoscaler.setting import SignalPath
from pd_exporter.autoscaler.signals import Ack
from pd_exporter.autoscaler.traces import read_trace
from pd_exporter.autoscaler.tune.score import Goal, Judge, Measure, Result, Spread
from pd_exporter.autoscaler.tune.search import Question, best_fixed, score, search
from pd_exporter.autoscaler.workers import Workers
from pd_exporter.autoscaler.workload import Workload, service_by_tokens

PHASES = 16
PATHS = (SignalPath(15, 15), SignalPath(5, 5))
POLICIES = ("tutorial", "keda-default", "lag:1", "recommended")


@dataclass(frozen=True)
class Case:
    """A trace, the speed of a worker in tokens per second, and the goal."""

    name: str
    tokens_per_second: float
    goal: Goal

    def judge(self, path: Path) -> Judge:
        """Read the trace, and say what replays of it are scored by."""
        trace = read_trace(path)
        service = service_by_tokens(trace, self.tokens_per_second, overhead=0.02)
        workload = Workload(
            trace.arrivals,
            service,
            ack=Ack.AFTER_WORK,
            prior_seconds=sum(service) / len(service),
        )
        return Judge((workload,), self.goal, 600)


CASES = {
    "azure": Case("Azure conv", 2694, Goal(Measure.TTFT, 2, 0.99)),
    "mooncake": Case("Mooncake conv", 10009, Goal(Measure.TTFT, 5, 0.95)),
}


def main() -> None:
    """Print the tables for the traces that are given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, case in CASES.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=case.name)
    given = parser.parse_args()
    if not any(vars(given).values()):
        parser.error(f"give one of --{', --'.join(CASES)}")
    processes = os.cpu_count() or 1
    for name, case in CASES.items():
        if file := getattr(given, name):
            judge = case.judge(file)
            print(
                f"\n{case.name}: {judge.goal}; {100 * judge.ceiling():.2f} % where nobody waits\n"
            )
            print_table(measured(judge, processes))
            print("\nThe recommended setting at 15/15 where something is otherwise:\n")
            print_table(varied(judge, processes))
            print_sampling(judge.workloads[0])
            print_speed(judge, processes)


def measured(judge: Judge, processes: int) -> Iterable[tuple[str, Result]]:
    """Replay every setting over every path, and the fixed sizes from the smallest that attains."""
    for path in PATHS:
        question = Question(judge, 32, path, phases=PHASES)
        for result in score(question, POLICIES, quiet, processes):
            yield path.label, result
    sizes = [f"static:{size}" for size in range(1, 33)]
    fixed = score(question, sizes, quiet, processes)
    smallest = fixed.index(best_fixed(fixed, question.target))
    for result in fixed[smallest : smallest + 3]:
        yield "", result


def varied(judge: Judge, processes: int) -> Iterable[tuple[str, Result]]:
    """Replay the recommended setting with other services, and with what goes wrong."""
    usual = judge.workloads[0]
    true = usual.mean_service_seconds
    dequeue = replace(usual, ack=Ack.ON_DEQUEUE)
    variations = {
        "start-up 30 s": replace(usual, startup_seconds=30),
        "start-up 300 s": replace(usual, startup_seconds=300),
        "4 requests at a time": batched(usual, 4),
        "16 requests at a time": batched(usual, 16),
        "acknowledged on dequeue": dequeue,
        "and Ready while they load": replace(dequeue, evidence=False),
        "and no prior either": replace(dequeue, evidence=False, prior_seconds=None),
        "prior half the truth": replace(usual, prior_seconds=true / 2),
        "prior twice the truth": replace(usual, prior_seconds=true * 2),
        "no prior": replace(usual, prior_seconds=None),
    }
    for name, workload in variations.items():
        # A batch takes longer, so the goal leaves it as many service times as one request.
        goal = replace(judge.goal, seconds=judge.goal.seconds * workload.concurrency)
        other = Judge((workload,), goal, judge.unscored_seconds)
        yield from replayed(name, Question(other, 32, PATHS[0], phases=PHASES), processes)
    path = replace(PATHS[0], missed_scrapes=0.1)
    question = Question(judge, 32, path, phases=PHASES)
    yield from replayed("a tenth of the scrapes fails", question, processes)


def replayed(name: str, question: Question, processes: int) -> Iterable[tuple[str, Result]]:
    """Replay the recommended setting, under a name for the row."""
    for result in score(question, ["recommended"], quiet, processes):
        yield name, result


def batched(workload: Workload, concurrency: int) -> Workload:
    """Serve several requests at a time, each as many times slower: the load stays the same."""
    service = array("d", (seconds * concurrency for seconds in workload.service))
    return replace(
        workload,
        service=service,
        concurrency=concurrency,
        prior_seconds=workload.mean_service_seconds * concurrency,
    )


def print_table(results: Iterable[tuple[str, Result]]) -> None:
    """Print mean and standard deviation over the phases."""
    print("| | setting | within goal % | replica-hours | p95 wait s | peak |")
    print("|---|---|---|---|---|---|")
    for path, result in results:
        cells = (
            path,
            result.setting.name,
            spread(result.attainment, 100),
            spread(result.replica_hours),
            spread(result.wait_p95),
            f"{result.peak_replicas.mean:.1f}",
        )
        print(f"| {' | '.join(cells)} |")


def spread(values: Spread, factor: float = 1) -> str:
    """Write mean and standard deviation."""
    return f"{factor * values.mean:.2f} ± {factor * values.deviation:.2f}"


def print_sampling(workload: Workload) -> None:
    """Print the busy workers that scrapes see where nobody waits, by the phase of the scrapes."""
    seen = []
    for phase in range(15):
        workers = Workers(
            workload.arrivals, workload.service, concurrency=1, startup=0, initial=1000
        )
        busy = []
        for scrape in range(phase, int(workload.duration), 15):
            workers.advance(scrape + 0.1)
            busy.append(workers.busy_slots(scrape + 0.1))
        seen.append(statistics.fmean(busy))
    print(
        f"\n{workload.offered_workers:.2f} busy workers are seen as {min(seen):.1f} to"
        f" {max(seen):.1f} by scrapes every 15 s, depending on their phase"
    )


def print_speed(judge: Judge, processes: int) -> None:
    """Print how long a whole search takes."""
    begin = time.perf_counter()
    answer = search(Question(judge, 32, PATHS[0]), quiet, processes)
    took = time.perf_counter() - begin
    print(f"\n{answer.tried} settings searched in {took:.1f} s, {processes} processes")


def quiet(_total: int, _done: int) -> None:
    """Show no progress."""


if __name__ == "__main__":
    main()
