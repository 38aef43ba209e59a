"""Loading a configuration file, with every problem of it told at once."""

import difflib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pd_exporter.config.gpu import GpuConfig
from pd_exporter.config.kubernetes import KubernetesConfig
from pd_exporter.config.nats import NatsConfig
from pd_exporter.config.problem import ConfigError, ConfigProblem
from pd_exporter.config.queue import QueueConfig
from pd_exporter.config.roles import GroupRatio, RolesConfig, RoleSettings
from pd_exporter.config.schema import ROLE_ALIASES, Config
from pd_exporter.config.section import Section
from pd_exporter.yamltags import Unresolved, YamlError, load_yaml

_Section = TypeVar("_Section", bound=Section)


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: With every problem of the file.
    """
    try:
        document = load_yaml(path, environment)
    except YamlError as error:
        raise ConfigError([ConfigProblem("", str(error))]) from error
    if document is None:
        document = {}
    context = {"folder": path.parent}
    problems = []
    config = None
    try:
        config = Config.model_validate(document, context=context)
    except ValidationError as error:
        problems += [
            ConfigProblem(_path(details["loc"]), _message(details))
            for details in error.errors()
            # A list is also called too short when its items are wrong; those are told already.
            if not (details["type"] == "too_short" and details["input"])
        ]
    problems += _cross_problems(document, context)
    if config is None or problems:
        raise ConfigError(problems)
    return config


def _cross_problems(document: Any, context: Mapping[str, Any]) -> Iterator[ConfigProblem]:
    """Check entries against each other, whatever else is wrong in the file."""
    if not isinstance(document, dict):
        return
    if not document.get("queues") and all(document.get(key) is None for key in ("gpu", "roles")):
        yield ConfigProblem("", "nothing to collect: list queues, or give the section gpu or roles")
    yield from _queue_problems(document, context)
    if isinstance(roles := document.get("roles"), dict):
        yield from _role_problems(roles, document.get("role_aliases", ROLE_ALIASES))


def _queue_problems(
    document: Mapping[str, Any], context: Mapping[str, Any]
) -> Iterator[ConfigProblem]:
    """Check queues against connections and each other."""
    connections = document.get("nats", {})
    series: dict[tuple[str, ...], int] = {}
    for index, queue in _entries(document.get("queues"), QueueConfig, context):
        if isinstance(connections, dict) and queue.nats not in connections:
            yield ConfigProblem(f"queues[{index}].nats", f"nats has no connection {queue.nats!r}")
        labels = (queue.namespace, queue.group, queue.role, queue.stream, queue.consumer)
        first = series.setdefault(labels, index)
        if first != index:
            yield ConfigProblem(
                f"queues[{index}]",
                f"the same namespace, group, role, stream and consumer as queues[{first}]",
            )


def _role_problems(roles: Mapping[str, Any], aliases: Any) -> Iterator[ConfigProblem]:
    """Check what is set of roles and groups against the namespaces watched and each other."""
    watched = None
    with suppress(ValidationError):  # already told, with its path
        watched = RolesConfig.model_validate({"namespaces": roles.get("namespaces")})
    names = aliases if isinstance(aliases, dict) else {}
    sections: Mapping[str, type[RoleSettings | GroupRatio]] = {
        "settings": RoleSettings,
        "ratios": GroupRatio,
    }
    for key, section in sections.items():
        same = "namespace, group and role" if section is RoleSettings else "namespace and group"
        firsts: dict[tuple[str, ...], int] = {}
        for index, entry in _entries(roles.get(key), section):
            path = f"roles.{key}[{index}]"
            if watched and not watched.watches(entry.namespace):
                missing = f"roles.namespaces has no {entry.namespace!r}"
                yield ConfigProblem(f"{path}.namespace", missing)
            role = entry.role if isinstance(entry, RoleSettings) else ""
            whose = (entry.namespace, entry.group, str(names.get(role, role)))
            first = firsts.setdefault(whose, index)
            if first != index:
                yield ConfigProblem(path, f"the same {same} as roles.{key}[{first}]")


def _entries(
    listed: Any, section: type[_Section], context: Mapping[str, Any] | None = None
) -> Iterator[tuple[int, _Section]]:
    """Give a list's entries that are right; what is wrong with the others is already told."""
    for index, entry in enumerate(listed if isinstance(listed, list) else []):
        with suppress(ValidationError):
            yield index, section.model_validate(entry, context=context)


def _path(location: tuple[str | int, ...]) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


_SECTIONS: Mapping[str, type[Section]] = {
    "nats": NatsConfig,
    "queues": QueueConfig,
    "gpu": GpuConfig,
    "roles": RolesConfig,
    "roles.settings": RoleSettings,
    "roles.ratios": GroupRatio,
    "kubernetes": KubernetesConfig,
}
_WORDS = {
    "missing": "required, and missing",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_type": "text is wanted, not {given}",
    "tuple_type": "a list is wanted, not {given}",
    "model_type": "keys with values are wanted, not {given}",
    "mapping_type": "keys with values are wanted, not {given}",
    "dict_type": "keys with values are wanted, not {given}",
}
_TYPE_NAMES = {
    dict: "keys with values",
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "a truth value",
    type(None): "nothing",
}


def _message(details: ErrorDetails) -> str:
    """Say what is wrong without repeating the value, which may be a secret."""
    given = details["input"]
    if isinstance(given, Unresolved):
        return given.why
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    if details["type"] == "extra_forbidden":
        *sections, key = details["loc"]
        named = [step for step in sections if isinstance(step, str)]
        model = _SECTIONS.get(".".join(named[:2])) or _SECTIONS.get("".join(named[:1]), Config)
        keys = model.model_fields
        near = difflib.get_close_matches(str(key), keys, n=1)
        return "unknown key" + (f"; did you mean {near[0]}?" if near else "")
    words = _WORDS.get(details["type"]) or details["msg"][0].lower() + details["msg"][1:]
    return words.format(given=_TYPE_NAMES.get(type(given), f"a {type(given).__name__}"))
