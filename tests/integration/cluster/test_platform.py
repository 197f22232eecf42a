"""What platform teams ask for, on one small instance in a namespace that runs nothing below the restricted profile."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench import builder
from tests.bench.cluster import runtime
from tests.bench.lock import only_one
from tests.integration.cluster import platform
from tests.integration.cluster.running import LAYOUT, Running

pytestmark = [pytest.mark.engine]
ROOT = Path(__file__).resolve().parents[3]
STORES = ("clickhouse", "valkey", "seaweedfs")
WORKLOADS = ("web", "worker", "ingestion", *STORES)


@dataclass(frozen=True)
class Platform:
    """The instance `lf`, which `site` brought up, and the inventory that it came from."""

    running: Running
    name: str
    inventory: Path
    variables: dict[str, Any]
    told: str = ""

    def site(self, *words: str) -> str:
        done = self.run("llmops.langfuse.site", *words)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def run(self, playbook: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.inventory)]
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_") or k == "ANSIBLE_COLLECTIONS_PATH"},
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "true",
        }
        return subprocess.run(
            [*command, playbook, *words],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    def kubectl(self, *words: str) -> str:
        done = self.running.kubectl(f"--namespace={self.name}", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(self, kinds: str) -> dict[str, Any]:
        found = json.loads(self.kubectl("get", kinds, "--output=json"))["items"]
        return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}

    def pods(self) -> dict[str, dict[str, Any]]:
        """Component → one of its pods that are not about to go."""
        name = "app.kubernetes.io/component"
        alive = [one for one in self.objects("pods").values() if "deletionTimestamp" not in one["metadata"]]
        found = [(one["metadata"]["labels"], one) for one in alive]
        return {labels[name]: one for labels, one in found if name in labels}

    def inside(self, component: str, *words: str) -> str:
        """What a command says in one of the component's pods."""
        return self.kubectl("exec", self.pods()[component]["metadata"]["name"], "--", *words)


def wishes(name: str, authorities: str) -> dict[str, Any]:
    return {
        **platform.images(),
        "langfuse_target": "kubernetes",
        "langfuse_instance": "lf",
        "langfuse_kubernetes_kubeconfig": str(LAYOUT.kubeconfig),
        "langfuse_kubernetes_namespace": name,
        "langfuse_kubernetes_create_namespace": False,
        "langfuse_expose": "service",
        "langfuse_secrets_format": "plain",
        "langfuse_init_user_email": "admin@example.com",
        "langfuse_postgres_source": "existing",
        "langfuse_postgres_host": platform.host(name),
        "langfuse_postgres_sslmode": "verify-full",
        "langfuse_ca_certificates": authorities,
        "langfuse_ingestion_replicas": 2,
        "langfuse_kubernetes_resources": {
            name: {"requests": {"cpu": "10m", "memory": "64Mi"}} for name in ("web", "worker", *STORES)
        },
        "langfuse_labels": {"team": "ml"},
        "langfuse_annotations": {"example.com/cost": "42"},
        "langfuse_node_selector": {"kubernetes.io/os": "linux"},
        "langfuse_tolerations": [{"key": "ml", "operator": "Exists", "effect": "NoSchedule"}],
        "langfuse_priority_class": name,
        "langfuse_service_account_annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/langfuse"},
        "langfuse_kubernetes_pull_secrets": ["theirs-registry"],
        "langfuse_kubernetes_existing_secrets": {"credentials": "theirs", "postgresql-credentials": "theirs-login"},
        "langfuse_kubernetes_volumes": [
            {"name": "models", "mountPath": "/models", "readOnly": True, "configMap": {"name": "theirs-models"}}
        ],
        "langfuse_extra_env": {"LANGFUSE_LOG_PROPAGATED_HEADERS": "x-team"},
        "langfuse_kubernetes_patches": [
            {"kind": "Deployment", "name": "lf-web", "patch": {"spec": {"minReadySeconds": 1}}},
            {"kind": "Service", "name": "lf-worker", "patch": {"metadata": {"annotations": {"example.com/a": "b"}}}},
        ],
        "langfuse_worker_stop_seconds": 10,
    }


