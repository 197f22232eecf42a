"""A small instance for tests of applying: what each kind needs, in the waves that an instance has."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner

CANARY = "Warbler-of-the-salt"
SERVE = "from http.server import *; ThreadingHTTPServer(('', 8080), SimpleHTTPRequestHandler).serve_forever()"
Document = dict[str, Any]


def known(documents: Iterable[Document]) -> list[Document]:
    """Without kinds of ClickHouse's operator, whose definitions are in no Go module that can be fetched."""
    return [one for one in documents if not one["object"]["apiVersion"].startswith("clickhouse.com/")]


def document(wave: int, owner: Owner, api: str, kind: str, name: str, **content: Any) -> Document:
    metadata = {"name": name, "namespace": owner.namespace, "labels": dict(owner.labels)}
    found = {"apiVersion": api, "kind": kind, "metadata": metadata, **content}
    return {"wave": wave, "sensitive": kind == "Secret", "keep": False, "object": found}


def _pod(image: str, *command: str, **container: Any) -> dict[str, Any]:
    return {
        "containers": [{"name": "main", "image": image, "command": list(command), **container}],
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
    }


def namespace(owner: Owner) -> Document:
    found = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": owner.namespace, "labels": {"a": "b"}}}
    return {"wave": 0, "sensitive": False, "keep": True, "object": found}


def secret(owner: Owner, value: str = CANARY) -> Document:
    data = {"SALT": base64.b64encode(value.encode()).decode()}
    return document(1, owner, "v1", "Secret", "lf-credentials", type="Opaque", data=data)


def settings(owner: Owner, **data: str) -> Document:
    return document(1, owner, "v1", "ConfigMap", "lf-settings", data=data or {"a": "1"})


def migration(owner: Owner, image: str, command: str = "true") -> Document:
    pod = {**_pod(image, "sh", "-c", command), "restartPolicy": "Never"}
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return document(4, owner, "batch/v1", "Job", "lf-migrate-1", spec=spec)


def web(
    owner: Owner,
    image: str,
    /,
    replicas: int | None = 1,
    name: str = "lf-web",
    pod: Document | None = None,
    **container: Any,
) -> Document:
    """pod: what its pods have besides the container."""
    labels = {"app": name}
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    environment = [{"name": "A", "value": "1"}]
    made = _pod(image, "python3", "-c", SERVE, readinessProbe=probe, env=environment)
    made["containers"][0].update(container)
    template = {"metadata": {"labels": labels}, "spec": {**made, **(pod or {})}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return document(
        5, owner, "apps/v1", "Deployment", name, spec={**spec, **({"replicas": replicas} if replicas else {})}
    )


def store(owner: Owner, image: str, storage_class: str) -> Document:
    """A server with a volume."""
    found = web(owner, image, name=f"lf-{storage_class}")["object"]["spec"]
    size = {"resources": {"requests": {"storage": "1Mi"}}, "accessModes": ["ReadWriteOnce"]}
    claim = {"metadata": {"name": "data"}, "spec": {**size, "storageClassName": storage_class}}
    found["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    spec = {**found, "serviceName": "none", "volumeClaimTemplates": [claim]}
    return document(5, owner, "apps/v1", "StatefulSet", f"lf-{storage_class}", spec=spec)


def autoscaler(owner: Owner, least: int) -> Document:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "lf-web"}
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    spec = {
        "scaleTargetRef": target,
        "minReplicas": least,
        "maxReplicas": 5,
        "metrics": [{"type": "Resource", "resource": metric}],
    }
    return document(7, owner, "autoscaling/v2", "HorizontalPodAutoscaler", "lf-web", spec=spec)


def instance(owner: Owner, image: str) -> list[Document]:
    return [namespace(owner), secret(owner), settings(owner), migration(owner, image), web(owner, image)]
