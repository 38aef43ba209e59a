"""A watch that ends, breaks, falls silent or is refused: nothing is missed, no list is polled."""

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from pd_exporter.kube.api import Timeouts
from pd_exporter.kube.pace import Pace
from tests.fakes.kube_api import KubeApi
from tests.fakes.kube_objects import pod
from tests.kube import QUICK, Pauses, Watched, pods_of
from tests.servers import until


def versions(api: KubeApi, verb: str) -> list[str | None]:
    """The versions that were asked for."""
    return [asked.query.get("resourceVersion") for asked in api.requests if asked.verb == verb]


async def test_a_watch_whose_time_is_over_goes_on_where_it_was(
    api: KubeApi, watched: Watched
) -> None:
    api.create(pod("b"))
    await watched.names("a", "b")
    api.end_watches()
    api.create(pod("c"))
    await watched.names("a", "b", "c")

    assert versions(api, "list") == ["0"]
    assert versions(api, "watch") == ["101", "102"]


async def test_the_server_ends_a_watch_after_the_time_asked_for(api: KubeApi) -> None:
    async with pods_of(api, replace(QUICK, shortest_watch=0)) as watched:
        await watched.asked("watch", 3)

        api.create(pod("b"))
        await watched.names("a", "b")
        assert api.count("list") == 1


async def test_nothing_is_missed_while_the_connection_is_lost(
    api: KubeApi, watched: Watched
) -> None:
    a = api.objects("/api/v1/pods")[0]
    api.drop_connections()
    api.delete(a)
    api.create(pod("b"))

    await watched.names("b")
    assert api.count("list") == 1


async def test_an_event_cut_in_two_is_taken_once_it_is_whole(
    api: KubeApi, watched: Watched
) -> None:
    api.cut_next_event()
    api.create(pod("b"))

    await watched.names("a", "b")
    assert versions(api, "watch") == ["101", "101"]
    assert api.count("list") == 1


async def test_a_connection_that_is_only_half_there_is_given_up(api: KubeApi) -> None:
    async with pods_of(api, timeouts=Timeouts(silence=0.2)) as watched:
        await watched.watches()
        api.mute()
        api.create(pod("b"))

        await watched.names("a", "b")
        assert api.count("list") == 1


async def test_bookmarks_keep_the_version_young(api: KubeApi, watched: Watched) -> None:
    api.bookmark()
    api.bookmark()
    api.end_watches()
    await watched.asked("watch", 2)

    assert versions(api, "watch") == ["101", "103"]


async def test_bookmarks_confirm_what_is_known(api: KubeApi, watched: Watched) -> None:
    before = watched.pods.known().at
    api.bookmark()

    async def confirmed() -> bool:
        return watched.pods.known().at != before

    await until(confirmed, "the bookmark")
    assert watched.uids == {"a": "uid-1"}


@pytest.mark.parametrize("as_event", [False, True], ids=["HTTP 410", "ERROR event"])
async def test_a_forgotten_version_is_listed_anew_with_what_was_deleted(
    api: KubeApi, watched: Watched, *, as_event: bool
) -> None:
    api.gone_as_event = as_event
    api.drop_connections()
    api.delete(api.objects("/api/v1/pods")[0])
    api.create(pod("b"))
    api.compact()

    await watched.names("b")
    await watched.watches()
    assert versions(api, "list") == ["0", "101"]
    assert versions(api, "watch") == ["101", "101", "104"]


async def test_a_version_forgotten_now_and_then_is_no_problem(api: KubeApi) -> None:
    with capture_logs() as logs:
        async with pods_of(api) as watched:
            await watched.watches()
            api.send_error(410, "Expired")
            await watched.asked("list", 2)
            await watched.watches()

    assert not [log for log in logs if log["log_level"] == "warning"]


async def test_versions_forgotten_again_and_again_are_a_problem(api: KubeApi) -> None:
    api.fail("watch", 410, "Expired")
    pauses = Pauses()
    async with pods_of(api, Pace(pause=pauses, chance=lambda: 1.0)) as watched:
        start, *later = await pauses.reach(7)

        assert start == 2
        assert later == [1, 2, 4, 8, 16, 32]
        assert watched.reason == "gone"
        assert watched.uids == {"a": "uid-1"}


async def test_a_version_of_the_future_is_asked_for_once(api: KubeApi, watched: Watched) -> None:
    api.rewind()
    api.send_error(410, "Expired")
    api.create(pod("b"))

    await watched.names("a", "b")
    await watched.watches()
    assert versions(api, "list") == ["0", "101", None]


async def test_another_error_within_a_watch_is_listed_anew(api: KubeApi, watched: Watched) -> None:
    api.send_error(500, "InternalError")
    api.create(pod("b"))

    await watched.asked("list", 2)
    await watched.names("a", "b")
    await watched.watches()


async def test_watches_that_end_as_soon_as_they_begin_are_not_asked_for_without_pause(
    api: KubeApi,
) -> None:
    pauses = Pauses()
    async with pods_of(api, Pace(pause=pauses, chance=lambda: 0.0, shortest_watch=0)) as watched:
        start, *later = await pauses.reach(8)

        assert start == 0
        assert later == [0.5, 1, 2, 4, 8, 16, 30]
        assert watched.reason == "unreachable"
        assert "ends each watch" in str(watched.pods.known().problem)
        assert api.count("list") == 1


@pytest.mark.parametrize("code", [429, 500])
async def test_a_watch_that_is_refused_for_a_time_is_not_listed_anew(
    api: KubeApi, watched: Watched, code: int
) -> None:
    api.fail("watch", code, "Later")
    api.end_watches()
    await watched.has("throttled" if code == 429 else "server_error")
    api.create(pod("b"))
    api.heal()

    await watched.names("a", "b")
    await watched.has(None)
    assert api.count("list") == 1


async def test_nothing_is_left_when_it_ends(api: KubeApi) -> None:
    before = asyncio.all_tasks()
    async with pods_of(api) as watched:
        await watched.watches()
    ours = {task for task in asyncio.all_tasks() - before if "RequestHandler" not in repr(task)}

    assert not ours

    async def closed() -> bool:
        return not api.open_watches

    await until(closed, "the server to see the watch's end")


@pytest.mark.parametrize("verb", ["list", "watch"])
async def test_it_ends_while_it_waits_for_an_answer(api: KubeApi, verb: str) -> None:
    api.hang(verb)
    async with pods_of(api) as watched:
        await watched.asked(verb, 1)


async def test_it_ends_while_it_pauses(api: KubeApi) -> None:
    api.forbid("list")
    async with pods_of(api, Pace(start=0.0, first_pause=3600, longest_pause=3600)) as watched:
        await watched.has("forbidden")
