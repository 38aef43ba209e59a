"""``pd-exporter tune`` as a user runs it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import program, run

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


def test_ready_replicas_that_load_are_told(trace: Path) -> None:
    _, output, _ = tune(
        trace, "--service-seconds", "1", "--wait", "1", "--policy", "static:4",
        "--ready-while-loading", "--concurrency", "2",
    )  # fmt: skip

    assert "counts as serving while it loads" in " ".join(output.split())
    assert "2 requests at a time" in output


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
