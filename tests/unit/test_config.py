from pathlib import Path

import pytest

from pd_exporter.config import Ack, Config, ConfigError, ProcessAttribution, load

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
        ("", ["nothing to collect: list queues, or give the section gpu or roles"]),
        (
            "nats: {}\nqueues: []",
            ["nothing to collect: list queues, or give the section gpu or roles"],
        ),
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


GPU = """
gpu:
  node: !env NODE_NAME
"""


def test_gpus_alone_are_enough(tmp_path: Path) -> None:
    config = load_text(tmp_path, GPU, NODE_NAME="node-1")

    assert config.gpu is not None
    assert config.gpu.node == "node-1"
    assert config.gpu.kubelet_socket == Path("/var/lib/kubelet/pod-resources/kubelet.sock")
    assert config.gpu.process_attribution is ProcessAttribution.AUTO
    assert not config.gpu.all_pods
    assert config.role_aliases == {"decoder": "decode"}
    assert config.kubernetes.server is None


def test_what_is_wrong_with_gpus_is_told_with_its_path(tmp_path: Path) -> None:
    text = """
gpu: {nod: x, process_attribution: sometimes, all_pods: perhaps}
kubernetes: {server: nats://x, token_fil: x}
role_aliases: {decoder: ""}
"""
    assert problems(tmp_path, text) == [
        "gpu.node: required, and missing",
        "gpu.all_pods: input should be a valid boolean, unable to interpret input",
        "gpu.process_attribution: input should be 'auto', 'always' or 'never'",
        "gpu.nod: unknown key; did you mean node?",
        "kubernetes.server: the Kubernetes API's URL is wanted, such as https://10.96.0.1:443",
        "kubernetes.token_fil: unknown key; did you mean token_file?",
        "role_aliases.decoder: must not be empty",
    ]


def test_a_node_s_name_that_is_not_set_is_told(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, GPU)

    assert found.startswith("gpu.node: the environment variable NODE_NAME is not set")


def test_files_of_the_kubernetes_section_are_found_beside_the_configuration(tmp_path: Path) -> None:
    text = GPU + "kubernetes: {server: 'https://[::1]:6443/', token_file: t, ca_file: /ca.crt}"

    config = load_text(tmp_path, text, NODE_NAME="node-1")

    assert config.kubernetes.server == "https://[::1]:6443"
    assert config.kubernetes.token_file == tmp_path / "t"
    assert config.kubernetes.ca_file == Path("/ca.crt")
