"""Command lines and configuration files of every component. Pure: text and plain data from a layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.cluster.layout import (
    CLUSTER_DOMAIN,
    DNS_SERVICE_ADDRESS,
    NODE,
    NODE_ADDRESS,
    NODE_POD_RANGE,
    POD_RANGE,
    SERVICE_RANGE,
    Layout,
)

PAUSE_IMAGE = "bench.localhost/pause:1"


def _flags(**values: str | Path | int) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]


def _etcd_clients(layout: Layout) -> str:
    return f"http://127.0.0.1:{layout.addresses.etcd}"


def etcd(layout: Layout) -> list[str]:
    """Without fsync: the data does not outlive the cluster."""
    clients, peers = _etcd_clients(layout), f"http://127.0.0.1:{layout.addresses.etcd_peers}"
    return [
        *_flags(data_dir=layout.state / "etcd", log_level="warn"),
        *_flags(listen_client_urls=clients, advertise_client_urls=clients),
        *_flags(listen_peer_urls=peers, initial_advertise_peer_urls=peers),
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
    ]


def apiserver(layout: Layout) -> list[str]:
    keys, at = layout.certificates, layout.addresses
    return [
        *_flags(etcd_servers=_etcd_clients(layout)),
        # Pods know no other address of it.
        *_flags(bind_address=at.host, secure_port=at.port, advertise_address=NODE_ADDRESS),
        *_flags(tls_cert_file=keys / "apiserver.crt", tls_private_key_file=keys / "apiserver.key"),
        *_flags(client_ca_file=keys / "ca.crt"),
        *_flags(authorization_mode="Node,RBAC", enable_admission_plugins="NodeRestriction"),
        *_flags(allow_privileged="true", service_cluster_ip_range=SERVICE_RANGE),
        *_flags(service_account_issuer=f"https://kubernetes.default.svc.{CLUSTER_DOMAIN}"),
        *_flags(service_account_key_file=keys / "service-accounts.pub"),
        *_flags(service_account_signing_key_file=keys / "service-accounts.key"),
        # The node's name is in no DNS: without this, logs and exec fail.
        *_flags(kubelet_preferred_address_types="InternalIP"),
        *_flags(kubelet_client_certificate=keys / "apiserver-kubelet.crt"),
        *_flags(kubelet_client_key=keys / "apiserver-kubelet.key"),
        # For aggregated APIs, as of metrics-server.
        *_flags(requestheader_client_ca_file=keys / "front-proxy-ca.crt"),
        *_flags(requestheader_allowed_names="front-proxy-client"),
        *_flags(requestheader_username_headers="X-Remote-User", requestheader_group_headers="X-Remote-Group"),
        *_flags(requestheader_extra_headers_prefix="X-Remote-Extra-"),
        *_flags(proxy_client_cert_file=keys / "front-proxy.crt", proxy_client_key_file=keys / "front-proxy.key"),
    ]


def _of_the_control_plane(kubeconfig: Path) -> list[str]:
    return [
        *_flags(kubeconfig=kubeconfig, authentication_kubeconfig=kubeconfig, authorization_kubeconfig=kubeconfig),
        *_flags(bind_address="127.0.0.1", leader_elect="false"),
    ]


def controllers(layout: Layout) -> list[str]:
    keys = layout.certificates
    return [
        *_of_the_control_plane(layout.kubeconfig_of("controllers")),
        *_flags(service_account_private_key_file=keys / "service-accounts.key", root_ca_file=keys / "ca.crt"),
        *_flags(use_service_account_credentials="true"),
        # Its controllers begin seconds later with the default of 20 requests a second.
        *_flags(kube_api_qps=500, kube_api_burst=1000),
        *_flags(allocate_node_cidrs="true", cluster_cidr=POD_RANGE, service_cluster_ip_range=SERVICE_RANGE),
        *_flags(cluster_signing_cert_file=keys / "ca.crt", cluster_signing_key_file=keys / "ca.key"),
    ]


def scheduler(layout: Layout) -> list[str]:
    return _of_the_control_plane(layout.kubeconfig_of("scheduler"))


def kubelet(layout: Layout, configuration: Path) -> list[str]:
    return [
        *_flags(config=configuration, kubeconfig=layout.kubeconfig_of("kubelet")),
        *_flags(hostname_override=NODE, node_ip=NODE_ADDRESS),
        *_flags(root_dir=layout.kubelet, cert_dir=layout.kubelet / "pki"),
    ]


def kubelet_configuration(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{layout.runtime_socket}",
        "cgroupDriver": "cgroupfs",
        # Machines for tests still have the first version of control groups.
        "failCgroupV1": False,
        "failSwapOn": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.certificates / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "address": NODE_ADDRESS,
        "clusterDomain": CLUSTER_DOMAIN,
        "clusterDNS": [DNS_SERVICE_ADDRESS],
        # Names outside of the cluster are no part of any test.
        "resolvConf": "",
        # A container as root may not lower it.
        "oomScoreAdj": 0,
        "makeIPTablesUtilChains": False,
        "serializeImagePulls": False,
        # The bench's images cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi"},
        "podLogsDir": str(layout.state / "pods"),
        "volumePluginDir": str(layout.state / "volume-plugins"),
    }


def proxy(configuration: Path) -> list[str]:
    return _flags(config=configuration)


def proxy_configuration(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": POD_RANGE,
        "hostnameOverride": NODE,
        "clientConnection": {"kubeconfig": str(layout.kubeconfig_of("proxy"))},
        # The kernel's settings stay as they are.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "oomScoreAdj": 0,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": [f"{NODE_ADDRESS}/32"],
    }


def network_configuration(layout: Layout) -> dict[str, Any]:
    """Every pod has a link of its own to the host, which routes: no bridge, no address translation."""
    ipam = {
        "type": "host-local",
        "dataDir": str(layout.state / "addresses"),
        "ranges": [[{"subnet": NODE_POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {"cniVersion": "0.4.0", "name": "bench", "plugins": [{"type": "ptp", "ipMasq": False, "ipam": ipam}]}


def runtime_configuration(layout: Layout, plugins: Path) -> str:
    """containerd's; `plugins` is the folder of CNI programs. All its folders are the bench's own."""
    return f"""\
version = 2
root = "{layout.runtime}"
state = "{layout.runtime_state}"
[grpc]
  address = "{layout.runtime_socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{layout.runtime / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{layout.network}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""
