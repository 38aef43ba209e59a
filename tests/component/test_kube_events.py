"""What comes over a watch: long lines, lines that are no events, objects that cannot be read."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from pd_exporter.kube.api import MAX_EVENT_BYTES
from tests.fakes.kube_api import KubeApi
from tests.fakes.kube_objects import pod
from tests.kube import Watched, pods_of


async def test_a_long_line_is_read(api: KubeApi, watched: Watched) -> None:
    api.create(pod("b", annotations={"kept": "x" * 1_000_000}))

    await watched.names("a", "b")
    shown = watched.pod("b")
    assert shown is not None
    assert len(shown.annotations["kept"]) == 1_000_000
    assert api.count("list") == 1


@pytest.mark.parametrize(
    "line",
    [
        b"<html>\n",
        b'{"type": "ADDED"}\n',
        b'{"type": "ADDED", "object": []}\n',
        b"[]\n",
        b"\xff\n",
        b"x" * (MAX_EVENT_BYTES + 1),
    ],
    ids=["text", "no object", "a list as object", "a list", "bytes", "no end"],
)
async def test_what_is_no_event_ends_the_watch_and_is_listed_anew(
    api: KubeApi, watched: Watched, line: bytes
) -> None:
    api.send_raw(line)
    await watched.asked("list", 2)
    api.create(pod("b"))

    await watched.names("a", "b")
    await watched.watches()


async def test_lines_that_say_nothing_change_nothing(api: KubeApi, watched: Watched) -> None:
    api.send_raw(b"\r\n\n")
    api.send_raw(b'{"type": "NEW", "object": {"metadata": {"uid": "uid-1"}}}\n')
    api.send_raw(b'{"type": "BOOKMARK", "object": {"metadata": "none"}}\n')
    api.send_raw(b'{"type": "DELETED", "object": {}}\n')
    api.create(pod("b"))

    await watched.names("a", "b")
    assert api.count("list") == api.count("watch") == 1


@pytest.mark.parametrize(
    "broken",
    [None, "text", {}, {"uid": "uid-1", "name": "a"}, {"uid": "uid-1", "labels": ["x"]}],
    ids=str,
)
async def test_an_object_that_cannot_be_read_is_left_out_and_the_first_is_logged(
    api: KubeApi, broken: Any
) -> None:
    api.create(pod("b"))
    line = json.dumps({"type": "MODIFIED", "object": {"metadata": broken}}).encode() + b"\n"
    with capture_logs() as logs:
        async with pods_of(api) as watched:
            await watched.watches()
            api.send_raw(line)
            api.send_raw(line)
            api.create(pod("c"))
            whole = isinstance(broken, dict) and "uid" in broken
            await watched.names(*("b", "c") if whole else ("a", "b", "c"))
            assert watched.reason is None

    assert [log["event"] for log in logs] == ["object left out, as are others like it"]


async def test_objects_that_cannot_be_read_are_left_out_of_a_list(api: KubeApi) -> None:
    api.create(pod("b", labels={"role": 1}))  # type: ignore[dict-item]

    async with pods_of(api) as watched:
        await watched.pods.first()

        assert watched.uids == {"a": "uid-1"}
