"""The demo's course: start everything, wait for a first sample, burst, drain, sum up."""

import asyncio
import math
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from rich.console import Console

from pd_exporter.background import cancel
from pd_exporter.demo.cluster.cluster import Cluster, open_cluster
from pd_exporter.demo.cluster.gpus import Gpus
from pd_exporter.demo.cluster.pods import RoleBasedGroup
from pd_exporter.demo.plan import GROUP, INTERVAL_SECONDS, ROLE, Plan, Programs
from pd_exporter.demo.programs.config import exporter_config
from pd_exporter.demo.programs.processes import Children, DemoError
from pd_exporter.demo.programs.realgpus import can_read_gpus, find_gpus
from pd_exporter.demo.programs.start import start_exporter, start_nats, start_prometheus
from pd_exporter.demo.seen.readings import REQUIRED, Exporter, Prometheus
from pd_exporter.demo.seen.summary import faults, summarise
from pd_exporter.demo.seen.watch import Watch
from pd_exporter.demo.service.decode import Decoding, decode_pods
from pd_exporter.demo.service.dynamo import open_prefill_queue
from pd_exporter.demo.service.workload import Workload
from pd_exporter.demo.shown.report import print_summary
from pd_exporter.demo.shown.screen import Show, open_screen

EVERY_SECONDS = 1.0
"""How often the run is looked at."""
FIRST_SAMPLE_SECONDS = 30.0
"""Longest wait for the first of what is recorded, which takes a scrape and an evaluation."""
DRAIN_SECONDS = 30.0
"""Longest wait for the recorded lag, and GPU memory, to come back after all is decoded."""
SETTLE_SECONDS = 2 * INTERVAL_SECONDS + 1
"""How long after the burst what is recorded may still be of before its end."""


_NO_GPUS = (
    "GPUs are left out: what they are read with is not installed. To get it:"
    " pip install 'pd-exporter[gpu]'"
)
_NO_PROMETHEUS = (
    "There is no Prometheus on this machine, so no recorded series: the demo shows what the"
    " exporter gives. To get it: apt-get install prometheus, or make demo, which unpacks it, or"
    " https://prometheus.io/download/"
)


async def play(
    plan: Plan,
    programs: Programs,
    console: Console,
    children: Children,
    shown: "asyncio.Future[int]",
    *,
    keep: bool,
) -> None:
    """Play the whole; `shown` gets the exit status when the summary is printed.

    Raises:
        DemoError: A part did not do what it is for.
    """
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        _announce(console, plan, programs)
        nats_url = await start_nats(children, programs.nats_server)
        queue = await stack.enter_async_context(open_prefill_queue(nats_url))
        workload = Workload(queue, plan, Decoding(decode_pods(plan)))
        stack.push_async_callback(workload.close)
        for _ in range(plan.workers):
            await workload.add_worker()
        decode = len(workload.decoding.engines)
        group = RoleBasedGroup(plan.workers, decode)
        cluster = await stack.enter_async_context(open_cluster(group, workload))
        gpus = await _gpus(console, children.folder / "gpus.json", group, workload.decoding)
        path = gpus.path if gpus else None
        config = exporter_config(plan, nats_url, cluster.api_url, decode, path)
        exporter = Exporter(http, await start_exporter(children, http, config))
        prometheus = None
        if programs.prometheus is not None:
            url = await start_prometheus(
                children, http, programs.prometheus, exporter.url, cluster.targets_url
            )
            prometheus = Prometheus(http, url)
        watch = Watch(workload.truth, gpus, exporter, prometheus)
        with open_screen(console, plan) as show:
            burst_seconds = await _perform(workload, cluster, watch, show)
        shown.set_result(await _sum_up(console, plan, watch, burst_seconds))
        if keep:
            _print_addresses(console, nats_url, cluster, watch)
            await asyncio.Event().wait()


