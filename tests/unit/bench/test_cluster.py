"""The cluster's pure parts: command lines, volumes, archives, hashes, plans for the host; and processes by pid."""

from __future__ import annotations

import json
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.bench.cluster import commands, host_state, programs, volumes
from tests.bench.cluster.api import is_available
from tests.bench.cluster.archive import Content, write
from tests.bench.cluster.certificates import Authority, kubeconfig
from tests.bench.cluster.layout import Layout
from tests.bench.cluster.processes import Processes
from tests.bench.paths import Paths
from tests.bench.shell import BenchError

LAYOUT = Layout(Paths(Path("/cache")))


def test_every_file_of_the_commands_is_in_the_cache() -> None:
    text = " ".join([*commands.etcd(LAYOUT), *commands.apiserver(LAYOUT), *commands.controllers(LAYOUT)])
    text += json.dumps([commands.kubelet_configuration(LAYOUT), commands.proxy_configuration(LAYOUT)])
    text += commands.runtime_configuration(LAYOUT, Path("/cache/tools/cni"))
    for word in text.replace('"', " ").replace("=", " ").replace("unix://", " ").split():
        if word.startswith("/"):
            assert word.startswith("/cache/"), word


def test_the_front_proxy_has_an_authority_of_its_own() -> None:
    flags = dict(word.split("=", 1) for word in commands.apiserver(LAYOUT) if "=" in word)
    assert flags["--requestheader-client-ca-file"] != flags["--client-ca-file"]


def test_a_certificate_names_its_user_groups_and_hosts() -> None:
    authority = Authority("bench")
    issued = x509.load_pem_x509_certificate(authority.issue("me", ["us"], ["name", "10.0.0.1"]).certificate)
    issued.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.pair.certificate))
    assert issued.subject.rfc4514_string() == "CN=me,O=us"
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["name"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]


def test_a_kubeconfig_needs_no_other_file() -> None:
    authority = Authority("bench")
    content = kubeconfig(authority.pair.certificate, authority.issue("me"), LAYOUT.addresses.server)
    assert set(content["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}


def test_the_same_files_are_the_same_image(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("x")
    content = Content("bench.localhost/x:1", {"/bin/program": program}, ("/bin/program",), {"/link": "bin/program"})
    archives = []
    for name in ("one.tar", "two.tar"):
        write(tmp_path / name, content)
        with tarfile.open(tmp_path / name) as archive:
            archives.append(archive.getnames())
            manifest = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
            with tarfile.open(fileobj=archive.extractfile(manifest[0]["Layers"][0])) as layer:
                found = {member.name: member for member in layer.getmembers()}
        assert manifest[0]["RepoTags"] == ["bench.localhost/x:1"]
        assert found["bin/program"].mode == 0o755
        assert found["link"].linkname == "bin/program"
    assert archives[0] == archives[1]
    assert not list(tmp_path.glob("*.layer"))


def claim(**more: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "data",
            "namespace": "app",
            "uid": "u1",
            "annotations": {"volume.kubernetes.io/selected-node": "node"},
        },
        "spec": {
            "storageClassName": volumes.STORAGE_CLASS,
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            **more,
        },
    }


@pytest.mark.parametrize(
    ("wanted", "node", "expected"),
    [
        (claim(), "node", True),
        (claim(), "other", False),
        (claim(storageClassName="other"), "node", False),
        (claim(volumeName="pvc-u1"), "node", False),
        (claim() | {"metadata": {**claim()["metadata"], "deletionTimestamp": "now"}}, "node", False),
    ],
)
def test_claims_that_wait(wanted: dict[str, Any], node: str, expected: bool) -> None:
    assert volumes.is_waiting(wanted, node) is expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (claim(volumeName="pvc-u1") | {"status": {"capacity": {"storage": "512Mi"}}}, True),
        (claim(volumeName="pvc-u1") | {"status": {"capacity": {"storage": "1Gi"}}}, False),
        (claim(volumeName="pvc-u1", storageClassName="other") | {"status": {"capacity": {"storage": "512Mi"}}}, False),
        (claim() | {"status": {"phase": "Pending"}}, False),
    ],
)
def test_claims_that_grow(wanted: dict[str, Any], expected: bool) -> None:
    assert volumes.is_growing(wanted) is expected


