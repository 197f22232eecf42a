"""What Docker really enforces, what others can reach, and who may read the files."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from tests.molecule import playbook
from tests.molecule.instance import ROOT, SERVICES, STORES, Instance, docker
from tests.molecule.traces import Traces

USERS = {
    "postgres": "999:999",
    "clickhouse": "101:101",
    "valkey": "999:999",
    "seaweedfs": "1000:1000",
    "langfuse-web": "1001:1001",
    "langfuse-worker": "1001:1001",
}
PORTS = {"postgres": 5432, "clickhouse": 8123, "valkey": 6379, "seaweedfs": 8333, "langfuse-worker": 3030}


def test_every_hop_works(life: Instance) -> None:
    """The collection's own proof, by its playbook."""
    verified = playbook.run(life, "llmops.langfuse.verify")
    assert verified.changed == 0
    verified.mentions("trace", "media", "refusals", "ports")


def test_trace_comes_back_equal(life: Instance) -> None:
    keys = life.secrets()
    done = playbook.run(
        life,
        str(ROOT / "tests" / "molecule" / "playbooks" / "trace.yml"),
        "-v",
        variables={
            "trace_url": life.url,
            "trace_public_key": keys["langfuse_init_project_public_key"],
            "trace_secret_key": keys["langfuse_init_project_secret_key"],
        },
    )
    done.mentions("readable after")
    assert done.changed == 0


def test_wrong_key_is_refused(life: Instance) -> None:
    traces = Traces(life)
    traces._auth = (traces._auth[0], "sk-lf-00000000-0000-0000-0000-000000000000")
    assert traces.send("wrong-key")[1] == 401


@pytest.mark.parametrize("service", SERVICES)
def test_container_is_hardened(life: Instance, service: str) -> None:
    details = life.container(service).details
    host, config = details["HostConfig"], details["Config"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Privileged"] is False
    assert config["User"] == USERS[service]
    assert host["RestartPolicy"]["Name"] in ("always", "unless-stopped")
    assert host["Memory"] >= 256 * 1024**2
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "5", "max-size": "20m"}}
    assert not any("docker.sock" in mount["Source"] for mount in details["Mounts"])


@pytest.mark.parametrize("service", SERVICES)
def test_hardening_holds_inside(life: Instance, service: str) -> None:
    """Asked from inside: no capability, no way to more of them, nothing to write but the temporary folder."""
    pid = life.container(service).pid
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Uid"].split()[0] == USERS[service].split(":")[0]
    name = f"{life.name}-{service}-1"
    written = subprocess.run(["docker", "exec", name, "touch", "/written"], capture_output=True, text=True, check=False)
    assert written.returncode != 0 and "Read-only file system" in written.stderr
    docker("exec", name, "touch", "/tmp/written")
    docker("exec", name, "rm", "/tmp/written")


def _addresses() -> list[str]:
    """Addresses of this host that are not loopback."""
    found = json.loads(subprocess.run(["ip", "-j", "address"], capture_output=True, text=True, check=True).stdout)
    return [
        address["local"]
        for interface in found
        if interface["ifname"] != "lo" and not interface["ifname"].startswith(("br-", "veth"))
        for address in interface["addr_info"]
        if address["family"] == "inet"
    ]


def _open(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((address, port)) == 0


def test_stores_are_closed_to_others(life: Instance) -> None:
    addresses = _addresses()
    assert addresses, "no address beyond loopback to try"
    assert _open("127.0.0.1", life.web_port) and _open("127.0.0.1", life.s3_port)
    published = {
        (binding["HostIp"], int(binding["HostPort"]))
        for container in life.containers()
        for bindings in (container.details["HostConfig"]["PortBindings"] or {}).values()
        for binding in bindings
    }
    assert published == {("127.0.0.1", life.web_port), ("127.0.0.1", life.s3_port)}
    for address in addresses:
        for port in (life.web_port, life.s3_port):
            assert not _open(address, port), f"{address}:{port} is open"
    for service, port in PORTS.items():
        bound = life.container(service).details["NetworkSettings"]["Ports"].get(f"{port}/tcp")
        assert service == "seaweedfs" or not bound, f"{service} is published: {bound}"


def test_files_with_secrets_are_private(life: Instance) -> None:
    values = [value for name, value in life.secrets().items() if name != "langfuse_init_project_public_key"]
    assert len(values) >= 10
    seen = set()
    for path in [life.secrets_file, *life.directory.rglob("*")]:
        if not path.is_file() or ".python" in path.parts:
            continue
        if any(value in path.read_text() for value in values):
            seen.add(path.name)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    expected = {f"{store}.env" for store in STORES} | {"web.env", "worker.env", "migrate.env", life.secrets_file.name}
    assert seen == expected
