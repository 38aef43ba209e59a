"""Section `roles`: where pods and their scaling adapters are, and what the cluster cannot tell."""

from typing import Annotated

from pydantic import AfterValidator, Field

from pd_exporter.config.section import Label, Section

EVERYWHERE = "*"
"""The namespace that stands for the whole cluster."""

_LONGEST = 63
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


def _is_name(text: str) -> bool:
    """Whether a text can be a namespace's name, which becomes part of a URL."""
    ends = {*text[:1], *text[-1:]}
    return ends <= _LETTERS and set(text) <= _LETTERS | {"-"} and len(text) <= _LONGEST


def _one(name: str) -> str:
    if not _is_name(name):
        raise ValueError("a namespace's name is wanted")
    return name


def _one_or_all(name: str) -> str:
    if name != EVERYWHERE and not _is_name(name):
        raise ValueError(f'a namespace\'s name is wanted, or "{EVERYWHERE}" for the whole cluster')
    return name


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"named more than once: {', '.join(sorted(twice))}")
    if EVERYWHERE in names and len(names) > 1:
        raise ValueError(f'"{EVERYWHERE}" is all namespaces: name no others beside it')
    return names


Namespace = Annotated[Label, AfterValidator(_one)]
Namespaces = Annotated[
    tuple[Annotated[Label, AfterValidator(_one_or_all)], ...],
    Field(min_length=1),
    AfterValidator(_each_once),
]


class RoleSettings(Section):
    """What is so of one role and not told by the cluster; each value is optional."""

    namespace: Namespace = Field(description="Kubernetes namespace of the service.")
    group: Label = Field(description="RoleBasedGroup or DynamoGraphDeployment.")
    role: Label = Field(description="Role in it, such as prefill.")
    startup_seconds: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Time that an instance needs after it is Ready until it serves.",
    )
    worker_concurrency: int | None = Field(
        None, ge=1, description="Requests an instance serves at a time."
    )
    service_prior_seconds: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Service time to assume until one is measured."
    )
    wait_goal_seconds: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="How long a request may wait for a worker."
    )


class GroupRatio(Section):
    """How many instances of prefill a group is meant to have for each one of decode."""

    namespace: Namespace = Field(description="Kubernetes namespace of the service.")
    group: Label = Field(description="RoleBasedGroup or DynamoGraphDeployment.")
    prefill_per_decode: float = Field(
        gt=0, allow_inf_nan=False, description="Instances of prefill for each one of decode."
    )


class RolesConfig(Section):
    """Pods, and what scales their roles."""

    namespaces: Namespaces = Field(
        description='Namespaces whose pods and scaling objects are watched; `["*"]` is the whole'
        " cluster.",
    )
    settings: tuple[RoleSettings, ...] = Field(
        (), description="What the cluster cannot tell, by role."
    )
    ratios: tuple[GroupRatio, ...] = Field(
        (), description="Wanted ratios of prefill to decode, by group."
    )

    def watches(self, namespace: str) -> bool:
        """Whether a namespace is among those watched."""
        return namespace in self.namespaces or EVERYWHERE in self.namespaces
