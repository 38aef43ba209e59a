"""The configuration file's YAML: safe, without duplicate keys, with ``!env`` and ``!file``.

Secrets stay out of the file: ``!env NAME`` takes an environment variable, ``!file PATH`` a file's
content without the white space around it (relative paths start at the configuration file).
"""

import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Stands where a tag could not be resolved, so that its place in the document stays known."""

    why: str


class YamlError(ValueError):
    """The file cannot be read, or is not YAML."""


class _Loader(yaml.SafeLoader):
    folder: Path
    environment: Mapping[str, str]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                # Plain YAML keeps the last one silently, and a queue is gone.
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _env(loader: _Loader, node: yaml.ScalarNode) -> str | Unresolved:
    name = str(loader.construct_scalar(node))
    value = loader.environment.get(name)
    if value is None:
        return Unresolved(f"the environment variable {name} is not set; set it, or remove !env")
    return value


def _file(loader: _Loader, node: yaml.ScalarNode) -> str | Unresolved:
    path = loader.folder / str(loader.construct_scalar(node))
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        return Unresolved(f"the file {path} cannot be read: {_reason(error)}")


_TAGS: Mapping[str, Callable[[_Loader, yaml.ScalarNode], str | Unresolved]] = {
    "!env": _env,
    "!file": _file,
}
for _tag, _constructor in _TAGS.items():
    _Loader.add_constructor(_tag, _constructor)


def load_yaml(path: Path, environment: Mapping[str, str] = os.environ) -> Any:
    """Read a YAML document; what a tag could not resolve is an `Unresolved` in its place.

    Raises:
        YamlError: The file cannot be read or is not YAML; the message says where.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise YamlError(f"cannot be read: {_reason(error)}") from error
    try:
        loader = _Loader(text)
        loader.folder = path.parent
        loader.environment = environment
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlError(f"{where}{error.problem}") from error
    except yaml.YAMLError as error:
        raise YamlError(str(error).splitlines()[0]) from error


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8 text"
