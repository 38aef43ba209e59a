"""The command line: arguments in, exit status out; the work is elsewhere."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pd_exporter import __version__
from pd_exporter.adapters.command import add_adapters
from pd_exporter.autoscaler.tune.command import add_tune
from pd_exporter.config import Config, ConfigError, load
from pd_exporter.demo.command import add_demo
from pd_exporter.log import LEVELS, LogFormat, configure_logging
from pd_exporter.rules.command import add_rules
from pd_exporter.serve import ServeError, serve

DEFAULT_PORT = 7339
"""PDEX on a telephone's keys."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run pd-exporter and return its exit status: 0, or 1 with the reason on standard error."""
    parsed = _parser().parse_args(arguments)
    try:
        status: int = parsed.run(parsed)
    except ConfigError as error:
        for problem in error.problems:
            print(f"{parsed.config}: {problem}", file=sys.stderr)
        return 1
    except ServeError as error:
        print(f"pd-exporter: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pd-exporter",
        description="Autoscaling signals for Prefill/Decode-disaggregated LLM inference.",
    )
    parser.add_argument("--version", action="version", version=f"pd-exporter {__version__}")
    commands = parser.add_subparsers(title="commands", required=True)
    _add_serve(commands)
    _add_check(commands)
    add_adapters(commands)
    add_rules(commands)
    add_demo(commands)
    add_tune(commands)
    return parser


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("serve", help="run the exporter")
    command.add_argument(
        "--config.file", dest="config", type=Path, required=True, help="configuration file"
    )
    command.add_argument(
        "--web.listen-address",
        dest="address",
        type=_address,
        default=("", DEFAULT_PORT),
        help=f"[host]:port to listen at (default :{DEFAULT_PORT})",
    )
    command.add_argument("--log.level", dest="level", choices=LEVELS, default="info")
    command.add_argument(
        "--log.format",
        dest="format",
        type=LogFormat,
        choices=list(LogFormat),
        default=LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON,
        help="default: console on a terminal, else json",
    )
    command.set_defaults(run=_serve)


def _add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("check", help="check a configuration, or print its JSON schema")
    subject = command.add_mutually_exclusive_group(required=True)
    subject.add_argument("config", type=Path, nargs="?", help="configuration file")
    subject.add_argument("--schema", action="store_true", help="print the JSON schema")
    command.set_defaults(run=_check)


def _serve(parsed: argparse.Namespace) -> int:
    config = load(parsed.config)
    configure_logging(parsed.level, parsed.format)
    host, port = parsed.address
    asyncio.run(serve(config, host, port))
    return 0


def _check(parsed: argparse.Namespace) -> int:
    if parsed.schema:
        print(json.dumps(Config.model_json_schema(), indent=2))
        return 0
    config = load(parsed.config)
    gpus = f", GPUs of {config.gpu.node}" if config.gpu else ""
    print(f"{parsed.config}: right: {len(config.nats)} NATS, {len(config.queues)} queues{gpus}")
    return 0


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not [host]:port, such as :{DEFAULT_PORT}")
    return host.strip("[]"), int(port)
