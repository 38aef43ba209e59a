"""Run ``pd-exporter tune``: ask, replay with a progress bar, print or write what came of it."""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pd_exporter.autoscaler.tune.question import Asked, ask
from pd_exporter.autoscaler.tune.scaledobject import KNOBS, Service, scaled_object
from pd_exporter.autoscaler.tune.score import Result, Spread
from pd_exporter.autoscaler.tune.search import Answer, attains, score, search
from pd_exporter.autoscaler.tune.tables import print_answer, print_facts, results_table


def present(parsed: argparse.Namespace) -> int:
    """Answer what was asked and return the exit status.

    Raises:
        ValueError: The trace or an argument cannot be used.
        OSError: The report cannot be written.
    """
    service = Service(
        parsed.namespace, parsed.group, parsed.role, parsed.prometheus, parsed.concurrency
    )
    _check_report(parsed.report)
    with _progress() as progress:
        reading = progress.add_task("reading", total=_size(parsed))
        asked = ask(parsed, lambda read: progress.update(reading, completed=read))
        progress.remove_task(reading)
        replaying = progress.add_task("replays", total=None)

        def replayed(total: int, done: int) -> None:
            progress.update(replaying, total=total, completed=done)

        if parsed.policy:
            results = score(asked.question, parsed.policy, replayed, parsed.processes)
        else:
            answer = search(asked.question, replayed, parsed.processes)
    if parsed.policy:
        _show_scores(parsed, asked, results)
    else:
        _show_answer(parsed, asked, answer, service)
    return 0


def _show_scores(parsed: argparse.Namespace, asked: Asked, results: list[Result]) -> None:
    target = asked.question.target
    if parsed.report:
        from pd_exporter.autoscaler.tune.report import Report, write_report  # noqa: PLC0415

        report = Report(asked.title, asked.question, asked.facts, results, cost=parsed.cost)
        write_report(report, parsed.report)
    if parsed.output == "json":
        _print_json(_outline(asked) | {"settings": _settings(results, target, parsed.cost)})
        return
    console = Console()
    print_facts(console, asked.title, asked.facts)
    console.print(results_table("Settings", results, target, parsed.cost))


def _show_answer(
    parsed: argparse.Namespace, asked: Asked, answer: Answer, service: Service
) -> None:
    manifest = scaled_object(answer.chosen.setting, service)
    if parsed.report:
        _write_report(parsed, asked, answer, manifest)
    if parsed.output == "json":
        _print_json(_outline(asked) | _found(answer, parsed.cost) | {"scaled_object": manifest})
        return
    console = Console()
    print_facts(console, asked.title, asked.facts)
    print_answer(console, answer, parsed.cost)
    console.print(f"\n[bold]{escape(in_words(answer))}[/]\n")
    console.print(manifest, markup=False, highlight=False, soft_wrap=True)
    for knob, effect in KNOBS.items():
        console.print(f"[bold]{knob}[/] {escape(effect)}")
    if parsed.report:
        console.print(f"\nThe report is in {escape(str(parsed.report))}")


def _write_report(parsed: argparse.Namespace, asked: Asked, answer: Answer, manifest: str) -> None:
    from pd_exporter.autoscaler.tune.report import Report, write_report  # noqa: PLC0415

    write_report(
        Report(
            asked.title,
            asked.question,
            asked.facts,
            answer.compared,
            answer.finalists,
            answer.intervals,
            answer.chosen,
            manifest,
            KNOBS,
            parsed.cost,
        ),
        parsed.report,
    )


def _found(answer: Answer, cost: float | None) -> dict[str, Any]:
    target = answer.question.target
    return {
        "tried": answer.tried,
        "compared": _settings(answer.compared, target, cost),
        "front": _settings(answer.front, target, cost),
        "intervals": _settings(answer.intervals, target, cost),
        "chosen": _setting(answer.chosen, target, cost),
    }


def in_words(answer: Answer) -> str:
    """Say in a sentence or two what to do and what comes of it."""
    chosen, tutorial = answer.chosen, answer.compared[0]
    target = 100 * answer.question.target
    if attains(chosen, answer.question.target):
        found = f"{chosen.setting.name} attains the target"
    else:
        found = (
            f"Nothing that scales attains the target of {target:.2f} % in every replay;"
            f" {chosen.setting.name} comes nearest"
        )
    return f"{found}: {_priced(chosen)}. The tutorial's setting: {_priced(tutorial)}."


def _priced(result: Result) -> str:
    share, hours = 100 * result.attainment.mean, result.replica_hours.mean
    return f"{share:.2f} % of the requests for {hours:.2f} replica-hours"


def _check_report(file: Path | None) -> None:
    """Refuse a place for the report before time is spent on what it would tell."""
    if file is None:
        return
    if not file.parent.is_dir():
        raise ValueError(f"{file}: there is no folder {file.parent}; make it, or name another")
    if (file.exists() and not file.is_file()) or not os.access(file.parent, os.W_OK):
        raise ValueError(f"{file}: no file can be written there; name another")


def _outline(asked: Asked) -> dict[str, Any]:
    judge, workload = asked.question.judge, asked.question.judge.workloads[0]
    return {
        "trace": asked.title,
        "requests": len(workload.arrivals),
        "duration_seconds": workload.duration,
        "service_seconds": workload.mean_service_seconds,
        "offered_workers": workload.offered_workers,
        "goal": {
            "measure": judge.goal.measure,
            "seconds": judge.goal.seconds,
            "share": judge.goal.share,
        },
        "ceiling": judge.ceiling(),
        "target": asked.question.target,
    }


def _settings(results: Sequence[Result], target: float, cost: float | None) -> list[dict[str, Any]]:
    return [_setting(result, target, cost) for result in results]


def _setting(result: Result, target: float, cost: float | None) -> dict[str, Any]:
    path = result.setting.path
    row: dict[str, Any] = {
        "setting": result.setting.name,
        "scrape_seconds": path.scrape_seconds,
        "rule_seconds": path.rule_seconds,
        "replays": len(result.scores),
        "attains": attains(result, target),
        "attainment": _numbers(result.attainment),
        "replica_hours": _numbers(result.replica_hours),
        "wait_p95_seconds": _numbers(result.wait_p95),
        "peak_replicas": _numbers(result.peak_replicas),
    }
    if cost is not None:
        row["cost"] = cost * result.replica_hours.mean
    return row


def _numbers(spread: Spread) -> dict[str, float]:
    return spread._asdict()


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2))


def _size(parsed: argparse.Namespace) -> int | None:
    """Bytes of the trace; None where it is generated or cannot be told."""
    try:
        return parsed.trace.stat().st_size if parsed.trace else None
    except OSError:
        return None  # reading it will say why


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress bar on standard error if that is a terminal, gone when it has ended."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        yield progress
