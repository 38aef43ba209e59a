"""The command line of ``pd-exporter adapters``."""

import argparse
import asyncio
import sys
from pathlib import Path

from pd_exporter.adapters.cluster import NoAdaptersError, open_cluster
from pd_exporter.adapters.cure import Cure
from pd_exporter.adapters.judgement import Finding
from pd_exporter.adapters.table import table
from pd_exporter.arguments import seconds
from pd_exporter.config.kubernetes import KubernetesConfig, api_url
from pd_exporter.kube.access import AccessError, KubeAccess, configured
from pd_exporter.kube.api import open_api
from pd_exporter.kube.failure import KubeFailure, Reason
from pd_exporter.reading import Problem

DESCRIPTION = """\
List the RoleBasedGroupScalingAdapters of a cluster, and say what is wrong with each. An HPA does
not scale an adapter whose status.selector is empty, and KEDA does not tell: RoleBasedGroup from 0.6
on leaves it so for roles on StatefulSets and Deployments, and now and then for others.

Without --cure nothing is changed; the kubectl commands that would cure are printed. With it, of
adapters that their group has bound without a selector: on a StatefulSet or Deployment the selector
of that is written; on a RoleInstanceSet the adapter is deleted, upon which its controller makes it
anew, with the same replicas. All others are left alone, and it is said why.
"""

EPILOG = """\
In a pod its service account is used. Elsewhere: kubectl proxy, and --server http://127.0.0.1:8001;
kubeconfig files are not read. Exit status: 0 if nothing is wrong, or no longer; 1 if something is,
or could not be found out.
"""

_CURES = {
    Reason.FORBIDDEN: "It needs the rights of docs/rolebasedgroup.md; see what it has with kubectl"
    " auth can-i --list -n NAMESPACE --as=system:serviceaccount:NAMESPACE:NAME.",
    Reason.UNREACHABLE: "See that this is the address of the API server, or that kubectl proxy"
    " still runs. If something was being changed, run this again to see whether it was.",
    Reason.CONFLICT: "Something else changed it in between, and nothing was done: run this again.",
}


def add_adapters(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``adapters``."""
    command = commands.add_parser(
        "adapters",
        help="find scaling adapters that no HPA can scale, and cure them",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "-n", "--namespace", default="", help="only this one (default: the whole cluster)"
    )
    command.add_argument("--cure", action="store_true", help="cure what can be cured")
    command.add_argument(
        "--wait",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="for an adapter to be made anew (default %(default)g)",
    )
    access = command.add_argument_group("Kubernetes API")
    access.add_argument("--server", type=_url, metavar="URL", help="default: that of the pod")
    access.add_argument("--token-file", type=Path, metavar="FILE", help="bearer token")
    access.add_argument("--ca-file", type=Path, metavar="FILE", help="certificates to trust, PEM")
    command.set_defaults(run=_adapters)


def _adapters(parsed: argparse.Namespace) -> int:
    given = KubernetesConfig(
        server=parsed.server, token_file=parsed.token_file, ca_file=parsed.ca_file
    )
    try:
        access = configured(given)
        well = asyncio.run(_run(access, parsed.namespace, parsed.wait if parsed.cure else None))
    except AccessError as error:
        outside = "Elsewhere run kubectl proxy and give --server http://127.0.0.1:8001."
        return _failed(f"{error} {outside}")
    except NoAdaptersError as error:
        return _failed(str(error))
    except KubeFailure as failure:
        return _failed(str(_problem(failure)))
    except KeyboardInterrupt:
        _tell("interrupted: run this again to see what was done")
        return 130
    return 0 if well else 1


async def _run(access: KubeAccess, namespace: str, wait_seconds: float | None) -> bool:
    """List, and cure if there is a time to wait; gives whether all is well in the end."""
    async with open_api(access) as api:
        cluster = await open_cluster(api)
        findings = await cluster.findings(namespace)
        sys.stdout.write(table(findings))
        amiss = [finding for finding in findings if finding.wrong]
        well = True
        for finding in amiss:
            sys.stdout.write(f"\n{finding.adapter.name}: {finding.wrong}.\n")
            if finding.remedy is None:
                well = False
            elif wait_seconds is None:
                well = False
                sys.stdout.write(f"  --cure does: {finding.remedy.command(finding.adapter)}\n")
            else:
                well &= await _cured(Cure(cluster, wait_seconds, _tell), finding)
            sys.stdout.flush()
        return well


async def _cured(cure: Cure, finding: Finding) -> bool:
    try:
        after = await cure(finding)
    except KubeFailure as failure:
        after = _problem(failure)
    if isinstance(after, Problem):
        sys.stdout.write(f"  not cured: {str(after).strip()}\n")
        return False
    sys.stdout.write(f"  cured: its selector is {after.status.selector}\n")
    return True


def _problem(failure: KubeFailure) -> Problem:
    problem = failure.problem
    return Problem(problem.reason, problem.message, _CURES.get(failure.reason, problem.cure))


def _failed(why: str) -> int:
    _tell(f"pd-exporter: {why}")
    return 1


def _tell(what: str) -> None:
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


def _url(text: str) -> str:
    try:
        return api_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
