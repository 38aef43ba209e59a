"""From a process to its pod: the names of cgroups, and a tree like /proc."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.kubelet.cgroups import NotInPod, PodProcess, ProcessTable, parse_cgroup

UID = "72f7f152-440c-66ac-9084-e0fc1d8a910c"
ESCAPED = UID.replace("-", "_")
OUTER_UID = "1c178021-5860-4495-a1ab-f9ac17877672"
HASH = "0bc5eac79e3ae7a0c2651f14722aa10f"
ID = "b2a102854b4969b2ce98dc329c86b4fb2b06e4ad2cc8da9d8a7578c9cd2004a2"
NODE_ID = "1" * 64
SYSTEMD = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{ESCAPED}.slice"
V1 = ("cpuset", "cpu,cpuacct", "devices", "name=systemd")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"{SYSTEMD}/cri-containerd-{ID}.scope", id="containerd"),
        pytest.param(f"{SYSTEMD}/crio-{ID}.scope", id="CRI-O"),
        pytest.param(f"{SYSTEMD}/docker-{ID}.scope", id="Docker"),
        pytest.param(f"{SYSTEMD}/crio-{ID}.scope/container", id="CRI-O with crun"),
        pytest.param(f"{SYSTEMD}/cri-containerd-{ID}.scope/init", id="a cgroup of its own below"),
        pytest.param(
            f"{SYSTEMD}/cri-containerd-{ID}.scope/docker/{NODE_ID}", id="Docker in the container"
        ),
        pytest.param(f"{SYSTEMD}/cri-containerd-{ID}.scope (deleted)", id="removed"),
        pytest.param(
            f"/kubepods.slice/kubepods-pod{ESCAPED}.slice/crio-{ID}.scope", id="guaranteed"
        ),
        pytest.param(f"/kubepods/besteffort/pod{UID}/{ID}", id="cgroupfs"),
        pytest.param(f"/kubepods/pod{UID}/crio-{ID}", id="guaranteed, cgroupfs, CRI-O"),
        pytest.param(
            f"/system.slice/containerd.service/kubepods-besteffort-pod{ESCAPED}.slice"
            f":cri-containerd:{ID}",
            id="systemd's pods in containerd's own cgroup",
        ),
        pytest.param(
            f"/../../kubepods-besteffort-pod{ESCAPED}.slice/cri-containerd-{ID}.scope",
            id="seen from a cgroup namespace",
        ),
        pytest.param(
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice"
            f"/kubelet-kubepods-besteffort-pod{ESCAPED}.slice/cri-containerd-{ID}.scope",
            id="kind",
        ),
        pytest.param(
            f"/kubepods/pod{OUTER_UID}/{NODE_ID}/docker/{NODE_ID}/kubepods/burstable/pod{UID}/{ID}",
            id="a node that is a pod's container",
        ),
        pytest.param(f"/custom-root/pods/pod{UID}/{ID}", id="a root of one's own"),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_process_of_a_container_is_known_by_its_cgroup(path: str, version: int) -> None:
    lines = [f"{n}:{name}:{path}\n" for n, name in enumerate(V1, 1)] if version == 1 else []

    assert parse_cgroup("".join([*lines, f"0::{path}\n"])) == PodProcess(UID, ID)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"/kubepods.slice/kubepods-pod{HASH}.slice/crio-{ID}.scope", id="systemd"),
        pytest.param(f"/kubepods/burstable/pod{HASH}/{ID}", id="cgroupfs"),
    ],
)
def test_a_static_pod_is_known_by_the_hash_of_its_configuration(path: str) -> None:
    assert parse_cgroup(f"0::{path}\n") == PodProcess(HASH, ID)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"{SYSTEMD}/crio-conmon-{ID}.scope", id="CRI-O's monitor"),
        pytest.param(SYSTEMD, id="the pod itself"),
        pytest.param(f"{SYSTEMD}/cri-containerd-{ID[1:]}.scope", id="no container's id"),
    ],
)
def test_a_process_beside_the_containers_is_still_the_pods(path: str) -> None:
    assert parse_cgroup(f"0::{path}\n") == PodProcess(UID)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0::/\n",
        "0::/init.scope\n",
        "0::/system.slice/nvidia-persistenced.service\n",
        f"0::/system.slice/docker-{ID}.scope\n",
        f"0::/machine.slice/libpod-{ID}.scope\n",
        f"0::/podman/pod{UID[:-1]}/{ID}\n",
        f"0::/kubepods/tripod{UID}/{ID}\n",
        f"0::/kubepods/pod{ESCAPED[:-8]}-{UID[-7:]}/{ID}\n",
        f"/kubepods/pod{UID}/{ID}\n",
    ],
)
def test_a_process_of_the_node_has_no_pod(text: str) -> None:
    assert parse_cgroup(text) is None


def test_one_hierarchy_that_tells_is_enough() -> None:
    text = f"3:cpu:/\n2:devices:/kubepods/pod{UID}/{ID}\n1:name=systemd:/kubepods/pod{UID}\n0::/\n"

    assert parse_cgroup(text) == PodProcess(UID, ID)


def test_hierarchies_that_disagree_tell_no_more_than_they_share() -> None:
    one, other = f"2:devices:/kubepods/pod{UID}/{ID}\n", f"1:cpu:/kubepods/pod{UID}/{NODE_ID}\n"

    assert parse_cgroup(one + other) == PodProcess(UID)
    assert parse_cgroup(one + f"1:cpu:/kubepods/pod{HASH}/{ID}\n") is None


@st.composite
def named_cgroups(draw: st.DrawFn) -> tuple[str, PodProcess]:
    """A content of /proc/<pid>/cgroup, and whose process it is."""
    uid = str(draw(st.uuids())) if draw(st.booleans()) else draw(st.uuids()).hex
    container = draw(st.text("0123456789abcdef", min_size=64, max_size=64))
    qos = draw(st.sampled_from(["", "burstable", "besteffort"]))
    runtime = draw(st.sampled_from(["cri-containerd-", "crio-", "docker-"]))
    if draw(st.booleans()):
        prefix = draw(st.sampled_from(["", "kubelet-"])) + "kubepods" + (f"-{qos}" if qos else "")
        pod = f"{prefix}.slice/{prefix}-pod{uid.replace('-', '_')}.slice"
        inner = draw(
            st.sampled_from([f"/{runtime}{container}.scope", f":cri-containerd:{container}"])
        )
    else:
        pod = f"kubepods/{qos}/pod{uid}" if qos else f"kubepods/pod{uid}"
        inner = "/" + draw(st.sampled_from(["", "crio-"])) + container
    outside = draw(
        st.sampled_from(
            ["/", "/../../", f"/docker/{NODE_ID}/", f"/kubepods/pod{OUTER_UID}/{NODE_ID}/"]
        )
    )
    inside = draw(st.sampled_from(["", "/init", f"/docker/{NODE_ID}", " (deleted)"]))
    path = outside + pod + inner + inside
    version = draw(st.sampled_from([(), V1]))
    lines = [f"{n}:{name}:{path}\n" for n, name in enumerate(version, 1)]
    return "".join([*lines, f"0::{'/' if lines else path}\n"]), PodProcess(uid, container)


@given(named_cgroups())
def test_every_runtime_driver_and_nesting_is_read_back(named: tuple[str, PodProcess]) -> None:
    text, process = named

    assert parse_cgroup(text) == process


@given(st.text() | st.text("0123456789abcdef:/-_\npodslice."))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    assert parse_cgroup(text) is None


class Proc:
    """A tree like /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def start(
        self, pid: int, cgroup: str, started: int = 100, name: str = "python3", state: str = "S"
    ) -> None:
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        between = " ".join(str(number) for number in range(4, 22))
        (folder / "stat").write_text(f"{pid} ({name}) {state} {between} {started} 0 0\n")
        (folder / "cgroup").write_text(f"0::{cgroup}\n")

    def stop(self, pid: int) -> None:
        for file in (self.root / str(pid)).iterdir():
            file.unlink()
        (self.root / str(pid)).rmdir()


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


