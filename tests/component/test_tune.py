"""``pd-exporter tune`` as a user runs it."""

import contextlib
import json
import os
import re
import signal
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import program, run, until

SMALL = ("--generate", "poisson:rate=2,duration=6m", "--startup", "30")
GOAL = ("--service-seconds", "0.6", "--service-cv", "0.5", "--ttft", "3", "--quantile", "0.9")
QUICK = ("--phases", "2", "--max-replicas", "6", "--processes", "1")


def tune(*arguments: str | Path) -> tuple[int, str, str]:
    done = run(program("pd-exporter"), "tune", *arguments)
    return done.returncode, done.stdout, done.stderr


def answered(*arguments: str | Path) -> dict[str, Any]:
    status, output, complaint = tune(*arguments, "--output", "json")
    assert status == 0, complaint
    answer: dict[str, Any] = json.loads(output)
    return answer


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Write a plain trace of ten minutes: three requests each five seconds."""
    file = tmp_path / "trace.csv"
    rows = (f"{5 * second + part},{1000 + part}\n" for second in range(120) for part in range(3))
    file.write_text("arrival,input_tokens\n" + "".join(rows))
    return file


def test_the_table_says_what_to_use_and_why() -> None:
    status, output, complaint = tune(*SMALL, *GOAL, *QUICK)

    assert (status, complaint) == (0, "")
    for part in ("tutorial", "keda-default", "recommended", "static:", "Pareto front", "✓", "✗"):
        assert part in output
    manifest = output[output.index("apiVersion:") : output.index("pollingInterval")]
    spec = yaml.safe_load(manifest)["spec"]
    assert spec["maxReplicaCount"] == 6
    assert re.search(r"pollingInterval\s+changes no decision", output)
    assert re.search(r"attains the target: \d\d\.\d\d % of the\s+requests for \d\.\d\d", output)


def test_json_holds_the_same_as_numbers() -> None:
    answer = answered(*SMALL, *GOAL, *QUICK, "--cost", "2.5", "--intervals", "15")

    assert answer["goal"] == {"measure": "ttft", "seconds": 3.0, "share": 0.9}
    assert answer["tried"] > 300
    assert [each["setting"] for each in answer["compared"]][:4] == [
        "tutorial",
        "keda-default",
        "lag:1",
        "recommended",
    ]
    chosen = answer["chosen"]
    assert chosen["attains"]
    assert chosen["attainment"]["mean"] >= 0.9
    assert chosen["cost"] == pytest.approx(2.5 * chosen["replica_hours"]["mean"])
    assert yaml.safe_load(answer["scaled_object"])["kind"] == "ScaledObject"


def test_the_same_seed_gives_the_same_answer_and_another_another() -> None:
    def scores(seed: str) -> Any:
        return answered(*SMALL, *GOAL, *QUICK, "--policy", "recommended", "--seed", seed)[
            "settings"
        ]

    assert scores("4") == scores("4")
    assert scores("4") != scores("5")


def test_named_settings_are_scored_without_a_search(trace: Path) -> None:
    service = ("--tokens-per-second", "900", "--wait", "1")
    answer = answered(trace, *service, *QUICK, "--policy", "lag:1", "--policy", "static:3")

    lag, static = answer["settings"]
    assert (lag["setting"], lag["replays"]) == ("lag:1", 2)
    # Three at once, three workers: nobody waits.
    assert (static["setting"], static["attainment"]["mean"]) == ("static:3", 1)
    assert static["wait_p95_seconds"]["most"] == 0
    assert static["replica_hours"]["mean"] == pytest.approx(3 * 597 / 3600)
    assert answer["requests"] == 360


def test_named_settings_have_a_table_too(trace: Path) -> None:
    status, output, _ = tune(
        trace, "--service-seconds", "1", "--service-cv", "0", "--wait", "1", "--policy", "tutorial"
    )

    assert status == 0
    assert "tutorial" in output
    assert "Pareto" not in output
    assert "caution" in output


def test_a_trace_of_half_an_hour_needs_no_caution() -> None:
    _, output, _ = tune(
        "--generate", "poisson:rate=1,duration=31m", "--service-seconds", "1", "--wait", "1",
        "--policy", "static:4",
    )  # fmt: skip

    assert "static:4" in output
    assert "caution" not in output


def test_what_is_asked_reaches_the_replays(trace: Path) -> None:
    lone = (trace, "--service-seconds", "1", "--wait", "1", "--policy", "recommended", *QUICK)

    def hours(*arguments: str) -> float:
        settings = answered(*lone, *arguments)["settings"]
        mean: float = settings[0]["replica_hours"]["mean"]
        return mean

    usual = hours()
    assert hours("--prior", "3") > 1.5 * usual
    assert hours("--missed-scrapes", "1") != usual
    assert hours("--initial-replicas", "6", "--missed-scrapes", "1") == pytest.approx(
        6 * 597 / 3600
    )
    assert hours("--concurrency", "2") < usual


def test_the_manifest_holds_the_service_time_that_was_replayed() -> None:
    busy = ("--generate", "poisson:rate=8,duration=15m", "--service-seconds", "0.6")
    goal = ("--wait", "0.5", "--quantile", "0.98", "--max-replicas", "16", "--phases", "3")

    answer = answered(*busy, *goal, "--prior", "0.61234", "--intervals", "15")

    query = yaml.safe_load(answer["scaled_object"])["spec"]["triggers"][0]["metadata"]["query"]
    assert answer["chosen"]["setting"].startswith(("required", "recommended"))
    assert query.count("* 0.6123") == 3


def test_a_reader_who_has_seen_enough_ends_it(trace: Path) -> None:
    command = (
        f"{program('pd-exporter')} tune {trace} --service-seconds 1 --wait 1 --policy static:5"
    )

    done = run("bash", "-c", f"{command} --output json | head -1; exit ${{PIPESTATUS[0]}}")

    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_a_report_is_written_with_the_answer(trace: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"

    status, _, complaint = tune(
        trace, "--service-seconds", "1", "--wait", "1", "--policy", "tutorial", "--policy",
        "static:5", "--report", report, *QUICK,
    )  # fmt: skip

    assert (status, complaint) == (0, "")
    page = report.read_text()
    assert "static:5" in page
    assert "settings that swing within the hour look better" in page
    assert [file.name for file in tmp_path.glob("*") if "unfinished" in file.name] == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "one of the arguments trace --generate is required"),
        (("x.csv",), "one of the arguments --ttft --wait is required"),
        (("x.csv", "--wait", "1", "--ttft", "1"), "not allowed with argument"),
        (("x.csv", "--wait", "1"), "one of the arguments --tokens-per-second"),
        (("x.csv", "--wait", "0"), "'0' is not a number from 0.001 to 3600"),
        (("x.csv", "--wait", "soon"), "'soon' is not a number"),
        (("x.csv", "--phases", "0"), "'0' is not a whole number from 1 to 1000"),
        (("x.csv", "--intervals", "5,x"), "'x' is not a number from 1 to 44"),
        (("x.csv", "--scrape", "60"), "'60' is not a number from 1 to 44"),
        (("x.csv", "--seed", "1" + 30 * "0"), "is not a whole number from 0 to 1000000"),
        (("x.csv", "--group", 'a"b'), "is not a name in Kubernetes"),
        (("x.csv", "--prometheus", "prometheus:9090"), "is not a URL"),
        (("x.csv", "--format", "xml"), "invalid"),
    ],
)
def test_wrong_arguments_are_told(arguments: tuple[str, ...], complaint: str) -> None:
    status, output, told = tune(*arguments)

    assert (status, output) == (2, "")
    assert complaint in told


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nowhere.csv", *GOAL), "pd-exporter: nowhere.csv: no such file; check the path"),
        (("--generate", "poisson:rate=2", *GOAL), "missing: duration; write for example"),
        ((*SMALL, *GOAL, "--policy", "best"), "no setting is called 'best'; write tutorial"),
        ((*SMALL, *GOAL, "--max-replicas", "1"), "no setting keeps up; raise it"),
        ((*SMALL, *GOAL, "--unscored", "400"), "not scored: give a longer trace"),
        ((*SMALL, *GOAL, "--report", "nowhere/x.html"), "there is no folder nowhere"),
        ((*SMALL, *GOAL, "--report", "/dev/null"), "no file can be written there"),
        ((*SMALL, *GOAL, "--group", "g" * 50), "characters"),
        ((*SMALL, *GOAL, "--policy", "static:5000"), "1 to 1000 for static's"),
        (
            (*SMALL, "--service-seconds", "2", "--service-cv", "0", "--ttft", "1"),
            "the service alone takes longer",
        ),
    ],
)
def test_what_cannot_be_answered_is_told_in_a_line(
    arguments: tuple[str, ...], complaint: str
) -> None:
    status, output, told = tune(*arguments)

    assert (status, output) == (1, "")
    assert complaint in told
    assert told.count("\n") == 1
    assert "Traceback" not in told


def test_a_trace_without_tokens_needs_a_service_time(tmp_path: Path) -> None:
    file = tmp_path / "bare.csv"
    file.write_text("arrival\n0\n10\n20\n")

    status, _, told = tune(file, "--tokens-per-second", "1000", "--wait", "1")

    assert status == 1
    assert "bare.csv has no input tokens: give the service time itself" in told


def test_a_bad_row_is_told_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("arrival,input_tokens\n0,10\n1,many\n")

    status, _, told = tune(file, "--tokens-per-second", "1000", "--wait", "1")

    assert status == 1
    assert f"{file}:3: " in told


LONG = (
    "tune", "--generate", "poisson:rate=20,duration=3h", "--tokens-per-second", "900", "--wait",
    "1", "--max-replicas", "64", "--phases", "2", "--processes", "2",
)  # fmt: skip


@pytest.fixture
async def searching() -> AsyncIterator[tuple[Process, list[int]]]:
    """Start a search that would take minutes, and give it with its two replaying processes."""
    command = await create_subprocess_exec(
        program("pd-exporter"), *LONG, stdout=PIPE, stderr=PIPE, start_new_session=True
    )

    async def replaying() -> list[int] | None:
        found = [child for child in children(command.pid) if "spawn_main" in command_line(child)]
        # Past its start, a process has had more of a processor than that takes.
        busy = all(processor_seconds(child) > 2 for child in found)
        return found if len(found) == 2 and busy else None

    try:
        yield command, await until(replaying, "two replaying processes", 60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)
        await command.wait()


def children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def processor_seconds(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]
    return int(ticks) / os.sysconf("SC_CLK_TCK")


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def test_replaying_processes_end_with_the_command(
    searching: tuple[Process, list[int]],
) -> None:
    command, replaying = searching

    command.kill()
    await command.wait()

    async def gone() -> bool:
        return not any(command_line(child) for child in replaying)

    await until(gone, "the end of the replaying processes")


async def test_a_replaying_process_that_is_killed_is_told_in_a_line(
    searching: tuple[Process, list[int]],
) -> None:
    command, replaying = searching

    os.kill(replaying[0], signal.SIGKILL)
    _, told = await command.communicate()

    assert command.returncode == 1
    assert told.decode().count("\n") == 1
    assert "ended from outside, perhaps for lack of memory; give fewer --processes" in told.decode()


async def test_an_interrupt_ends_a_search_without_a_word(
    searching: tuple[Process, list[int]],
) -> None:
    command, _ = searching

    os.killpg(command.pid, signal.SIGINT)
    output, told = await command.communicate()

    assert (command.returncode, output, told) == (130, b"", b"")
