from pathlib import Path
from typing import Any

import pytest

from pd_exporter.yamltags import Unresolved, YamlError, load_yaml


def load(tmp_path: Path, text: str, **environment: str) -> Any:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    return load_yaml(file, environment)


def test_env_and_file_are_put_in_place(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")

    document = load(tmp_path, "{a: !env NAME, b: [!file secret]}", NAME="from the environment")

    assert document == {"a": "from the environment", "b": ["from a file"]}


def test_what_cannot_be_resolved_stays_where_it_is(tmp_path: Path) -> None:
    document = load(tmp_path, "{a: !env NAME, b: !file nowhere}")

    assert isinstance(document["a"], Unresolved)
    assert "NAME" in document["a"].why
    assert "No such file" in document["b"].why


def test_a_secret_file_that_is_not_text_is_unresolved(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe")

    assert "UTF-8" in load(tmp_path, "a: !file secret")["a"].why


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "line 3, column 1: key 'a' is given twice"),
        ("a: [1", "line 1"),
        ("a: !include other.yaml", "line 1, column 4"),
        ("a: !!python/object/apply:os.getcwd []", "line 1, column 4"),
        ("a: 1\n---\nb: 1", "line 2"),
        ("a: \x00", "unacceptable character"),
    ],
)
def test_bad_yaml_says_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(YamlError, match=message.replace("(", "\\(")):
        load(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(YamlError, match="cannot be read: No such file"):
        load_yaml(tmp_path / "nowhere.yaml", {})


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(YamlError, match="not UTF-8"):
        load_yaml(tmp_path / "binary", {})
