"""The demo's command line."""

import argparse
import subprocess
import sys

import pytest
import yaml

from pd_exporter.demo.command import add_demo
from pd_exporter.demo.seen.readings import RECORDED
from pd_exporter.demo.shipped import shipped, shipped_rules


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add_demo(parser.add_subparsers())
    return parser


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--requests", "0"], "'0' is not a whole number from 1"),
        (["--concurrency", "-3"], "'-3' is not a whole number from 1"),
        (["--workers", "two"], "'two' is not a whole number from 1"),
        (["--service-seconds", "nan"], "'nan' is not a number of seconds"),
        (["--service-seconds", "0"], "'0' is not a number of seconds"),
        (["--once", "--keep"], "not allowed with"),
        (["--nats-server", "/nowhere/nats"], "'/nowhere/nats' is not a program that can be run"),
        (["--prometheus", "/dev/null"], "'/dev/null' is not a program that can be run"),
        (["--workers", "32"], "or nothing waits"),
    ],
)
def test_wrong_arguments_are_told(
    parser: argparse.ArgumentParser,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    complaint: str,
) -> None:
    def run() -> None:
        parsed = parser.parse_args(["demo", *arguments])
        parsed.run(parsed)

    with pytest.raises(SystemExit) as end:
        run()

    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


def test_without_its_extra_the_demo_says_how_to_get_it() -> None:
    # -S leaves out site-packages, where the extra is; the command's own modules need no more.
    script = (
        "import argparse, sys; sys.path.insert(0, sys.argv[1]);"
        "from pd_exporter.demo.command import add_demo;"
        "parser = argparse.ArgumentParser(); add_demo(parser.add_subparsers());"
        "parsed = parser.parse_args(['demo']); sys.exit(parsed.run(parsed))"
    )
    source = shipped("src")

    done = subprocess.run(
        [sys.executable, "-S", "-c", script, str(source)],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == (
        "pd-exporter: the demo needs its extra: pip install 'pd-exporter[demo]'\n"
    )


def test_every_recorded_series_shown_is_one_of_the_shipped_rules() -> None:
    recorded = {
        (rule["record"], rule.get("labels", {}).get("source"))
        for path in shipped_rules()
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "record" in rule
    }

    shown = {
        (name, source)
        for by_source in RECORDED.values()
        for source, names in by_source.items()
        for name in names
    }
    assert shown <= recorded
