"""A real Prometheus that is written to as time goes by, and whose rules are recorded step by step.

Samples come by remote write, which unlike promtool's blocks takes staleness markers. A rule's
expression is evaluated by the server; what it gives is stored as the server's own rule manager
would, a marker for each series that was there before and is not now.
"""

import contextlib
import functools
import http.client
import itertools
import json
import struct
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.prometheus import Labels, labels, stored

Series = tuple[str, Labels]
"""A series' name, and its labels."""

Values = Mapping[Series, float | None]
"""What is told at an instant; None is a staleness marker."""

_MARKER = (0x7FF0_0000_0000_0002).to_bytes(8, "little")  # value.StaleNaN
_LITERAL = 1 << 16


class Store:
    """A server on loopback, which scrapes nothing and evaluates nothing of itself."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of an answer."""
        self._http.request("GET", path)
        answer = self._http.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        self._http.close()

    def write(self, seconds: int, values: Values) -> None:
        """Store samples of an instant."""
        if not values:
            return
        body = b"".join(
            _field(1, _series(name, of) + _field(2, _sample(value, seconds * 1000)))
            for (name, of), value in values.items()
        )
        self._http.request("POST", "/api/v1/write", _snappy(body), {"Content-Encoding": "snappy"})
        answer = self._http.getresponse()
        text = answer.read()
        assert answer.status == http.client.NO_CONTENT, text

    def evaluate(self, rule: Mapping[str, Any], seconds: int) -> dict[Series, float]:
        """What a recording rule gives."""
        question = urllib.parse.urlencode({"query": rule["expr"], "time": seconds})
        status, body = self.get(f"/api/v1/query?{question}")
        assert status == http.client.OK, body
        data = json.loads(body)["data"]
        assert data["resultType"] == "vector", rule
        found = {}
        for each in data["result"]:
            of = each["metric"] | rule.get("labels", {})
            of.pop("__name__", None)
            found[rule["record"], labels(**of)] = float(each["value"][1])
        assert len(found) == len(data["result"]), f"{rule['record']} twice with the same labels"
        return found


class Rules:
    """Rule groups in the form that Prometheus loads, and what they recorded last."""

    def __init__(self, text: str) -> None:
        self._rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
        self._last: list[Iterable[Series]] = [()] * len(self._rules)

    def record(self, store: Store, seconds: int) -> None:
        """Evaluate and store rule by rule: each finds what those before it have just recorded."""
        for number in range(len(self._rules)):
            store.write(seconds, self._evaluate(store, number, seconds))

    def results(self, store: Store, seconds: int) -> Values:
        """Evaluate all on what is there already, to be stored later."""
        numbers = range(len(self._rules))
        return {
            series: value
            for number in numbers
            for series, value in self._evaluate(store, number, seconds).items()
        }

    def _evaluate(self, store: Store, number: int, seconds: int) -> Values:
        found = store.evaluate(self._rules[number], seconds)
        gone = dict.fromkeys(self._last[number])
        self._last[number] = found.keys()
        return {**gone, **found}


@contextlib.contextmanager
def store_in(folder: Path) -> Iterator[Store]:
    """Run an empty server while entered."""
    with stored(folder, folder / "data", "--web.enable-remote-write-receiver") as port:
        store = Store(port)
        try:
            yield store
        finally:
            store.close()


@functools.cache
def _series(name: str, of: Labels) -> bytes:
    return b"".join(
        _field(1, _field(1, label.encode()) + _field(2, value.encode()))
        for label, value in (("__name__", name), *of)
    )


def _sample(value: float | None, milliseconds: int) -> bytes:
    number = _MARKER if value is None else struct.pack("<d", value)
    return b"\x09" + number + b"\x10" + _varint(milliseconds)


def _field(number: int, content: bytes) -> bytes:
    """A protobuf field of type bytes."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def _snappy(content: bytes) -> bytes:
    """A block of Snappy without any compression: its length, and literals of 64 KiB."""
    parts: Sequence[bytes] = [
        content[begin : begin + _LITERAL] for begin in range(0, len(content), _LITERAL)
    ]
    literals = ((b"\xf4" + struct.pack("<H", len(part) - 1), part) for part in parts)
    return _varint(len(content)) + b"".join(itertools.chain.from_iterable(literals))
