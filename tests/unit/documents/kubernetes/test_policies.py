"""Network policies: what the environment needs is open at both ends, and nothing else."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.flows import Policy, policies

from ...settings.cluster_cases import BACKUP, CLUSTER, EVERYTHING, SHARED
from ...settings.sign_in_cases import other
from ...settings.source_cases import AWS, AZURE, GCS, POSTGRES, SENTINEL
from .support import BIG, CLOUD, QUIET, by_identity, derived, environment, unfit

ON: dict[str, Any] = {"network_policies_enabled": True}
MAIL = {"langfuse_smtp_url": "smtps://u:p@mail.example.com", "langfuse_email_from": "l@example.com"}
SSO = {
    "keycloak_enabled": True,
    "langfuse_sso_enabled": True,
    "langfuse_keycloak_client_secret": "canary-of-the-client",
    "langfuse_sso_issuer": "http://keycloak-service.identity.svc.cluster.local:8080/realms/platform",
}
LITELLM = {
    "langfuse_litellm_url": "http://litellm.ai-system.svc.cluster.local:4000/v1",
    "langfuse_litellm_key": "sk-canary",
    "langfuse_litellm_models": ["small"],
}
PROXY = {"langfuse_https_proxy": "http://u:p@10.1.2.3:3128"}
GOOGLE = {"langfuse_s3_source": "existing", "langfuse_s3_service": "gcs", "langfuse_s3_use_role": True}
AWS_BACKUP = {**AWS, "cnpg_barman_plugin_enabled": True, "langfuse_backup_enabled": True}
# Names that the pods know by hostAliases, and no name server does.
OF_ONE_ADDRESS = {
    **MAIL,
    **SSO,
    "langfuse_sso_issuer": "https://keycloak/realms/platform",
    "langfuse_extra_hosts": {"keycloak": "10.0.0.7", "mail.example.com": "10.0.0.7"},
}
CASES = {
    "shared": SHARED,
    "bundled": CLUSTER,
    "cloud": {**CLOUD, "langfuse_kubernetes_existing_secrets": {}},
    "everything": {**EVERYTHING, **SSO, **MAIL, **LITELLM, **PROXY},
    "quiet": QUIET,
    "big": BIG,
}
PODS = {"langfuse_network_policy_to": ["rustfs-svc.storage.svc.cluster.local:9001", "api.openai.com:443"]}
SHOP = {"langfuse_postgres_host": "db.shop.svc", "langfuse_network_policy_to": ["db.shop.svc:6432"]}
BEHIND = {"langfuse_gateway_pods_namespace": "envoy-gateway-system"}
OPERATED = {**CLUSTER, "clickhouse_operator_enabled": True}
WORKLOADS = ("web", "worker", "migrate", "ingestion")
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "clickhouse": 9000, "smtps": 465}


def _policies(given: dict[str, Any]) -> dict[str, Policy]:
    return {policy.name: policy for policy in policies(derived({**given, **ON}).plan)}


def _reached(given: dict[str, Any], component: str) -> set[tuple[str, int]]:
    """Host and port of everything that the environment of a container names, as the container reaches it."""
    instance = given.get("langfuse_instance", "langfuse")
    found = environment({**given, **ON}, "langfuse-migrate" if component == "migrate" else f"{instance}-{component}")
    # Only looked at by the entry point; presigned addresses are for browsers; the rest has no address.
    skipped = {"NEXTAUTH_URL", "LANGFUSE_S3_BATCH_EXPORT_EXTERNAL_ENDPOINT"}
    skipped |= {"DATABASE_URL"} if component == "migrate" and "DIRECT_URL" in found else set()
    skipped |= {"DIRECT_URL"} if component != "migrate" else set()
    skipped |= {"CLICKHOUSE_URL"} if component == "migrate" else {"CLICKHOUSE_MIGRATION_URL"}
    skipped |= {"LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT"} if component == "web" else set()
    reached = set()
    for name, value in found.items():
        if name not in skipped and re.match(r"[a-z]+://", value):
            parts = urlsplit(value)
            reached.add((parts.hostname or "", parts.port or _PORTS[parts.scheme]))
        elif name == "REDIS_HOST":
            reached.add((value, int(found["REDIS_PORT"])))
        elif name == "REDIS_CLUSTER_NODES":
            reached |= {(node.split(":")[0], int(node.split(":")[1])) for node in value.split(",")}
    return reached


@pytest.mark.parametrize("component", WORKLOADS)
@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_flows_are_those_of_the_environment(given: dict[str, Any], component: str) -> None:
    plan = derived({**given, **ON}).plan
    if component not in plan["env"]:
        assert component == "ingestion"
        return
    flows = plan["kubernetes"]["policies"]["flows"]
    opened = {(flow["host"], flow["port"]) for flow in flows if component in flow["senders"]}
    # A gateway of models is asked by the addresses of the application's own database, not of its environment.
    opened -= {(flow["host"], flow["port"]) for flow in flows if flow["to"] == "litellm"}
    # Nor are those who tell a pod its rights at a cloud: the libraries know them.
    opened -= {(flow["host"], flow["port"]) for flow in flows if flow["to"] == "rights"}
    if component != "migrate" and not plan["endpoints"]["s3"]["endpoint"]:
        cloud = {(flow["host"], flow["port"]) for flow in flows if flow["to"] == "s3"}
        assert cloud and cloud <= opened
        opened -= cloud
    assert opened == _reached(given, component)


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_both_ends_of_every_flow_are_open(given: dict[str, Any]) -> None:
    found = _policies(given)
    own = {tuple(sorted(policy.labels.items())): policy for policy in found.values()}
    for policy in found.values():
        myself = tuple(sorted(policy.labels.items()))
        for peer, ports in policy.egress.items():
            if peer.labels in own:
                other = {one.labels: opened for one, opened in own[peer.labels].ingress.items()}
                assert set(ports) <= set(other[myself]), (policy.name, own[peer.labels].name)
        for peer in policy.ingress:
            if peer.labels in own:
                assert myself in {one.labels for one in own[peer.labels].egress}, policy.name


def test_every_pod_has_a_policy() -> None:
    found = by_identity({**CLUSTER, **ON})
    selected = [
        one["spec"]["podSelector"]["matchLabels"] for (kind, _name), one in found.items() if kind == "NetworkPolicy"
    ]
    for (kind, name), one in found.items():
        if kind in ("Deployment", "StatefulSet", "Job"):
            labels = one["spec"]["template"]["metadata"]["labels"].items()
            assert len([wanted for wanted in selected if wanted.items() <= labels]) == 1, name
    assert {"cnpg.io/cluster": "langfuse-postgresql", "app.kubernetes.io/component": "database"} in selected
    assert {name for kind, name in found if kind == "NetworkPolicy"} >= {"langfuse", "langfuse-postgres"}


@pytest.mark.parametrize(
    ("given", "policy", "way", "peer", "ports"),
    [
        (SHARED, "langfuse", "egress", {"namespace": "cache"}, [6379]),
        (SHARED, "langfuse", "egress", {"namespace": "storage"}, [9000]),
        ({**SHARED, **SSO}, "langfuse", "egress", {"namespace": "identity"}, [8080]),
        (EVERYTHING, "langfuse-worker", "egress", {"namespace": "monitoring"}, [4318]),
        ({**SHARED, **MAIL}, "langfuse-worker", "egress", {"host": "mail.example.com"}, [465]),
        ({**SHARED, **PROXY}, "langfuse", "egress", {"address": "10.1.2.3"}, [3128]),
        ({**SHARED, **LITELLM}, "langfuse-worker", "egress", {"namespace": "ai-system"}, [4000]),
        ({**SHARED, "litellm_enabled": True}, "langfuse", "egress", {"labels": (("app.kubernetes.io/name", "litellm"),)}, [4000]),
        (SHARED, "langfuse", "ingress", {"namespace": "network"}, [3000]),
        ({**SHARED, "langfuse_network_policy_from": ["obot-mcp"]}, "langfuse", "ingress", {"namespace": "obot-mcp"}, [3000]),
        ({**SHARED, "langfuse_network_policy_to": ["api.openai.com:443"]}, "langfuse-worker", "egress", {"host": "api.openai.com"}, [443]),
        (SHARED, "langfuse-postgres", "ingress", {"namespace": "cnpg-system"}, [8000]),
        (SHARED, "langfuse-postgres", "egress", {"service": "api-server"}, [443, 6443]),
        (BACKUP, "langfuse-postgres", "egress", {"namespace": "storage"}, [9000]),
        (EVERYTHING, "langfuse-postgres", "ingress", {"namespace": "monitoring"}, [9187]),
        (EVERYTHING, "langfuse-clickhouse", "ingress", {"namespace": "monitoring"}, [9363]),
        (OPERATED, "langfuse-clickhouse", "ingress", {"namespace": "clickhouse-operator-system"}, [9001]),
        (OPERATED, "langfuse-keeper", "ingress", {"namespace": "clickhouse-operator-system"}, [2181, 9123]),
        (OPERATED, "langfuse-clickhouse", "egress", {"service": "dns"}, [53]),
        (CLUSTER, "langfuse-seaweedfs", "ingress", {"namespace": "network"}, [8333]),
        ({**CLUSTER, "langfuse_autoscaling": "keda"}, "langfuse-valkey", "ingress", {"namespace": "keda"}, [6379]),
        ({**CLUSTER, **AWS}, "langfuse-worker", "egress", {"address": "169.254.170.23"}, [80]),
        ({**CLUSTER, **AWS, "langfuse_s3_endpoint": "https://s3.example.com"}, "langfuse", "egress", {"host": "sts.eu-west-1.amazonaws.com"}, [443]),
        ({**CLUSTER, **GOOGLE}, "langfuse", "egress", {"address": "169.254.169.252"}, [988]),
        ({**CLUSTER, **AWS_BACKUP}, "langfuse-postgres", "egress", {"address": "169.254.170.23"}, [80]),
        ({**SHARED, **OF_ONE_ADDRESS}, "langfuse", "egress", {"address": "10.0.0.7"}, [443, 465]),
        ({**SHARED, **other("github")}, "langfuse", "egress", {"host": "api.github.com"}, [443]),
        ({**SHARED, **other("gitlab")}, "langfuse", "egress", {"host": "gitlab.com"}, [443]),
        ({**SHARED, **other("azure_ad", tenant_id="x")}, "langfuse", "egress", {"host": "login.microsoftonline.com"}, [443]),
        ({**CLUSTER, **SENTINEL, "langfuse_redis_nodes": ["s.cache.svc:26379"]}, "langfuse", "egress", {"namespace": "cache"}, [26379, 6379]),
        ({**CLUSTER, **SENTINEL, "langfuse_redis_nodes": ["redis-0.s.cache.svc:26379"]}, "langfuse", "egress", {"namespace": "cache"}, [26379, 6379]),
        ({**CLUSTER, "langfuse_expose": "ingress"}, "langfuse", "ingress", {"namespace": "ingress-nginx"}, [3000]),
        # A store's Service may listen on another port than its pods, for migration and backups too.
        ({**BACKUP, **PODS}, "langfuse-postgres", "egress", {"namespace": "storage"}, [9000, 9001]),
        ({**SHARED, **PODS}, "langfuse-worker", "egress", {"namespace": "storage"}, [9000, 9001]),
        ({**CLUSTER, **POSTGRES, **SHOP}, "langfuse-migrate", "egress", {"namespace": "shop"}, [5432, 6432]),
        ({**CLUSTER, **BEHIND}, "langfuse", "ingress", {"namespace": "envoy-gateway-system"}, [3000]),
        ({**CLUSTER, **BEHIND}, "langfuse-seaweedfs", "ingress", {"namespace": "envoy-gateway-system"}, [8333]),
    ],
)  # fmt: skip
def test_what_the_platform_needs_is_open(
    given: dict[str, Any], policy: str, way: str, peer: dict[str, str], ports: list[int]
) -> None:
    rules = getattr(_policies(given)[policy], way)
    assert [opened for one, opened in rules.items() if {k: v for k, v in vars(one).items() if v} == peer] == [ports]


def test_a_gitlab_of_ones_own_is_not_also_elsewhere() -> None:
    given = {**SHARED, **other("gitlab", base_url="https://git.example.com")}
    hosts = {peer.host for peer in _policies(given)["langfuse"].egress}
    assert "git.example.com" in hosts and "gitlab.com" not in hosts


def test_only_web_reaches_who_signs_people_in() -> None:
    found = _policies({**SHARED, **other("github")})
    assert "github.com" not in {peer.host for peer in found["langfuse-worker"].egress}


@pytest.mark.parametrize("given", [SHARED, CLUSTER, {**CLUSTER, **GCS}])
def test_with_keys_nobody_is_asked_for_rights(given: dict[str, Any]) -> None:
    assert "169.254" not in str([vars(peer) for policy in _policies(given).values() for peer in policy.egress])


def test_only_the_pooler_and_the_migration_reach_a_pooled_database() -> None:
    found = _policies(BIG)
    peers = [dict(peer.labels) for peer, ports in found["langfuse-postgres"].ingress.items() if ports == [5432]]
    components = [one.get("app.kubernetes.io/component") or one.get("cnpg.io/poolerName") for one in peers]
    assert sorted(map(str, components)) == ["langfuse-postgresql-pooler", "migrate"]
    assert len(found["langfuse-pooler"].ingress) == 3


def test_what_is_not_asked_for_is_closed() -> None:
    found = _policies(QUIET)
    assert not found["team-a"].ingress and not found["team-a-worker"].ingress and not found["team-a-migrate"].ingress
    assert not found["team-a-clickhouse"].egress and not found["team-a-valkey"].egress
    assert not _policies(SHARED)["langfuse-migrate"].ingress
    migration = [vars(peer) for peer in _policies(SHARED)["langfuse-migrate"].egress]
    assert "cache" not in str(migration) and "storage" not in str(migration)


def test_litellm_comes_in_by_its_own_pods_only() -> None:
    ingress = _policies({**SHARED, "litellm_enabled": True})["langfuse"].ingress
    assert [ports for peer, ports in ingress.items() if dict(peer.labels) == {"app.kubernetes.io/name": "litellm"}] == [
        [3000]
    ]


def test_without_the_switch_there_are_none() -> None:
    assert not [kind for kind, _name in by_identity(CLUSTER) if "NetworkPolicy" in kind]


def test_policies_of_kubernetes_close_both_ways() -> None:
    for (kind, name), one in by_identity({**SHARED, **ON}).items():
        if kind == "NetworkPolicy":
            assert one["spec"]["policyTypes"] == ["Ingress", "Egress"], name
            for rule in one["spec"]["egress"]:
                numbers = {port["port"] for port in rule["ports"]}
                assert "to" in rule or numbers in ({53}, {443, 6443}), name
            assert all(rule["from"] for rule in one["spec"]["ingress"]), name


@pytest.mark.parametrize(("mode", "denied"), [("audit", False), ("enforce", True)])
def test_cilium_watches_or_enforces(mode: str, denied: bool) -> None:
    given = {**SHARED, **ON, "langfuse_network_policy_kind": "cilium", "langfuse_network_policy_mode": mode}
    found = by_identity(given)
    assert not [name for kind, name in found if kind == "NetworkPolicy"]
    policy = found["CiliumNetworkPolicy", "langfuse"]["spec"]
    assert policy["enableDefaultDeny"] == {"ingress": denied, "egress": denied}


_KUBE_DNS = {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s-app": "kube-dns"}


def _said_by_kubernetes(spec: dict[str, Any]) -> set[tuple[str, str, int, str]]:
    """Way, peer, port and protocol; a host outside has no name there, nor have DNS and the API server."""
    found = set()
    for way, side in (("ingress", "from"), ("egress", "to")):
        for rule in spec[way]:
            for peer in rule.get(side, [{}]):
                if "podSelector" in peer:
                    who = str(sorted(peer["podSelector"]["matchLabels"].items()))
                elif "namespaceSelector" in peer:
                    who = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
                elif "ipBlock" in peer:
                    who = "outside" if peer["ipBlock"]["cidr"] in ("0.0.0.0/0", "::/0") else peer["ipBlock"]["cidr"]
                else:
                    who = "anywhere"
                found |= {(way, who, port["port"], port["protocol"]) for port in rule["ports"]}
    return found


def _said_by_cilium(spec: dict[str, Any]) -> set[tuple[str, str, int, str]]:
    found = set()
    for way, side in (("ingress", "from"), ("egress", "to")):
        for rule in spec[way]:
            if rule.get("fromEntities") == ["ingress"]:
                # Cilium's own, and no pod that Kubernetes' form could name.
                continue
            if endpoints := rule.get(f"{side}Endpoints"):
                labels = endpoints[0]["matchLabels"]
                who = labels.get("k8s:io.kubernetes.pod.namespace") or str(sorted(labels.items()))
                who = "anywhere" if labels == _KUBE_DNS else who
            elif f"{side}CIDR" in rule:
                (who,) = rule[f"{side}CIDR"]
            else:
                who = "outside" if rule.get("toFQDNs") else "anywhere"
            for port in rule["toPorts"][0]["ports"]:
                protocols = ("TCP", "UDP") if port["protocol"] == "ANY" else (port["protocol"],)
                found |= {(way, who, int(port["port"]), protocol) for protocol in protocols}
    return found


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_both_kinds_say_the_same(given: dict[str, Any]) -> None:
    found = by_identity({**given, **ON, "langfuse_network_policy_kind": "both"})
    names = {name for kind, name in found if kind == "NetworkPolicy"}
    assert names and names == {name for kind, name in found if kind == "CiliumNetworkPolicy"}
    for name in names:
        one, other = found["NetworkPolicy", name]["spec"], found["CiliumNetworkPolicy", name]["spec"]
        assert one["podSelector"] == other["endpointSelector"], name
        assert _said_by_kubernetes(one) == _said_by_cilium(other), name


def test_a_host_outside_is_never_who_tells_a_node_its_rights() -> None:
    spec = by_identity({**SHARED, **ON, **MAIL})["NetworkPolicy", "langfuse-worker"]["spec"]
    blocks = [peer["ipBlock"] for rule in spec["egress"] for peer in rule.get("to", []) if "ipBlock" in peer]
    assert [(one["cidr"], one["except"][0]) for one in blocks] == [
        ("0.0.0.0/0", "169.254.0.0/16"),
        ("::/0", "fe80::/10"),
    ]


def test_cilium_knows_hosts_by_name_and_the_api_server() -> None:
    given = {**SHARED, **ON, **MAIL, "langfuse_network_policy_kind": "cilium"}
    found = by_identity(given)
    mail = {"matchName": "mail.example.com"}
    assert mail in [
        name for rule in found["CiliumNetworkPolicy", "langfuse"]["spec"]["egress"] for name in rule.get("toFQDNs", [])
    ]
    database = found["CiliumNetworkPolicy", "langfuse-postgres"]["spec"]["egress"]
    assert ["kube-apiserver"] in [rule.get("toEntities") for rule in database]


def _reaches(policy: dict[str, Any], host: str) -> bool:
    """Whether Cilium opens HTTPS to a host: `*` stands for no dot (its matchpattern package)."""
    names = [one for rule in policy["egress"] if "443" in str(rule["toPorts"]) for one in rule.get("toFQDNs", [])]
    patterns = [re.escape(one.get("matchPattern") or one["matchName"]).replace(r"\*", "[-a-z0-9_]*") for one in names]
    return any(re.fullmatch(pattern, host) for pattern in patterns)


IN_AWS = {
    "langfuse_s3_source": "existing",
    "langfuse_s3_access_key": "canaryaccess",
    "langfuse_s3_secret_key": "canary-of-aws",
}
MINIO = {**IN_AWS, "langfuse_s3_endpoint": "https://minio.example.com"}


@pytest.mark.parametrize(
    ("given", "hosts", "closed"),
    [
        (
            AWS,
            ["s3.eu-west-1.amazonaws.com", "langfuse-events.s3.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com", "sts.amazonaws.com"],
            ["s3.amazonaws.com", "s3.eu-central-1.amazonaws.com", "ec2.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com.cn"],
        ),
        (IN_AWS, ["b.s3.us-east-1.amazonaws.com", "b.s3.amazonaws.com", "s3.amazonaws.com"], ["sts.amazonaws.com", "sts.us-east-1.amazonaws.com"]),
        (
            {**AWS, "langfuse_s3_region": "cn-north-1"},
            ["b.s3.cn-north-1.amazonaws.com.cn", "sts.cn-north-1.amazonaws.com.cn"],
            ["s3.cn-north-1.amazonaws.com", "sts.amazonaws.com", "sts.amazonaws.com.cn"],
        ),
        ({**AWS, "langfuse_s3_region": "eusc-de-east-1"}, ["b.s3.eusc-de-east-1.amazonaws.eu", "sts.eusc-de-east-1.amazonaws.eu"], []),
        (
            {**AWS, "langfuse_s3_endpoint": "https://s3.dualstack.eu-west-1.amazonaws.com", "langfuse_s3_path_style": False},
            ["s3.dualstack.eu-west-1.amazonaws.com", "b.s3.dualstack.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com"],
            ["b.s3.eu-west-1.amazonaws.com"],
        ),
        (MINIO, ["minio.example.com"], ["b.minio.example.com"]),
        ({**MINIO, "langfuse_s3_path_style": False}, ["minio.example.com", "b.minio.example.com"], ["a.b.minio.example.com"]),
        (GOOGLE, ["storage.googleapis.com", "oauth2.googleapis.com", "iamcredentials.googleapis.com"], ["googleapis.com"]),
        (AZURE, ["account.blob.core.windows.net"], ["other.blob.core.windows.net"]),
        (other("cognito", issuer="https://cognito-idp.eu-west-1.amazonaws.com/pool"), ["team.auth.eu-west-1.amazoncognito.com"], []),
        (other("google"), ["accounts.google.com", "openidconnect.googleapis.com"], []),
    ],
)  # fmt: skip
def test_hosts_of_clouds_are_open_by_their_whole_names(
    given: dict[str, Any], hosts: list[str], closed: list[str]
) -> None:
    found = by_identity({**CLUSTER, **ON, **given, "langfuse_network_policy_kind": "cilium"})
    policy = found["CiliumNetworkPolicy", "langfuse"]
    assert [host for host in [*hosts, *closed] if _reaches(policy["spec"], host)] == hosts
    assert not unfit(policy)


def test_backups_reach_a_cloud_by_its_whole_names() -> None:
    found = by_identity({**CLUSTER, **ON, **AWS_BACKUP, "langfuse_network_policy_kind": "cilium"})
    policy = found["CiliumNetworkPolicy", "langfuse-postgres"]["spec"]
    for host in ("langfuse-postgres-backups.s3.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com"):
        assert _reaches(policy, host), host


@pytest.mark.parametrize("endpoint", ["http://minio.storage.svc:9000", "http://minio.storage.svc.cluster.local:9000"])
def test_buckets_of_a_store_in_the_cluster_have_no_hosts_of_their_own(endpoint: str) -> None:
    given = {**CLUSTER, **IN_AWS, "langfuse_s3_endpoint": endpoint, "langfuse_s3_path_style": False}
    rules = derived({**given, **ON}).plan["kubernetes"]["policies"]
    assert not [one["host"] for one in (*rules["flows"], *rules["services"]) if "*" in one["host"]]


def test_a_host_elsewhere_is_said_once_in_kubernetes_own_form() -> None:
    for (kind, name), one in by_identity({**CLUSTER, **ON, **AWS, **other("github")}).items():
        if kind == "NetworkPolicy":
            for way in ("ingress", "egress"):
                rules = list(map(str, one["spec"][way]))
                assert len(rules) == len(set(rules)), name


@pytest.mark.parametrize(("expose", "opened"), [("httproute", True), ("ingress", True), ("service", False)])
def test_a_gateway_of_ciliums_own_comes_in(expose: str, opened: bool) -> None:
    """Its Envoy is no pod of a namespace; it has an identity that is only Cilium's."""
    given = {**CLUSTER, **ON, "langfuse_expose": expose, "langfuse_network_policy_kind": "both"}
    if expose == "service":
        given.pop("cloudflare_domain")
    found = by_identity(given)
    ports = {
        name: [
            rule["toPorts"][0]["ports"] for rule in one["spec"]["ingress"] if rule.get("fromEntities") == ["ingress"]
        ]
        for (kind, name), one in found.items()
        if kind == "CiliumNetworkPolicy"
    }
    of_web, of_store = [{"port": "3000", "protocol": "TCP"}], [{"port": "8333", "protocol": "TCP"}]
    assert ports.pop("langfuse") == ([of_web] if opened else [])
    assert ports.pop("langfuse-seaweedfs") == ([of_store] if opened else [])
    assert not any(ports.values())
    assert not unfit(found["CiliumNetworkPolicy", "langfuse"])
    # In the other form it would be anybody.
    assert all(rule["from"] for rule in found["NetworkPolicy", "langfuse"]["spec"]["ingress"])


def test_servers_of_clickhouse_reach_each_other_and_their_keeper() -> None:
    found = _policies(OPERATED)
    servers, keeper = found["langfuse-clickhouse"], found["langfuse-keeper"]
    of_servers, of_keeper = (
        {one.labels: ports for one, ports in policy.ingress.items()} for policy in (servers, keeper)
    )
    myself, its = tuple(sorted(servers.labels.items())), tuple(sorted(keeper.labels.items()))
    assert of_servers[myself] == [9001, 9009]
    assert (of_keeper[myself], of_keeper[its]) == ([2181], [9234])
    assert servers.labels["app"] == "langfuse-clickhouse" and keeper.labels["app"] == "langfuse-keeper"
