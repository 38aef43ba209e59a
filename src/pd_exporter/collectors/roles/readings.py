"""Readings of roles, of groups, and of what is watched, as samples."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pd_exporter.catalogue import roles as role_metrics
from pd_exporter.collectors.roles.instances import Instance
from pd_exporter.collectors.roles.pods import Role, RolePod
from pd_exporter.collectors.roles.scaling import Scaling
from pd_exporter.config import EVERYWHERE, GroupRatio, RoleSettings
from pd_exporter.known import Known
from pd_exporter.reading import Problem, Reading
from pd_exporter.samples import Desc, Sample

NOT_YET = Problem(
    "starting",
    "It was asked for and has not been listed yet.",
    "Wait; if this does not change within a minute, the reason shows here.",
)


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """What is known of one role.

    Attributes:
        role: Its labels.
        pods: Its last known pods.
        instances: Its instances by name; None while its pods are not up to date.
        scaling: What scales it.
        coordination_blocked: Whether a role in step with it holds it up; None where that is not
            known, or there is none.
        settings: What the configuration says of it.
    """

    role: Role
    pods: Sequence[RolePod]
    instances: Mapping[str, Instance] | None
    scaling: Scaling
    coordination_blocked: bool | None = None
    settings: RoleSettings | None = None


def role_reading(facts: RoleFacts) -> Reading:
    """Tell all of a role that is known."""
    labels = facts.role._asdict()
    samples = [
        *_of_pods(facts),
        *_of_instances(facts, labels),
        *_of_scaling(facts.scaling, labels),
        *_configured(facts.settings, labels),
    ]
    if facts.coordination_blocked is not None:
        blocked = facts.coordination_blocked
        samples.append(role_metrics.COORDINATION_BLOCKED.sample(blocked, labels))
    return Reading("/".join(facts.role), samples, facts.scaling.problem)


def group_reading(ratio: GroupRatio) -> Reading:
    """Tell what is configured of a group."""
    labels = {"namespace": ratio.namespace, "group": ratio.group}
    sample = role_metrics.TARGET_RATIO.sample(ratio.prefill_per_decode, labels)
    return Reading(f"{ratio.namespace}/{ratio.group}", [sample])


def source_reading(namespace: str, resource: str, known: Known[object]) -> Reading:
    """Tell whether what is watched is up to date."""
    problem = known.problem or (NOT_YET if known.value is None else None)
    labels = {"source_namespace": namespace, "resource": resource}
    where = "in all namespaces" if namespace == EVERYWHERE else f"in {namespace}"
    sample = role_metrics.SOURCE_UP.sample(problem is None, labels)
    return Reading(f"{resource} {where}", [sample], problem)


def _of_pods(facts: RoleFacts) -> Iterator[Sample]:
    yield from (pod.info for pod in facts.pods)
    if facts.instances is not None:
        yield from (pod.readiness for pod in facts.pods)


def _of_instances(facts: RoleFacts, labels: Mapping[str, str]) -> Iterator[Sample]:
    """Tell the instances, and how many of them are Ready.

    None are only where there is a role that could have some: the configuration alone makes none.
    """
    if facts.instances is None or not (facts.pods or facts.scaling.adapters):
        return
    count = 0
    for name, instance in facts.instances.items():
        own = {**labels, "role_instance": name}
        ready = instance.ready
        count += ready
        yield role_metrics.INSTANCE_READY.sample(ready, own)
        since = instance.ready_since if ready else None
        if since is not None:
            yield role_metrics.INSTANCE_READY_TIMESTAMP.sample(since, own)
    yield role_metrics.REPLICAS_READY.sample(count, labels)


def _of_scaling(scaling: Scaling, labels: Mapping[str, str]) -> Iterator[Sample]:
    adapter, bounds = scaling.adapter, scaling.bounds
    if adapter is None:
        return
    yield from _told(
        {
            role_metrics.REPLICAS_DESIRED: adapter.replicas,
            role_metrics.ADAPTER_BOUND: adapter.bound,
            role_metrics.ADAPTER_SELECTOR_PRESENT: adapter.selector_present,
            role_metrics.REPLICAS_MIN: bounds.min_replicas if bounds else None,
            role_metrics.REPLICAS_MAX: bounds.max_replicas if bounds else None,
            role_metrics.HPA_ACTIVE: scaling.hpa.active if scaling.hpa else None,
        },
        labels,
    )
    if scaled := scaling.scaled_object:
        yield from _told(
            {
                role_metrics.SCALEDOBJECT_READY: scaled.ready,
                role_metrics.SCALEDOBJECT_ACTIVE: scaled.active,
                role_metrics.SCALEDOBJECT_FALLBACK: scaled.fallback,
                role_metrics.SCALEDOBJECT_PAUSED: scaled.paused,
            },
            labels,
        )
    if scaling.hpas is not None and scaling.scaled_objects is not None:
        facts = {
            "adapter": adapter.name,
            "kind": adapter.target.kind,
            "version": adapter.version,
            "hpa": _names(each.name for each in scaling.hpas),
            "scaledobject": _names(each.name for each in scaling.scaled_objects),
        }
        yield role_metrics.ADAPTER_INFO.sample(1, {**labels, **facts})


def _configured(settings: RoleSettings | None, labels: Mapping[str, str]) -> Iterator[Sample]:
    if settings is not None:
        yield from _told(
            {
                role_metrics.STARTUP: settings.startup_seconds,
                role_metrics.WORKER_CONCURRENCY: settings.worker_concurrency,
                role_metrics.SERVICE_PRIOR: settings.service_prior_seconds,
                role_metrics.WAIT_GOAL: settings.wait_goal_seconds,
            },
            labels,
        )


def _told(values: Mapping[Desc, float | None], labels: Mapping[str, str]) -> Iterator[Sample]:
    for desc, value in values.items():
        if value is not None:
            yield desc.sample(value, labels)


def _names(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
