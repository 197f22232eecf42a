"""Names, addresses and folders of the cluster. Everything that it writes is under one folder of the cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.bench.cluster.processes import Processes
from tests.bench.paths import Paths

NODE = "bench-node"
# Outside of the ranges that Docker takes for its networks.
LINK = "kube-bench"
NODE_ADDRESS = "10.245.0.1"
POD_RANGE = "10.244.0.0/16"
NODE_POD_RANGE = "10.244.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_SERVICE_ADDRESS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"
# Where Kubernetes' runtime keeps its containers and images.
RUNTIME_NAMESPACE = "k8s.io"


@dataclass(frozen=True)
class Addresses:
    """Where the API server listens, and the ports of etcd on loopback."""

    host: str = NODE_ADDRESS
    port: int = 6443
    # Not etcd's own ports: the machine may run one.
    etcd: int = 12379
    etcd_peers: int = 12380
    # Of the stand-in for source-controller.
    sources: int = 12390

    @property
    def server(self) -> str:
        return f"https://{self.host}:{self.port}"


@dataclass(frozen=True)
class Layout:
    """`state` lives as long as the cluster; `runtime`, where images are, stays after `down`.

    One of another name and with other addresses is beside the bench's.
    """

    paths: Paths
    name: str = "cluster"
    addresses: Addresses = Addresses()

    @property
    def root(self) -> Path:
        return self.paths.bench / self.name

    @property
    def tools(self) -> Path:
        """Programs and unpacked packages, by version. `down --purge` of the bench leaves them."""
        return self.paths.cache / "tools"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def running(self) -> Processes:
        return Processes(self.root / "processes", self.root / "logs")

    @property
    def host_before(self) -> Path:
        return self.root / "host-before.json"

    @property
    def certificates(self) -> Path:
        return self.state / "certificates"

    @property
    def configuration(self) -> Path:
        return self.state / "configuration"

    @property
    def kubelet(self) -> Path:
        return self.state / "kubelet"

    @property
    def volumes(self) -> Path:
        return self.state / "volumes"

    @property
    def sources(self) -> Path:
        """What the stand-in for source-controller serves: artifacts, and a shelf for tests."""
        return self.state / "sources"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.state / "kubeconfig"

    @property
    def gateway_authority(self) -> Path:
        """Certificate of who signed the gateway's."""
        return self.state / "gateway-ca.crt"

    def kubeconfig_of(self, user: str) -> Path:
        return self.configuration / f"{user}.kubeconfig"

    @property
    def network(self) -> Path:
        """containerd reads it, and may be there before the cluster and after it."""
        return self.root / "network"

    @property
    def runtime(self) -> Path:
        return self.root / "containerd"

    @property
    def runtime_state(self) -> Path:
        return self.root / "run"

    @property
    def runtime_socket(self) -> Path:
        return self.root / "containerd.sock"