def test_a_volume_is_bound_to_its_claim_and_node() -> None:
    made = volumes.new_volume(claim(), "node", Path("/folder"))
    assert made["spec"]["claimRef"]["uid"] == "u1"
    assert made["spec"]["capacity"] == {"storage": "1Gi"}
    (term,) = made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"]
    assert term["values"] == ["node"]


@pytest.mark.parametrize(
    ("changed", "count"),
    [
        ({}, 1),
        ({"status": {"phase": "Bound"}}, 0),
        ({"spec": {"persistentVolumeReclaimPolicy": "Retain"}}, 0),
        ({"metadata": {"name": "foreign"}}, 0),
    ],
)
def test_volumes_to_remove(changed: dict[str, Any], count: int) -> None:
    volume = {**volumes.new_volume(claim(), "node", Path("/folder")), "status": {"phase": "Released"}, **changed}
    assert len(volumes.released([volume])) == count


def test_a_program_is_compiled_again_when_its_sources_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "SOURCES", tmp_path)
    source = tmp_path / "pause"
    source.mkdir()
    (source / "go.mod").write_text("module x")
    before = programs.hash_sources(programs.PAUSE)
    (source / "README").write_text("x")
    assert programs.hash_sources(programs.PAUSE) == before
    (source / "go.mod").write_text("module y")
    assert programs.hash_sources(programs.PAUSE) != before


@pytest.mark.parametrize("program", programs.PROGRAMS, ids=lambda program: str(program.name))
def test_every_program_has_its_modules_pinned(program: programs.Program) -> None:
    assert (program.source / "go.mod").exists()
    if "require" in (program.source / "go.mod").read_text():
        assert (program.source / "go.sum").exists()


def test_the_linked_version_is_the_one_of_the_module() -> None:
    assert f"k8s.io/kubernetes v{programs.KUBERNETES_VERSION}\n" in (programs.KUBERNETES.source / "go.mod").read_text()


def test_only_what_changed_on_the_host_goes_back() -> None:
    assert host_state.changed_settings({"a": "0", "b": "1"}, {"a": "1", "b": "1", "c": "2"}) == {"a": "0"}
    assert host_state.plan_folders(["/old"], ["/old", "/new"]) == ["/new"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, True),
        ({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}, False),
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}, False),
        ({}, False),
    ],
)
def test_deployments_that_run(status: dict[str, int], expected: bool) -> None:
    assert is_available({"metadata": {"generation": 2}, "spec": {}, "status": status}) is expected


def test_a_process_is_known_by_pid_and_birth(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "records", tmp_path / "logs")
    processes.start("sleeper", ["sh", "-c", "echo begun; exec sleep 60"])
    pid = processes.pid("sleeper")
    assert pid is not None
    assert processes.known() == ["sleeper"]
    record = tmp_path / "records" / "sleeper.json"
    kept = record.read_text()
    record.write_text(json.dumps({"pid": pid, "started": "1"}))
    assert processes.pid("sleeper") is None
    record.write_text(kept)
    processes.stop("sleeper")
    assert processes.pid("sleeper") is None
    assert processes.known() == []


def test_a_process_that_ended_is_shown_with_its_last_words(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "records", tmp_path / "logs")
    processes.start("short", ["sh", "-c", "echo no way; exit 3"])
    deadline = time.monotonic() + 5
    while processes.pid("short") is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(BenchError, match="no way"):
        processes.check("short")


def test_processes_of_pods_and_their_groups(tmp_path: Path) -> None:
    for controller in ("memory", "cpu"):
        inner = tmp_path / controller / "kubepods" / "pod1"
        inner.mkdir(parents=True)
        (inner / "cgroup.procs").write_text("11\n12\n")
    (tmp_path / "memory" / "cgroup.procs").write_text("1\n")
    assert host_state.pod_processes(tmp_path) == {11, 12}
