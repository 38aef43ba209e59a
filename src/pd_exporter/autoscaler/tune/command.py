"""The command line of ``pd-exporter tune``; imports nothing of the extra that drawing needs."""

import argparse
import math
import os
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from pd_exporter.autoscaler.signals import Ack
from pd_exporter.autoscaler.traceformats import TraceFormat
from pd_exporter.policy import FRESH_SECONDS, RULE_SECONDS, SCRAPE_SECONDS

_EXTRA = "pip install 'pd-exporter[tune]'"


def _number(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
        return value

    return number


_INTERVAL = _number(1, FRESH_SECONDS - 1)

DESCRIPTION = """\
Replay a request trace through queue, scrapes, rules, KEDA and the HPA, and find the setting that
meets a latency goal at the least replica-hours.
"""

EXAMPLES = """\
examples:
  pd-exporter tune AzureLLMInferenceTrace_conv.csv --tokens-per-second 2694 --ttft 2
  pd-exporter tune --generate gamma:rate=2.5,cv=13,duration=1h --service-seconds 0.8 --wait 1
  pd-exporter tune trace.jsonl --tokens-per-second 10009 --ttft 5 --quantile 0.95 --report out.html
  pd-exporter tune trace.csv --service-seconds 0.5 --wait 1 --policy tutorial --policy recommended
"""


def add_tune(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``tune``."""
    command = commands.add_parser(
        "tune",
        help="find the setting that meets a latency goal at the least replica-hours",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_load(command.add_argument_group("requests"))
    _add_goal(command.add_argument_group("goal"))
    _add_service(command.add_argument_group("service"))
    _add_search(command.add_argument_group("search"))
    _add_names(command.add_argument_group("names in the ScaledObject"))
    command.add_argument("--output", choices=("table", "json"), default="table")
    command.add_argument(
        "--report", type=Path, metavar="FILE", help="write a page with plots: one HTML file"
    )
    command.set_defaults(run=_tune)


def _add_load(load: "argparse._ArgumentGroup") -> None:
    source = load.add_mutually_exclusive_group(required=True)
    source.add_argument("trace", type=Path, nargs="?", help="file of request arrivals")
    source.add_argument(
        "--generate",
        metavar="SPEC",
        help="draw requests instead, such as poisson:rate=5,duration=1h; also gamma, diurnal, step",
    )
    load.add_argument(
        "--format",
        type=TraceFormat,
        choices=list(TraceFormat),
        help="of the file (default: told from its first line)",
    )
    load.add_argument(
        "--unscored",
        type=_number(0, 1e6),
        metavar="SECONDS",
        help="beginning of the trace that is not scored (default 600, at most a fifth of it)",
    )


def _add_goal(goal: "argparse._ArgumentGroup") -> None:
    measure = goal.add_mutually_exclusive_group(required=True)
    measure.add_argument(
        "--ttft", type=_number(1e-3, 3600), metavar="SECONDS", help="time to first token, at most"
    )
    measure.add_argument(
        "--wait", type=_number(1e-3, 3600), metavar="SECONDS", help="wait in the queue, at most"
    )
    goal.add_argument(
        "--quantile",
        type=_number(0.01, 0.99999),
        default=0.99,
        help="for this share of the requests (default %(default)s)",
    )
    goal.add_argument(
        "--cost", type=_number(0, 1e9), metavar="PRICE", help="of a replica-hour, in any currency"
    )


def _add_service(service: "argparse._ArgumentGroup") -> None:
    time = service.add_mutually_exclusive_group(required=True)
    time.add_argument(
        "--tokens-per-second",
        type=_number(1, 1e9),
        metavar="V_P",
        help="input tokens that a worker's slot prefills per second, through the serving path",
    )
    time.add_argument(
        "--service-seconds",
        type=_number(1e-4, 86400),
        metavar="MEAN",
        help="mean time of a prefill",
    )
    service.add_argument(
        "--overhead",
        type=_number(0, 60),
        default=0.02,
        metavar="SECONDS",
        help="added to the time of the tokens (default %(default)s)",
    )
    service.add_argument(
        "--service-cv",
        type=_number(0, 20),
        default=1.0,
        metavar="CV",
        help="coefficient of variation around MEAN, log-normal (default %(default)s; 0: all equal)",
    )
    service.add_argument(
        "--prior",
        type=_number(1e-4, 86400),
        metavar="SECONDS",
        help="mean service time that the query is given (default: that of the requests)",
    )
    service.add_argument(
        "--concurrency",
        type=_count(1024),
        default=1,
        help="requests that a worker serves at once (default %(default)s)",
    )
    service.add_argument(
        "--startup",
        type=_number(0, 3600),
        default=120.0,
        metavar="SECONDS",
        help="from a replica's creation until it serves (default %(default)g)",
    )
    service.add_argument(
        "--ack",
        type=Ack,
        choices=list(Ack),
        default=Ack.ON_DEQUEUE,
        help="when workers acknowledge (default %(default)s, as Dynamo's do)",
    )


def _add_search(search: "argparse._ArgumentGroup") -> None:
    search.add_argument("--max-replicas", type=_count(1000), default=32, help="(default 32)")
    search.add_argument(
        "--initial-replicas",
        type=_count(1000),
        help="at the beginning (default: as many as are busy on average, rounded up)",
    )
    search.add_argument(
        "--policy",
        action="append",
        metavar="NAME",
        help="score this setting and search nothing: tutorial, keda-default, recommended, lag:N or"
        " static:N; may be given several times",
    )
    for name, default in (("scrape", SCRAPE_SECONDS), ("rule", RULE_SECONDS)):
        search.add_argument(
            f"--{name}",
            type=_INTERVAL,
            default=default,
            metavar="SECONDS",
            help=f"{name} interval, below {FRESH_SECONDS:g}: the shipped rules drop what is older"
            " (default %(default)g)",
        )
    search.add_argument(
        "--intervals",
        type=_intervals,
        default=(5.0, 15.0, 30.0),
        metavar="SECONDS,...",
        help="scrape and rule intervals to try with the chosen setting (default 5,15,30)",
    )
    search.add_argument(
        "--missed-scrapes",
        type=_number(0, 1),
        default=0.0,
        metavar="SHARE",
        help="of the scrapes that fail (default 0)",
    )
    search.add_argument(
        "--phases",
        type=_count(1000),
        default=8,
        help="replays of each setting that comes into question (default %(default)s)",
    )
    search.add_argument(
        "--seed",
        type=_count(10**6, least=0),
        default=0,
        help="same seed, same answer (default %(default)s)",
    )
    search.add_argument(
        "--processes",
        type=_count(256),
        default=os.cpu_count() or 1,
        help="to replay in (default: one a core)",
    )


def _add_names(names: "argparse._ArgumentGroup") -> None:
    for name, usual in (("namespace", "default"), ("group", "dynamo-pd"), ("role", "prefill")):
        names.add_argument(f"--{name}", type=_label, default=usual, help="(default %(default)s)")
    names.add_argument(
        "--prometheus",
        type=_url,
        default="http://prometheus.monitoring.svc:9090",
        metavar="URL",
        help="that KEDA asks (default %(default)s)",
    )


def _tune(parsed: argparse.Namespace) -> int:
    needed = ["rich", "matplotlib"] if parsed.report else ["rich"]
    if any(find_spec(name) is None for name in needed):
        sys.stderr.write(f"pd-exporter: tune needs its extra: {_EXTRA}\n")
        return 1
    try:
        from pd_exporter.autoscaler.tune.present import present  # noqa: PLC0415  needs the extra

        return present(parsed)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the answer has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError) as error:
        sys.stderr.write(f"pd-exporter: {error}\n")
        return 1


def _count(most: int, least: int = 1) -> Callable[[str], int]:
    def count(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {most}"
            )
        return int(text)

    return count


def _intervals(text: str) -> tuple[float, ...]:
    return tuple(map(_INTERVAL, filter(None, text.split(","))))


def _label(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name in Kubernetes: a-z, 0-9 and, inside, -; at most 63"
        )
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s\"']+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as http://prometheus:9090")
    return text
