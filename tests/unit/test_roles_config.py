"""Section `roles` of the configuration."""

from pathlib import Path

import pytest

from pd_exporter.config import Config, ConfigError, load

ROLES = """
roles:
  namespaces: [default]
  settings:
  - {namespace: default, group: dynamo-pd, role: prefill, startup_seconds: 120}
  ratios:
  - {namespace: default, group: dynamo-pd, prefill_per_decode: 0.5}
"""


def load_text(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "pd-exporter.yaml"
    file.write_text(text)
    return load(file, {})


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, text)
    return [str(problem) for problem in caught.value.problems]


def test_roles_alone_are_enough(tmp_path: Path) -> None:
    roles = load_text(tmp_path, ROLES).roles

    assert roles is not None
    assert roles.namespaces == ("default",)
    (settings,), (ratio,) = roles.settings, roles.ratios
    assert settings.startup_seconds == 120
    assert settings.worker_concurrency is None
    assert ratio.prefill_per_decode == 0.5


def test_the_whole_cluster_is_a_namespace(tmp_path: Path) -> None:
    roles = load_text(tmp_path, ROLES.replace("[default]", '["*"]')).roles

    assert roles is not None
    assert roles.watches("anything")


def test_what_is_wrong_with_roles_is_told_with_its_path(tmp_path: Path) -> None:
    text = """
roles:
  namespaces: [default, Ai_, "a/b", "-a", ""]
  settings:
  - {namespace: default, group: g, role: prefill, startup_second: 1}
  - {namespace: default, group: g, startup_seconds: -1, worker_concurrency: 0}
  - {namespace: default, group: g, role: r, service_prior_seconds: .nan, wait_goal_seconds: 0}
  ratios:
  - {namespace: default, group: g, prefill_per_decode: .inf}
  - {namespace: default, prefil_per_decode: 1}
  setting: []
"""
    wanted = 'a namespace\'s name is wanted, or "*" for the whole cluster'

    assert problems(tmp_path, text) == [
        f"roles.namespaces[1]: {wanted}",
        f"roles.namespaces[2]: {wanted}",
        f"roles.namespaces[3]: {wanted}",
        "roles.namespaces[4]: must not be empty",
        "roles.settings[0].startup_second: unknown key; did you mean startup_seconds?",
        "roles.settings[1].role: required, and missing",
        "roles.settings[1].startup_seconds: input should be greater than or equal to 0",
        "roles.settings[1].worker_concurrency: input should be greater than or equal to 1",
        "roles.settings[2].service_prior_seconds: input should be a finite number",
        "roles.settings[2].wait_goal_seconds: input should be greater than 0",
        "roles.ratios[0].prefill_per_decode: input should be a finite number",
        "roles.ratios[1].group: required, and missing",
        "roles.ratios[1].prefill_per_decode: required, and missing",
        "roles.ratios[1].prefil_per_decode: unknown key; did you mean prefill_per_decode?",
        "roles.setting: unknown key; did you mean settings?",
    ]


def test_entries_are_checked_against_each_other(tmp_path: Path) -> None:
    text = """
roles:
  namespaces: [default]
  settings:
  - {namespace: default, group: g, role: decode}
  - {namespace: default, group: g, role: prefill}
  - {namespace: default, group: g, role: decoder}
  - {namespace: other, group: g, role: decode}
  ratios:
  - {namespace: default, group: g, prefill_per_decode: 1}
  - {namespace: default, group: g, prefill_per_decode: 2}
  - {namespace: other, group: g, prefill_per_decode: 2}
"""
    same = "the same namespace, group and role as roles.settings[0]"

    assert problems(tmp_path, text) == [
        f"roles.settings[2]: {same}",
        "roles.settings[3].namespace: roles.namespaces has no 'other'",
        "roles.ratios[1]: the same namespace and group as roles.ratios[0]",
        "roles.ratios[2].namespace: roles.namespaces has no 'other'",
    ]
    assert problems(tmp_path, text + "role_aliases: {prefill: decode}\n")[0] == (
        "roles.settings[1]: the same namespace, group and role as roles.settings[0]"
    )


@pytest.mark.parametrize(
    ("namespaces", "expected"),
    [
        ("[]", ["must not be empty"]),
        ("default", ["a list is wanted, not text"]),
        ("[a, b, a]", ["named more than once: a"]),
        ('["*", a]', ['"*" is all namespaces: name no others beside it']),
    ],
)
def test_namespaces_are_named_once(tmp_path: Path, namespaces: str, expected: list[str]) -> None:
    found = problems(tmp_path, f"roles: {{namespaces: {namespaces}}}")

    assert found == [f"roles.namespaces: {message}" for message in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("roles: {}", ["roles.namespaces: required, and missing"]),
        ("roles: 5", ["roles: keys with values are wanted, not a number"]),
        (
            "roles: {namespaces: [a], settings: 5, ratios: [5]}",
            [
                "roles.settings: a list is wanted, not a number",
                "roles.ratios[0]: keys with values are wanted, not a number",
            ],
        ),
        ("roles:", ["nothing to collect: list queues, or give the section gpu or roles"]),
        (
            ROLES + "role_aliases: {prefill: [1]}",
            ["role_aliases.prefill: text is wanted, not a list"],
        ),
    ],
)
def test_a_section_of_the_wrong_shape(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert problems(tmp_path, text) == expected


def test_what_is_set_is_of_one_namespace(tmp_path: Path) -> None:
    text = """
roles:
  namespaces: ["*"]
  settings:
  - {namespace: "*", group: g, role: r, startup_seconds: 1}
  ratios:
  - {namespace: Ai, group: g, prefill_per_decode: 1}
"""

    assert problems(tmp_path, text) == [
        "roles.settings[0].namespace: a namespace's name is wanted",
        "roles.ratios[0].namespace: a namespace's name is wanted",
    ]


def test_a_namespace_may_have_63_letters_digits_and_dashes_between(tmp_path: Path) -> None:
    longest = "a-1" + "x" * 60
    roles = load_text(tmp_path, f"roles: {{namespaces: [{longest}, b]}}").roles

    assert roles is not None
    assert roles.watches(longest)
    assert not roles.watches("c")
    assert problems(tmp_path, f"roles: {{namespaces: [{longest}x, a-]}}") == [
        f'roles.namespaces[{index}]: a namespace\'s name is wanted, or "*" for the whole cluster'
        for index in range(2)
    ]