async def _perform(workload: Workload, cluster: Cluster, watch: Watch, show: Show) -> float:
    """Burst, between first samples and the return to 0; give the burst's seconds."""
    await _follow(watch, show, "warm-up", watch.begun, FIRST_SAMPLE_SECONDS)
    if watch.moments[-1].lag is None:
        raise DemoError(f"there is no recorded lag after {FIRST_SAMPLE_SECONDS:g} s")
    cluster.scale_out()
    burst = asyncio.create_task(workload.burst(), name="burst")
    try:
        await _follow(watch, show, "burst", burst.done, math.inf)
    finally:
        await cancel([burst])
    burst_seconds = burst.result()
    settled = watch.moments[-1].seconds + SETTLE_SECONDS

    def decoded() -> bool:
        return watch.moments[-1].truth.decoding == 0

    def drained() -> bool:
        last = watch.moments[-1]
        return last.lag == 0 and last.seconds >= settled and watch.at_rest()

    await _follow(watch, show, "decode", decoded, math.inf)
    await _follow(watch, show, "drain", drained, DRAIN_SECONDS)
    return burst_seconds


async def _follow(
    watch: Watch, show: Show, phase: str, until: Callable[[], bool], seconds: float
) -> bool:
    """Look and show once a second until something holds; give whether it does in time."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    while True:
        due = clock() + EVERY_SECONDS
        await watch.look()
        show(phase, watch)
        if until() or clock() >= end:
            return until()
        await asyncio.sleep(due - clock())


async def _sum_up(console: Console, plan: Plan, watch: Watch, burst_seconds: float) -> int:
    """Print the summary; give the exit status that it deserves."""
    recorded = None
    if watch.prometheus is not None:
        first, last = watch.moments[0], watch.moments[-1]
        recorded = await watch.prometheus.between(first.unix, last.unix)
    summary = summarise(plan, burst_seconds, watch.moments, recorded)
    found = list(faults(summary))
    print_summary(console, summary, found)
    return 1 if found else 0


def _announce(console: Console, plan: Plan, programs: Programs) -> None:
    console.print(
        f"{plan.requests} requests of {plan.concurrency} clients to {plan.workers}"
        f" worker{'s' if plan.workers > 1 else ''} that take {plan.service_seconds:g} s each."
    )
    if programs.prometheus is None:
        console.print(_NO_PROMETHEUS)
    else:
        console.print(
            f"Prometheus scrapes and evaluates the shipped rules every {INTERVAL_SECONDS} s"
            " here, instead of every 15 s."
        )


def _who_holds(gpus: Gpus) -> str:
    if gpus.simulated:
        return f"NVML has no GPU here: the {gpus.pods} Prefill and Decode pods hold simulated GPUs."
    return (
        f"{gpus.held} of the {gpus.pods} Prefill and Decode pods hold GPUs of this machine, as NVML"
        " reads them, whatever uses them."
    )


async def _gpus(
    console: Console, path: Path, group: RoleBasedGroup, decoding: Decoding
) -> Gpus | None:
    """Write who holds which GPU, and say which they are."""
    if not can_read_gpus():
        console.print(_NO_GPUS, markup=False)
        return None
    gpus = Gpus(path, group, decoding, await find_gpus())
    gpus.write()
    console.print(_who_holds(gpus))
    return gpus


def _print_addresses(console: Console, nats_url: str, cluster: Cluster, watch: Watch) -> None:
    lines = [
        "\nStill up, until Ctrl-C:",
        f"  NATS            {nats_url}",
        f"  landing page    {watch.exporter.url}",
        f"  metrics         {watch.exporter.url}metrics",
        f"  Kubernetes API  {cluster.api_url}api/v1/pods",
        f"  pods' metrics   {cluster.pods_url}{GROUP}-{ROLE}-0/metrics",
    ]
    if watch.prometheus is not None:
        lines.append(f"  Prometheus      {watch.prometheus.url}api/v1/query?query={REQUIRED}")
    console.print("\n".join(lines), soft_wrap=True)
