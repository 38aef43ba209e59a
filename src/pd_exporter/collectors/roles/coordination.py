"""Whether roles that are scaled in step wait for each other."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pd_exporter.collectors.roles.instances import Instance
from pd_exporter.kube.coordination import READY, SCHEDULED, ScalingRule

_IS_UP: Mapping[str, Callable[[Instance], bool]] = {
    SCHEDULED: lambda instance: instance.scheduled,
    READY: lambda instance: instance.ready,
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one role is.

    Attributes:
        desired: How many instances are asked for; None where that is not known.
        instances: Those that there are, with those about to end, which may be those that leave or
            may be made anew.
    """

    desired: int | None
    instances: Collection[Instance]

    def has(self, number: int) -> bool:
        """Whether there are so many, as far as can be told while some are about to end."""
        staying = sum(instance.stays for instance in self.instances)
        return staying <= number <= len(self.instances)


def blocked(
    role: str, rules: Collection[ScalingRule], roles: Mapping[str, Progress]
) -> bool | None:
    """Tell whether a role is kept from its desired number of instances by a role in step with it.

    By sgl-project/rbg pkg/coordination/coordinationscaling/scaler.go: while one of a rule's roles
    is being scaled up, and some of its instances that there are already are not scheduled
    (OrderScheduled) or not Ready (OrderReady), all roles of the rule stay at what they have,
    whether they are to grow or to shrink. Any other progression waits for nothing.

    The controller compares what it has asked of the workloads, this what there is: for the moment
    that the pods of a step take to appear, or where a quota keeps them away, the two differ. A role
    with instances that are about to end is taken not to grow where it has enough with them, as they
    are made anew under their names. Up to 0.8 the controller counts scheduled pods where it means
    instances, so that leaders and workers which are scheduled in part may block nothing; then the
    role goes on, and is soon where it is desired.

    Args:
        role: The role.
        rules: The group's rules.
        roles: All roles that the rules name.

    Returns:
        None where no rule has the role, or it cannot be told.
    """
    progress = roles.get(role)
    if progress is None or progress.desired is None:
        return None
    if progress.has(progress.desired):
        return False
    waits = [_waits(rule, roles) for rule in rules if role in rule.roles]
    if True in waits:
        return True
    return None if None in waits else False


def _waits(rule: ScalingRule, roles: Mapping[str, Progress]) -> bool | None:
    """Tell whether a rule's roles wait for one of them; None where it cannot be told."""
    is_up = _IS_UP.get(rule.progression)
    if is_up is None:
        return False
    unknown = False
    for name in rule.roles:
        progress = roles[name]
        if all(map(is_up, progress.instances)):
            continue
        if progress.desired is None:
            unknown = True
        elif len(progress.instances) < progress.desired:
            return True
    return None if unknown else False
