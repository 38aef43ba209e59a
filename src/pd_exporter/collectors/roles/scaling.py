"""What scales a role: its adapter, and the autoscalers on that."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pd_exporter.collectors.roles.pods import Role, RolePod
from pd_exporter.collectors.roles.view import View, current
from pd_exporter.identity import identify
from pd_exporter.kube.adapters import Adapter, Target
from pd_exporter.kube.autoscalers import Autoscaler, Hpa, ScaledObject
from pd_exporter.kube.pod import Pod
from pd_exporter.reading import Problem

_A = TypeVar("_A", bound=Autoscaler)


@dataclass(frozen=True, slots=True)
class Scaling:
    """What scales one role.

    Attributes:
        adapters: The adapters that name the role; there should be one.
        hpas: The HPAs on the first of them; None where they are not known.
        scaled_objects: The ScaledObjects on it; None where they are not known.
    """

    adapters: Sequence[Adapter] = ()
    hpas: Sequence[Hpa] | None = None
    scaled_objects: Sequence[ScaledObject] | None = None

    @property
    def adapter(self) -> Adapter | None:
        """The role's adapter; None where there is none, or more than one."""
        return self.adapters[0] if len(self.adapters) == 1 else None

    @property
    def hpa(self) -> Hpa | None:
        """The HPA on it; None where that is not known, or there is none, or more than one."""
        return _only(self.hpas)

    @property
    def scaled_object(self) -> ScaledObject | None:
        """The ScaledObject on it; None where that is not known, or there is not just one."""
        return _only(self.scaled_objects)

    @property
    def bounds(self) -> Autoscaler | None:
        """What tells the fewest and the most instances: the HPA; while there is none, KEDA's."""
        return self.scaled_object if self.hpas is not None and not self.hpas else self.hpa

    @property
    def problem(self) -> Problem | None:
        """Why some of it is left out: more than one where there has to be one."""
        if len(self.adapters) > 1:
            group = f"{self.adapters[0].namespace}/{self.adapters[0].group}"
            names = _names(f"{each.target.kind} {each.name}" for each in self.adapters)
            parts = {each.part for each in self.adapters}
            return Problem(
                "ambiguous",
                f"Several adapters of {group} scale what is one role here: {names}.",
                "Delete all but the one that the group's controller made."
                if len(parts) == 1
                else f"{_names(parts)} are that role: take the alias out of role_aliases, and of"
                " Dynamo's components of one type let an adapter scale no more than one.",
            )
        for kind, found in (("HPAs", self.hpas), ("ScaledObjects", self.scaled_objects)):
            if found and len(found) > 1:
                whose = f"{found[0].target.kind} {found[0].namespace}/{found[0].target.name}"
                return Problem(
                    "ambiguous",
                    f"Several {kind} scale {whose}: {_names(each.name for each in found)}.",
                    "Delete all but one: each undoes what the others decide.",
                )
        return None


def scaling_of(
    view: View, pods: Collection[RolePod], aliases: Mapping[str, str]
) -> Mapping[Role, Scaling]:
    """Tell what scales each role that an adapter names.

    Args:
        view: All that is known.
        pods: The last known pods, which tell how Dynamo's components are called as roles.
        aliases: Other names of roles.
    """
    hpas, scaled = current(view.hpas), current(view.scaled_objects)
    on_target = None if hpas is None else _by_target(hpas.values())
    of_keda = None if scaled is None else _by_target(scaled.values())
    found: dict[Role, Scaling] = {}
    for role, named in _by_role(view, pods, aliases).items():
        adapters = _chosen(named)
        key = adapters[0].namespace, adapters[0].target
        found[role] = Scaling(
            adapters,
            None if on_target is None else on_target.get(key, ()),
            None if of_keda is None else of_keda.get(key, ()),
        )
    return found


def _by_role(
    view: View, pods: Collection[RolePod], aliases: Mapping[str, str]
) -> Mapping[Role, list[Adapter]]:
    found: dict[Role, list[Adapter]] = {}
    for adapter in (current(view.rbg_adapters) or {}).values():
        part = aliases.get(adapter.part, adapter.part)
        role = Role(adapter.namespace, adapter.group, part)
        found.setdefault(role, []).append(adapter)
    components = _roles_of_components(pods)
    for adapter in (current(view.dgd_adapters) or {}).values():
        where = adapter.namespace, adapter.group, adapter.part
        for part in components.get(where) or _named(adapter, aliases):
            role = Role(adapter.namespace, adapter.group, part)
            found.setdefault(role, []).append(adapter)
    return found


def _roles_of_components(pods: Iterable[RolePod]) -> Mapping[tuple[str, str, str], set[str]]:
    """Tell as what roles the pods of Dynamo's components are known: labels tell more than names."""
    roles: dict[tuple[str, str, str], set[str]] = {}
    for pod in pods:
        if pod.dynamo_component:
            where = pod.role.namespace, pod.role.group, pod.dynamo_component
            roles.setdefault(where, set()).add(pod.role.role)
    return {where: found for where, found in roles.items() if len(found) == 1}


def _named(adapter: Adapter, aliases: Mapping[str, str]) -> Iterator[str]:
    """Tell the role of a component without pods by its name, as of a pod that tells no more."""
    labels = {
        "nvidia.com/dynamo-graph-deployment-name": adapter.group,
        "nvidia.com/dynamo-component": adapter.part,
    }
    identity = identify(Pod(adapter.namespace, "", "", labels, {}), aliases)
    if identity is not None:
        yield identity.role


def _chosen(adapters: Sequence[Adapter]) -> Sequence[Adapter]:
    """Leave out adapters that do nothing, where others do: made by hand, they are never bound."""
    return [adapter for adapter in adapters if adapter.bound is not False] or adapters


def _by_target(found: Iterable[_A]) -> Mapping[tuple[str, Target], Sequence[_A]]:
    grouped: dict[tuple[str, Target], list[_A]] = {}
    for each in found:
        grouped.setdefault((each.namespace, each.target), []).append(each)
    return grouped


def _only(found: Sequence[_A] | None) -> _A | None:
    return found[0] if found is not None and len(found) == 1 else None


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