@pytest.fixture(scope="module")
def lf(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with only_one(LAYOUT.paths):
        for image in builder.read_report(LAYOUT.paths):
            runtime.add_from_docker(LAYOUT, image.reference, {})
    home, name, password = tmp_path_factory.mktemp("platform"), f"test-{secrets.token_hex(4)}", secrets.token_hex(12)
    running.api.apply([platform.namespace(name), platform.priority(name)])
    theirs = [
        platform.application_keys("theirs"),
        platform.login("theirs-login", name, password),
        platform.pull_secret("theirs-registry"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs-models"}, "data": {"a": "model"}},
        *platform.postgresql(name, password, home),
    ]
    for one in theirs:
        one["metadata"]["namespace"] = name
    running.api.apply(theirs)
    running.api.wait(f"/api/v1/namespaces/{name}/pods/{platform.POSTGRES}", platform.is_ready, "PostgreSQL")
    variables = wishes(name, (home / "ca.pem").read_text())
    inventory = home / "inventory"
    (inventory / "group_vars").mkdir(parents=True)
    host = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    (inventory / "hosts.yml").write_text(yaml.safe_dump({"langfuse": {"hosts": {"localhost": host}}}))
    (inventory / "group_vars" / "langfuse.yml").write_text(yaml.safe_dump(variables))
    found = Platform(running, name, inventory, variables)
    try:
        yield replace(found, told=found.site())
    finally:
        platform.remove(running, name)
        running.api.delete(f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}")


def test_a_trace_is_read_back_through_a_database_that_only_the_private_authority_vouches_for(lf: Platform) -> None:
    """Web and the migration sign in with `verify-full`, and so does the walk from here."""
    for hop in ("database", "trace"):
        assert re.search(rf'"{hop} +ok ', lf.told), lf.told
    authorities = lf.inside("web", "sh", "-c", 'cat "$NODE_EXTRA_CA_CERTS"')
    assert authorities.strip().endswith(lf.variables["langfuse_ca_certificates"].strip())


def test_all_pods_are_where_and_how_the_platform_wants_them(lf: Platform) -> None:
    """The namespace takes none below the restricted profile, so they are restricted too."""
    for name, pod in lf.pods().items():
        metadata, spec = pod["metadata"], pod["spec"]
        assert metadata["labels"]["team"] == "ml" and metadata["annotations"]["example.com/cost"] == "42", name
        assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}, name
        assert {"key": "ml", "operator": "Exists", "effect": "NoSchedule"} in spec["tolerations"], name
        assert (spec["priorityClassName"], spec["priority"]) == (lf.name, 1000), name
        assert spec["imagePullSecrets"] == [{"name": "theirs-registry"}], name
        assert spec["containers"][0]["resources"]["requests"] == {"cpu": "10m", "memory": "64Mi"}, name
        assert all(one["image"].startswith("bench.localhost/") for one in spec["containers"]), name
        assert not any("token" in json.dumps(volume) for volume in spec["volumes"]), name
        assert all(one["ready"] for one in pod["status"]["containerStatuses"]) or name == "migrate", name
    assert set(lf.pods()) == {*WORKLOADS, "migrate"}
    spread = lf.pods()["web"]["spec"]["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["kubernetes.io/hostname"]


def test_web_has_the_volume_the_variable_and_the_identity(lf: Platform) -> None:
    for component in ("web", "worker", "ingestion"):
        read = lf.inside(component, "sh", "-c", 'cat /models/a; echo; echo "$LANGFUSE_LOG_PROPAGATED_HEADERS"')
        assert read.split() == ["model", "x-team"]
        assert lf.inside(component, "sh", "-c", "touch /models/b 2>&1 || true").strip()
        assert "No such file" in lf.inside(component, "sh", "-c", "ls /var/run/secrets/kubernetes.io 2>&1 || true")
        assert lf.pods()[component]["spec"]["serviceAccountName"] == "lf"
    account = lf.objects("serviceaccounts")["ServiceAccount/lf"]
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == "arn:aws:iam::1:role/langfuse"


def test_a_secret_of_somebody_else_is_read_and_none_is_made_or_kept(lf: Platform) -> None:
    found = lf.objects("secrets")
    assert not {"Secret/lf-credentials", "Secret/lf-postgresql-credentials"} & set(found)
    assert not [name for name in ("theirs", "theirs-login") if "labels" in found[f"Secret/{name}"]["metadata"]]
    given = {name: base64.b64decode(value).decode() for name, value in found["Secret/theirs"]["data"].items()}
    inside = lf.inside("web", "sh", "-c", 'echo "$SALT $ENCRYPTION_KEY $NEXTAUTH_SECRET"').split()
    assert inside == [given["SALT"], given["ENCRYPTION_KEY"], given["NEXTAUTH_SECRET"]]
    kept = yaml.safe_load((lf.inventory / ".secrets" / "langfuse.yml").read_text())["lf"]
    theirs = ("langfuse_salt", "langfuse_encryption_key", "langfuse_nextauth_secret", "langfuse_postgres_password")
    assert not {*theirs} & set(kept)


def test_a_secret_of_somebody_else_that_is_not_there_is_told_beforehand(lf: Platform) -> None:
    given = {
        "langfuse_kubernetes_existing_secrets": {"credentials": "nobody", "postgresql-credentials": "theirs-login"}
    }
    done = lf.run("llmops.langfuse.preflight", "-e", json.dumps(given))
    assert done.returncode == 2
    assert f"There is no Secret nobody in {lf.name}, and Deployment lf-web in {lf.name} reads it" in done.stdout


def test_ingestion_has_workers_of_its_own_and_one_stays_while_nodes_are_drained(lf: Platform) -> None:
    found = lf.objects("deployments,poddisruptionbudgets")
    assert found["Deployment/lf-ingestion"]["status"]["readyReplicas"] == 2
    assert [one for one in found if one.startswith("Pod")] == ["PodDisruptionBudget/lf-ingestion"]
    assert found["PodDisruptionBudget/lf-ingestion"]["status"]["disruptionsAllowed"] == 1


def test_patches_are_part_of_the_objects_and_a_second_run_moves_nothing(lf: Platform) -> None:
    kinds = "deployments,statefulsets,services,serviceaccounts,secrets,configmaps,jobs,poddisruptionbudgets"
    before = lf.objects(kinds)
    assert before["Deployment/lf-web"]["spec"]["minReadySeconds"] == 1
    assert before["Service/lf-worker"]["metadata"]["annotations"]["example.com/a"] == "b"
    assert "changed=0" in lf.site("--skip-tags", "verify")
    moved = {
        name
        for name, one in lf.objects(kinds).items()
        if one["metadata"]["generation" if "generation" in one["metadata"] else "resourceVersion"]
        != before[name]["metadata"]["generation" if "generation" in one["metadata"] else "resourceVersion"]
    }
    assert moved == set()


def test_a_secret_that_somebody_else_changed_rolls_exactly_its_readers(lf: Platform) -> None:
    before = {name: pod["metadata"]["uid"] for name, pod in lf.pods().items()}
    new = platform.secret("theirs", NEXTAUTH_SECRET=f"canary-{secrets.token_hex(32)}")
    value = base64.b64decode(new["data"]["NEXTAUTH_SECRET"]).decode()
    lf.kubectl("patch", "secret", "theirs", "--type=merge", f"--patch={json.dumps({'data': new['data']})}")

    predicted = lf.site("--check", "--diff", "--skip-tags", "verify")
    assert "changed=1" in predicted and "Deployment lf-web in" in predicted and "checksum-of-others" in predicted
    assert {name: pod["metadata"]["uid"] for name, pod in lf.pods().items()} == before

    told = lf.site()
    assert value not in predicted + told
    assert lf.inside("web", "sh", "-c", 'echo "$NEXTAUTH_SECRET"').strip() == value
    after = {name: pod["metadata"]["uid"] for name, pod in lf.pods().items()}
    assert {name for name in before if after[name] != before[name]} == {"web"}
    assert "changed=0" in lf.site("--check", "--skip-tags", "verify")
