"""What the image is built from, held against the package; no builder is needed."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.servers import program, run

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINNED = re.compile(r"^(\S+)==(\S+)(?: ; [^\\\n]*)? \\\n((?: +(?:--hash|#).*\n?)+)", re.MULTILINE)


def locked(name: str) -> dict[str, tuple[str, str]]:
    """Version, and hashes with who asks for it, of each package of a lock."""
    text = (ROOT / "image" / name).read_text()
    return {found[1]: (found[2], found[3]) for found in PINNED.finditer(text)}


def asked() -> dict[str, Requirement]:
    project = PROJECT["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["gpu"]
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


def test_the_lock_has_what_the_package_asks_for_in_the_range_that_it_asks_for() -> None:
    found = locked("requirements.txt")
    direct = {name for name, (_, why) in found.items() if "pd-exporter (pyproject.toml)" in why}

    assert direct == set(asked())
    for name, requirement in asked().items():
        assert requirement.specifier.contains(found[name][0])


def test_what_builds_the_wheel_is_pinned_too() -> None:
    found = locked("build.txt")

    for requirement in map(Requirement, PROJECT["build-system"]["requires"]):
        assert requirement.specifier.contains(found[requirement.name][0])


@pytest.mark.parametrize("name", ["requirements.txt", "build.txt"])
def test_every_line_of_a_lock_is_a_package_with_its_hashes(name: str) -> None:
    text = (ROOT / "image" / name).read_text()
    packages = re.findall(r"^[^\s#]", text, re.MULTILINE)

    assert len(locked(name)) == len(packages) > 0
    assert all("--hash=sha256:" in why for _, why in locked(name).values())


def test_the_builder_is_given_all_that_it_copies() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    given = [line[1:] for line in ignore if line.startswith("!")]
    shipped = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    copied = [
        path
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for path in line.split()
    ]

    assert "*" in ignore
    assert {path.split("/")[0] for path in copied} == {path.split("/")[0] for path in given}
    assert set(shipped) <= set(given)


def test_the_image_names_itself_and_runs_as_nobody_in_particular() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]

    assert final.startswith("scratch\n")
    assert set(re.findall(r"org\.opencontainers\.image\.(\w+)=", final)) == {
        "title",
        "description",
        "source",
        "version",
        "revision",
    }
    assert "\nUSER 65532:65532\n" in final
    assert final.endswith('\nENTRYPOINT ["/opt/pd-exporter/bin/pd-exporter"]\n')


def test_hadolint_finds_nothing() -> None:
    found = run(program("hadolint"), ROOT / "Dockerfile")

    assert (found.returncode, found.stdout) == (0, "")
