from pathlib import Path

import pytest

from pd_exporter.config import Ack, Config, ConfigError, load

GOOD = """
nats:
  main:
    servers: [nats://nats.default.svc.cluster.local:4222]
    user: scraper
    password: !env NATS_PASSWORD
queues:
- nats: main
  stream: dynamo_prefill_queue
  consumer: worker-group
  namespace: default
  group: dynamo-pd
"""


def load_text(tmp_path: Path, text: str, **environment: str) -> Config:
    file = tmp_path / "pd-exporter.yaml"
    file.write_text(text)
    return load(file, environment)


def problems(tmp_path: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, text, **environment)
    return [str(problem) for problem in caught.value.problems]


def test_a_configuration_with_its_defaults(tmp_path: Path) -> None:
    config = load_text(tmp_path, GOOD, NATS_PASSWORD="hunter2")

    (queue,) = config.queues
    assert queue.role == "prefill"
    assert queue.ack is Ack.ON_DEQUEUE
    assert queue.worker_concurrency == 1
    assert queue.service_prior_seconds is None
    assert config.nats["main"].inbox_prefix == "_INBOX_pdexporter"
    password = config.nats["main"].password
    assert password is not None
    assert password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(config)


def test_every_problem_is_told_at_once_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "not.creds").write_text("something else")
    text = """
nats:
  a: {servers: ["nats://u:p@host:1", "http://host", "nats://host:99999", "nats://"], user: me}
  b: {servers: [], token: !env NO_SUCH_VARIABLE}
  c: {servers: nats://host, credentials: nowhere.creds}
  d: {servers: [nats://host], user: [1], password: {a: topsecret}}
  e: {servers: [nats://host], credentials: not.creds}
  f: {servers: [nats://host], token: topsecret, user: me, password: topsecret}
  g: {server: [nats://host]}
queues:
- {nats: a, stream: a.b, consumer: "", namespace: " ", group: g, ack: maybe}
- {nats: zz, stream: s, consumer: c, namespace: d, group: g, worker_concurrency: 0}
- {nats: zz, stream: s, consumer: c, namespace: d, group: g}
- {nats: b, stream: s, consumer: c, namespace: d, group: g, service_prior_seconds: -2}
- {nats: b, stream: s, consumer: c, namespace: d, group: g}
- {stream: s2, consumer: 5, namespace: d, group: g, cap_messages: many, servce_prior_seconds: 1}
grafana: {}
"""
    found = problems(tmp_path, text)

    assert found == [
        "nats.a.servers[0]: credentials go into user and password (or token), not into the URL",
        "nats.a.servers[1]: a NATS server's URL is wanted, such as nats://nats.default.svc:4222",
        "nats.a.servers[2]: not a URL: Port out of range 0-65535",
        "nats.a.servers[3]: a NATS server's URL is wanted, such as nats://nats.default.svc:4222",
        "nats.b.servers: must not be empty",
        (
            "nats.b.token: the environment variable NO_SUCH_VARIABLE is not set; set it,"
            " or remove !env"
        ),
        "nats.c.servers: a list is wanted, not text",
        (
            f"nats.c.credentials: the credentials file {tmp_path}/nowhere.creds cannot be read:"
            " No such file or directory"
        ),
        "nats.d.user: text is wanted, not a list",
        "nats.d.password: text is wanted, not keys with values",
        (
            f"nats.e.credentials: {tmp_path}/not.creds is not a NATS credentials file: it holds no"
            " user JWT"
        ),
        "nats.f: only one of user and password, token, and credentials",
        "nats.g.servers: required, and missing",
        "nats.g.server: unknown key; did you mean servers?",
        "queues[0].stream: a JetStream name has no white space, '.', '*', '>', '/' or '\\'",
        "queues[0].consumer: must not be empty",
        "queues[0].namespace: must not be empty",
        "queues[0].ack: input should be 'on_dequeue' or 'after_work'",
        "queues[1].worker_concurrency: input should be greater than or equal to 1",
        "queues[3].service_prior_seconds: input should be greater than 0",
        "queues[5].consumer: text is wanted, not a number",
        (
            "queues[5].cap_messages: input should be a valid integer, unable to parse string as an"
            " integer"
        ),
        "queues[5].servce_prior_seconds: unknown key; did you mean service_prior_seconds?",
        "grafana: unknown key",
        "queues[2].nats: nats has no connection 'zz'",
        "queues[4]: the same namespace, group, role, stream and consumer as queues[2]",
    ]
    assert "topsecret" not in "".join(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["queues: nothing to collect: list at least one queue"]),
        ("nats: {}\nqueues: []", ["queues: nothing to collect: list at least one queue"]),
        ("- 1", ["keys with values are wanted, not a list"]),
        ("queues: 5", ["queues: a list is wanted, not a number"]),
        ("queues: [5]", ["queues[0]: keys with values are wanted, not a number"]),
        ("nats: [x", ["line 1, column 9: expected ',' or ']', but got '<stream end>'"]),
    ],
)
def test_a_document_of_the_wrong_shape(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert problems(tmp_path, text) == expected


def test_user_and_password_go_together(tmp_path: Path) -> None:
    text = GOOD.replace("password: !env NATS_PASSWORD", "")

    assert problems(tmp_path, text) == ["nats.main: user and password go together"]


def test_an_empty_secret_is_no_secret(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, NATS_PASSWORD="")

    assert found == ["nats.main.password: must not be empty"]


def test_two_queues_of_one_stream_are_fine(tmp_path: Path) -> None:
    second = """- nats: main
  stream: dynamo_prefill_queue
  consumer: other-group
  namespace: default
  group: dynamo-pd
"""
    assert len(load_text(tmp_path, GOOD + second, NATS_PASSWORD="x").queues) == 2


def test_credentials_are_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "user.creds").write_text("-----BEGIN NATS USER JWT-----\n")
    text = GOOD.replace("user: scraper", "credentials: user.creds")

    config = load_text(tmp_path, text.replace("password: !env NATS_PASSWORD", ""))

    assert config.nats["main"].credentials == tmp_path / "user.creds"