@pytest.fixture
def table(proc: Proc) -> ProcessTable:
    return ProcessTable(proc.root)


POD_CGROUP = f"/kubepods/pod{UID}/{ID}"
OTHER_CGROUP = f"/kubepods/pod{HASH}/{NODE_ID}"


def test_each_process_is_its_pods_or_tells_why_it_is_not(proc: Proc, table: ProcessTable) -> None:
    proc.start(1, "/init.scope")
    proc.start(7, POD_CGROUP)
    proc.start(8, OTHER_CGROUP)
    proc.start(9, POD_CGROUP, state="Z")
    proc.start(10, POD_CGROUP)
    (proc.root / "10/stat").write_text("10 (cut off")

    assert table.lookup([1, 7, 8, 9, 10, 11]) == {
        1: NotInPod.HOST,
        7: PodProcess(UID, ID),
        8: PodProcess(HASH, NODE_ID),
        9: NotInPod.GONE,
        10: NotInPod.UNREADABLE,
        11: NotInPod.GONE,
    }


@pytest.mark.parametrize("name", ["a) b (c", ") Z 1 2 3", "Web Content", ""])
def test_a_process_may_be_called_anything(proc: Proc, table: ProcessTable, name: str) -> None:
    proc.start(7, POD_CGROUP, name=name)

    assert table.lookup([7]) == {7: PodProcess(UID, ID)}


