"""Loading a configuration file, with every problem of it told at once."""

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pd_exporter.config.gpu import GpuConfig
from pd_exporter.config.kubernetes import KubernetesConfig
from pd_exporter.config.nats import NatsConfig
from pd_exporter.config.problem import ConfigError, ConfigProblem
from pd_exporter.config.queue import QueueConfig
from pd_exporter.config.schema import Config
from pd_exporter.config.section import Section
from pd_exporter.yamltags import Unresolved, YamlError, load_yaml


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
    """Check queues against connections and each other, whatever else is wrong in the file."""
    if not isinstance(document, dict):
        return
    connections = document.get("nats", {})
    entries = document.get("queues", [])
    if not entries and document.get("gpu") is None:
        yield ConfigProblem("", "nothing to collect: list queues, or give the section gpu")
    series: dict[tuple[str, ...], int] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        try:
            queue = QueueConfig.model_validate(entry, context=context)
        except ValidationError:
            continue  # already told, with its path
        if isinstance(connections, dict) and queue.nats not in connections:
            yield ConfigProblem(f"queues[{index}].nats", f"nats has no connection {queue.nats!r}")
        labels = (queue.namespace, queue.group, queue.role, queue.stream, queue.consumer)
        first = series.setdefault(labels, index)
        if first != index:
            yield ConfigProblem(
                f"queues[{index}]",
                f"the same namespace, group, role, stream and consumer as queues[{first}]",
            )


def _path(location: tuple[str | int, ...]) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


_SECTIONS: Mapping[str, type[Section]] = {
    "nats": NatsConfig,
    "queues": QueueConfig,
    "gpu": GpuConfig,
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
        section = sections[0] if sections else ""
        keys = _SECTIONS.get(str(section), Config).model_fields
        near = difflib.get_close_matches(str(key), keys, n=1)
        return "unknown key" + (f"; did you mean {near[0]}?" if near else "")
    words = _WORDS.get(details["type"]) or details["msg"][0].lower() + details["msg"][1:]
    return words.format(given=_TYPE_NAMES.get(type(given), f"a {type(given).__name__}"))
