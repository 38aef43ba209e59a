"""From what is known at one moment to the readings of all roles; pure."""

from collections.abc import Collection, Iterable, Mapping

from pd_exporter.collectors.roles.coordination import Progress, blocked
from pd_exporter.collectors.roles.instances import Instance, instances_of
from pd_exporter.collectors.roles.pods import Role, RolePod
from pd_exporter.collectors.roles.readings import RoleFacts, role_reading
from pd_exporter.collectors.roles.scaling import Scaling, scaling_of
from pd_exporter.collectors.roles.view import View, current
from pd_exporter.config import RoleSettings
from pd_exporter.kube.coordination import ScalingRule
from pd_exporter.reading import Reading

_NOTHING: Mapping[str, Instance] = {}


def read_roles(
    view: View, settings: Mapping[Role, RoleSettings], aliases: Mapping[str, str]
) -> list[Reading]:
    """Tell all roles that pods, adapters or the configuration name.

    Args:
        view: What is known.
        settings: What the configuration says of roles in the view's namespace.
        aliases: Other names of roles.
    """
    pods = [pod for pod in (view.pods.value or {}).values() if pod is not None]
    scaling = scaling_of(view, pods, aliases)
    instances = None if current(view.pods) is None else instances_of(pods)
    coordination = _Coordination(view, instances, scaling, aliases)
    by_role: dict[Role, list[RolePod]] = {}
    for pod in pods:
        by_role.setdefault(pod.role, []).append(pod)
    return [
        role_reading(
            RoleFacts(
                role=role,
                pods=by_role.get(role, ()),
                instances=None if instances is None else instances.get(role, _NOTHING),
                scaling=scaling.get(role, Scaling()),
                coordination_blocked=coordination.blocked(role),
                settings=settings.get(role),
            ),
        )
        for role in sorted({*by_role, *scaling, *settings})
    ]


class _Coordination:
    """Which roles hold up which, by the policies of their groups."""

    def __init__(
        self,
        view: View,
        instances: Mapping[Role, Mapping[str, Instance]] | None,
        scaling: Mapping[Role, Scaling],
        aliases: Mapping[str, str],
    ) -> None:
        self._rules = {} if instances is None else _rules(view, aliases)
        self._instances = instances or {}
        self._scaling = scaling

    def blocked(self, role: Role) -> bool | None:
        """Tell whether a role is held up; None where it is in step with none, or not known."""
        rules = self._rules.get((role.namespace, role.group), ())
        names = {name for rule in rules for name in rule.roles}
        progress = {name: self._progress(role._replace(role=name)) for name in names}
        return blocked(role.role, rules, progress)

    def _progress(self, role: Role) -> Progress:
        adapter = self._scaling.get(role, Scaling()).adapter
        # What an adapter asks for that is not bound, nobody follows.
        desired = adapter.replicas if adapter and adapter.bound is not False else None
        return Progress(desired, self._instances.get(role, _NOTHING).values())


def _rules(
    view: View, aliases: Mapping[str, str]
) -> Mapping[tuple[str, str], Collection[ScalingRule]]:
    """Give the rules of each group, with the roles' labels; none while some are not known."""
    policies, groups = current(view.policies), current(view.groups)
    if policies is None or groups is None:
        return {}
    return {
        (each.namespace, each.group): list(_renamed(each.rules, aliases))
        for each in (*groups.values(), *policies.values())
    }


def _renamed(rules: Iterable[ScalingRule], aliases: Mapping[str, str]) -> Iterable[ScalingRule]:
    for rule in rules:
        roles = tuple(aliases.get(role, role) for role in rule.roles)
        yield ScalingRule(roles, rule.progression)