def test_what_is_not_for_us_is_unreadable_and_not_absent(proc: Proc, table: ProcessTable) -> None:
    proc.start(7, POD_CGROUP)
    (proc.root / "7/cgroup").unlink()
    (proc.root / "7/cgroup").mkdir()  # for root no file is unreadable, but a folder is

    assert table.lookup([7]) == {7: NotInPod.UNREADABLE}


def test_a_process_that_is_asked_for_again_is_not_read_again(
    proc: Proc, table: ProcessTable
) -> None:
    proc.start(7, POD_CGROUP)
    table.lookup([7])
    (proc.root / "7/cgroup").unlink()

    assert table.lookup([7]) == {7: PodProcess(UID, ID)}


def test_a_process_id_that_is_used_again_is_another_process(
    proc: Proc, table: ProcessTable
) -> None:
    proc.start(7, POD_CGROUP, started=100)
    table.lookup([7])
    proc.start(7, OTHER_CGROUP, started=101)

    assert table.lookup([7]) == {7: PodProcess(HASH, NODE_ID)}


def test_an_id_that_is_used_again_while_it_is_read_is_not_taken_for_the_old_process(
    proc: Proc, table: ProcessTable
) -> None:
    proc.start(7, POD_CGROUP, started=100)
    (proc.root / "7/cgroup").unlink()
    os.mkfifo(proc.root / "7/cgroup")

    def use_again() -> None:
        with (proc.root / "7/cgroup").open("w") as cgroup:  # from here on the table waits for it
            stat = proc.root / "7/stat"
            stat.write_text(stat.read_text().replace(" 100 ", " 101 "))
            cgroup.write(f"0::{OTHER_CGROUP}\n")

    successor = threading.Thread(target=use_again)
    successor.start()
    found = table.lookup([7])
    successor.join()

    assert found == {7: NotInPod.GONE}


def test_a_process_that_ends_is_gone_although_it_was_known(proc: Proc, table: ProcessTable) -> None:
    proc.start(7, POD_CGROUP)
    table.lookup([7])
    proc.stop(7)

    assert table.lookup([7]) == {7: NotInPod.GONE}


def test_a_process_that_is_not_asked_for_is_forgotten(proc: Proc, table: ProcessTable) -> None:
    proc.start(7, POD_CGROUP)
    table.lookup([7])
    table.lookup([])
    (proc.root / "7/cgroup").write_text(f"0::{OTHER_CGROUP}\n")

    assert table.lookup([7]) == {7: PodProcess(HASH, NODE_ID)}


@pytest.mark.parametrize(
    ("target", "host"), [("pid:[4026531836]", True), ("pid:[4026532201]", False), (None, False)]
)
def test_the_hosts_pid_namespace_is_known_by_its_number(
    proc: Proc, table: ProcessTable, target: str | None, host: bool
) -> None:
    if target is not None:
        (proc.root / "self/ns").mkdir(parents=True)
        (proc.root / "self/ns/pid").symlink_to(target)

    assert table.in_host_pid_namespace() is host


def test_the_real_proc_is_read() -> None:
    found = ProcessTable().lookup([os.getpid()])

    assert found[os.getpid()] is NotInPod.HOST or isinstance(found[os.getpid()], PodProcess)
