"""What a platform has around an instance: a namespace with rules, Secrets of its own, a database with its certificate."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.mounts import CA_FILE

from tests.bench.paths import find_paths
from tests.integration import certificates
from tests.integration.cluster.running import Running

Object = dict[str, Any]
POSTGRES = "theirs-postgresql"


def images() -> dict[str, str]:
    """Variables of the bench's images."""
    found: dict[str, str] = yaml.safe_load(find_paths().variables.read_text("utf-8"))
    return found


def namespace(name: str) -> Object:
    """One that runs nothing below the restricted profile."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def priority(name: str) -> Object:
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    return {**kind, "metadata": {"name": name}, "value": 1000, "description": "Of a test"}


def _object(kind: str, name: str, **content: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}


def secret(name: str, kind: str = "Opaque", **values: str | bytes) -> Object:
    """`values`: key → content."""
    data = {key: base64.b64encode(v if isinstance(v, bytes) else v.encode()).decode() for key, v in values.items()}
    return _object("Secret", name, type=kind, data=data)


def application_keys(name: str) -> Object:
    """What an operator for Secrets would write in place of `credentials`."""
    return secret(
        name,
        NEXTAUTH_SECRET=secrets.token_hex(32),
        SALT=secrets.token_hex(16),
        ENCRYPTION_KEY=secrets.token_hex(32),
    )


def login(name: str, namespace: str, password: str) -> Object:
    """What PostgreSQL is reached with; whoever keeps it writes the whole address, with what Prisma is to verify."""
    verified = f"sslmode=require&sslaccept=strict&sslcert={CA_FILE}"
    url = f"postgresql://langfuse:{password}@{host(namespace)}:5432/langfuse?{verified}"
    return secret(name, username="langfuse", password=password, DATABASE_URL=url)


def host(namespace: str) -> str:
    return f"{POSTGRES}.{namespace}.svc.cluster.local"


def pull_secret(name: str) -> Object:
    return secret(name, "kubernetes.io/dockerconfigjson", **{".dockerconfigjson": '{"auths": {}}'})


def postgresql(namespace: str, password: str, directory: Path) -> list[Object]:
    """A server that speaks TLS only, with a certificate of a private authority, which is left in `directory`/ca.pem."""
    certificates.write(directory, host(namespace), POSTGRES)
    pair = {name: (directory / f"server.{name}").read_bytes() for name in ("pem", "key")}
    labels = {"app": POSTGRES}
    given = {"POSTGRES_USER": "langfuse", "POSTGRES_DB": "langfuse", "POSTGRES_PASSWORD": password}
    container = {
        "name": "postgresql",
        "image": f"{images()['langfuse_image_registry']}/library/postgres:{images()['langfuse_postgres_version']}",
        "imagePullPolicy": "Never",
        "args": ["postgres", "-cssl=on", "-cssl_cert_file=/tls/pem", "-cssl_key_file=/tls/key", "-ctimezone=UTC"],
        "env": [{"name": name, "value": value} for name, value in given.items()],
        "readinessProbe": {"exec": {"command": ["pg_isready", "-h127.0.0.1"]}, "periodSeconds": 1},
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    user = {"runAsNonRoot": True, "runAsUser": 999, "fsGroup": 999, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {
        "containers": [container],
        "securityContext": user,
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "tls", "secret": {"secretName": POSTGRES, "defaultMode": 0o440}}],
    }
    found = [
        secret(POSTGRES, **pair),
        _object("Service", POSTGRES, spec={"selector": labels, "ports": [{"port": 5432}]}),
        {**_object("Pod", POSTGRES, spec=pod), "metadata": {"name": POSTGRES, "labels": labels}},
    ]
    for one in found:
        one["metadata"]["namespace"] = namespace
    return found


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def remove(running: Running, namespace: str) -> None:
    """Without web's drain and the workers' grace period."""
    running.kubectl("delete", "deployments,statefulsets", "--all", f"--namespace={namespace}", "--wait=false")
    running.kubectl("delete", "pods", "--all", f"--namespace={namespace}", "--force", "--grace-period=0")
    running.api.delete(f"/api/v1/namespaces/{namespace}")
