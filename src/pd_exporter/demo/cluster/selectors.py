"""What a list or watch asks for: a namespace, fields and labels."""

import re
from collections.abc import Iterator, Mapping

from pd_exporter.demo.cluster.objects import Object

_FIELDS = {"metadata.name", "metadata.namespace", "spec.nodeName", "status.phase"}
_TERM = re.compile(r"([^=!,()\s]+)(=|==|!=)([^=!,()\s]*)")


class Selector:
    """Tells which objects a request is about.

    Args:
        kind: The kind of objects.
        namespace: Of this namespace alone; empty for all.
        query: The request's, with `fieldSelector` and `labelSelector`.

    Raises:
        ValueError: It asks for more than equality, or for a field that cannot be selected by.
    """

    def __init__(self, kind: str, namespace: str, query: Mapping[str, str]) -> None:
        self._kind = kind
        self._namespace = namespace
        self._fields = list(_terms(query.get("fieldSelector", "")))
        self._labels = list(_terms(query.get("labelSelector", "")))
        unknown = [name for name, _, _ in self._fields if name not in _FIELDS]
        if unknown:
            raise ValueError(f"field label not supported: {unknown[0]}")

    def takes(self, shown: Object) -> bool:
        """Whether an object is among those asked for."""
        metadata = shown["metadata"]
        return (
            shown["kind"] == self._kind
            and self._namespace in {"", metadata["namespace"]}
            and all((_field(shown, name) == value) is same for name, same, value in self._fields)
            and all(
                (metadata["labels"].get(name) == value) is same
                for name, same, value in self._labels
            )
        )


def _terms(selector: str) -> Iterator[tuple[str, bool, str]]:
    """Give name, whether it is to be equal, and value of each term."""
    for text in filter(None, selector.split(",")):
        term = _TERM.fullmatch(text.strip())
        if term is None:
            raise ValueError(f"unable to parse requirement: {text}")
        yield term[1], term[2] != "!=", term[3]


def _field(shown: Object, path: str) -> object:
    part, _, name = path.partition(".")
    return shown.get(part, {}).get(name, "")
