"""The official chart as its table says: values in, web and worker out, with the strategic merge that post-renderers do then.

It knows nothing of the collection: what it renders is held against what the collection would apply itself.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TABLE: list[dict[str, Any]] = json.loads(Path(__file__).with_name("chart_values.json").read_text("utf-8"))
KEYS = {one["key"]: one for one in TABLE}
# Maps and lists that hold what the user writes, so that nothing below them is in the table.
OPEN = {key for key, one in KEYS.items() if one["type"] in ("map", "list", "NoneType")}
_UPLOADS = {"eventUpload": "EVENT_UPLOAD", "batchExport": "BATCH_EXPORT", "mediaUpload": "MEDIA_UPLOAD"}


class Refused(Exception):
    """The chart does not render."""


def unknown(values: Mapping[str, Any], at: str = "") -> list[str]:
    """Paths that the chart would ignore without a word."""
    found = []
    for key, value in values.items():
        path = f"{at}{key}"
        if path in KEYS:
            continue
        if isinstance(value, Mapping) and any(known.startswith(f"{path}.") for known in KEYS):
            found += unknown(value, f"{path}.")
        else:
            found.append(path)
    return found


def misfits(values: Mapping[str, Any], at: str = "") -> list[str]:
    """Paths with a value of another type than the chart's default."""
    types = {"str": str, "bool": bool, "int": int, "map": Mapping, "list": list, "NoneType": object}
    found = []
    for key, value in values.items():
        path = f"{at}{key}"
        if path not in KEYS:
            found += misfits(value, f"{path}.")
        elif not isinstance(value, types[KEYS[path]["type"]]):
            found.append(path)
    return found


class Chart:
    """The chart with the values of a release."""

    def __init__(self, release: str, values: Mapping[str, Any]) -> None:
        self._release, self._values = release, values

    def _at(self, path: str) -> Any:
        found: Any = self._values
        for part in path.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return copy.deepcopy(KEYS[path]["default"]) if path in KEYS else self._below(path)
            found = found[part]
        return copy.deepcopy(found)

    def _below(self, path: str) -> Any:
        found: dict[str, Any] = {}
        for key in KEYS:
            if key.startswith(f"{path}."):
                found[key.removeprefix(f"{path}.").partition(".")[0]] = None
        return {name: self._at(f"{path}.{name}") for name in found} or None

    def _secretly(self, path: str) -> dict[str, Any] | None:
        reference = {part: self._at(f"{path}.secretKeyRef.{part}") for part in ("name", "key")}
        if all(reference.values()):
            if self._at(f"{path}.value"):
                raise Refused(f"{path}: value and secretKeyRef")
            return {"valueFrom": {"secretKeyRef": reference}}
        value = self._at(f"{path}.value")
        return {"value": _quoted(value)} if value else None

    def environment(self, component: str) -> dict[str, dict[str, Any]]:
        """Name → entry, in the order of the chart. Raises Refused for a name that is there twice."""
        own = [*self._application(), *self._postgres(), *self._redis(), *self._clickhouse(), *self._storage()]
        if component == "web":
            own.append(("PORT", {"value": _quoted(self._at("langfuse.web.service.port"))}))
            own.append(("HOSTNAME", {"value": "0.0.0.0"}))
        given = [
            *(self._at("langfuse.additionalEnv") or []),
            *(self._at(f"langfuse.{component}.pod.additionalEnv") or []),
        ]
        found: dict[str, dict[str, Any]] = {}
        for entry in [*({"name": name, **content} for name, content in own), *given]:
            if entry["name"] in found:
                raise Refused(f"Only one of additionalEnv or the new structure can be configured: {entry['name']}")
            found[entry["name"]] = entry
        return found

    def _application(self) -> list[tuple[str, dict[str, Any]]]:
        literal = {
            "NODE_ENV": "langfuse.nodeEnv",
            "LANGFUSE_LOG_LEVEL": "langfuse.logging.level",
            "LANGFUSE_LOG_FORMAT": "langfuse.logging.format",
            "TELEMETRY_ENABLED": "langfuse.features.telemetryEnabled",
            "AUTH_DISABLE_SIGNUP": "langfuse.features.signUpDisabled",
            "ENABLE_EXPERIMENTAL_FEATURES": "langfuse.features.experimentalFeaturesEnabled",
            "NEXTAUTH_URL": "langfuse.nextauth.url",
        }
        found = [(name, {"value": _quoted(self._at(path))}) for name, path in literal.items()]
        for name, path in {
            "SALT": "langfuse.salt",
            "ENCRYPTION_KEY": "langfuse.encryptionKey",
            "NEXTAUTH_SECRET": "langfuse.nextauth.secret",
            "LANGFUSE_EE_LICENSE_KEY": "langfuse.licenseKey",
        }.items():
            if content := self._secretly(path):
                found.append((name, content))
            elif name != "LANGFUSE_EE_LICENSE_KEY":
                raise Refused(f"{path} would be drawn anew by every render")
        if self._at("langfuse.smtp.connectionUrl"):
            found.append(("SMTP_CONNECTION_URL", {"value": self._at("langfuse.smtp.connectionUrl")}))
            found.append(("EMAIL_FROM_ADDRESS", {"value": self._at("langfuse.smtp.fromAddress")}))
        return found

    def _postgres(self) -> list[tuple[str, dict[str, Any]]]:
        self._elsewhere("postgresql")
        host, secret = self._at("postgresql.host"), self._at("postgresql.auth.existingSecret")
        if not host or not secret or self._at("postgresql.port"):
            raise Refused("postgresql: host and secret are wanted, and no port, which the application does not read")
        key = self._at("postgresql.auth.secretKeys.userPasswordKey")
        return [
            ("DATABASE_HOST", {"value": host}),
            ("DATABASE_USERNAME", {"value": self._at("postgresql.auth.username")}),
            ("DATABASE_PASSWORD", {"valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}),
            ("DATABASE_NAME", {"value": self._at("postgresql.auth.database")}),
            (
                "LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED",
                {"value": _quoted(not self._at("postgresql.migration.autoMigrate"))},
            ),
        ]

    def _redis(self) -> list[tuple[str, dict[str, Any]]]:
        self._elsewhere("redis")
        host, port, user = (self._at(f"redis.{path}") for path in ("host", "port", "auth.username"))
        if not host:
            raise Refused("Redis host must be configured when using an external Redis instance")
        if self._at("redis.auth.existingSecret") or self._at("redis.auth.password"):
            raise Refused("redis.auth: REDIS_PASSWORD is not in this model")
        url = f"redis://{user}@{host}:{port}/{self._at('redis.auth.database')}"
        return [
            ("REDIS_TLS_ENABLED", {"value": _quoted(self._at("redis.tls.enabled"))}),
            ("REDIS_CONNECTION_STRING", {"value": url}),
        ]

    def _clickhouse(self) -> list[tuple[str, dict[str, Any]]]:
        self._elsewhere("clickhouse")
        host, secret = self._at("clickhouse.host"), self._at("clickhouse.auth.existingSecret")
        if not host or not secret:
            raise Refused("ClickHouse host must be configured when using an external ClickHouse instance")
        scheme, _slashes, name = host.rpartition("://")
        key = self._at("clickhouse.auth.existingSecretKey")
        return [
            ("CLICKHOUSE_MIGRATION_URL", {"value": self._at("clickhouse.migration.url")}),
            ("CLICKHOUSE_MIGRATION_SSL", {"value": _quoted(self._at("clickhouse.migration.ssl"))}),
            ("CLICKHOUSE_URL", {"value": f"{scheme or 'http'}://{name}:{self._at('clickhouse.httpPort')}"}),
            ("CLICKHOUSE_DB", {"value": self._at("clickhouse.database")}),
            ("CLICKHOUSE_USER", {"value": self._at("clickhouse.auth.username")}),
            ("CLICKHOUSE_PASSWORD", {"valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}),
            ("CLICKHOUSE_CLUSTER_ENABLED", {"value": _quoted(self._at("clickhouse.cluster.enabled"))}),
            (
                "LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED",
                {"value": _quoted(not self._at("clickhouse.migration.autoMigrate"))},
            ),
        ]

    def _storage(self) -> list[tuple[str, dict[str, Any]]]:
        self._elsewhere("s3")
        provider, exports = self._at("s3.storageProvider"), self._at("s3.batchExport.enabled")
        found = [("LANGFUSE_S3_BATCH_EXPORT_ENABLED", {"value": _quoted(exports)})]
        if provider == "azure":
            found.append(("LANGFUSE_USE_AZURE_BLOB", {"value": "true"}))
        if provider == "gcs":
            found.append(("LANGFUSE_USE_GOOGLE_CLOUD_STORAGE", {"value": "true"}))
            if content := self._secretly("s3.gcs.credentials"):
                found.append(("LANGFUSE_GOOGLE_CLOUD_STORAGE_CREDENTIALS", content))
        for upload, group in _UPLOADS.items():
            if upload != "batchExport" or exports:
                found += [(f"LANGFUSE_S3_{group}_{name}", content) for name, content in self._upload(upload)]
        for name, path in (
            ("LANGFUSE_S3_MEDIA_UPLOAD_MAX_CONTENT_LENGTH", "s3.mediaUpload.maxContentLength"),
            ("LANGFUSE_S3_MEDIA_UPLOAD_DOWNLOAD_URL_EXPIRY_SECONDS", "s3.mediaUpload.downloadUrlExpirySeconds"),
            ("LANGFUSE_S3_CONCURRENT_READS", "s3.concurrency.reads"),
            ("LANGFUSE_S3_CONCURRENT_WRITES", "s3.concurrency.writes"),
        ):
            found.append((name, {"value": _quoted(self._at(path))}))
        return found

    def _upload(self, upload: str) -> list[tuple[str, dict[str, Any]]]:
        bucket = self._at(f"s3.{upload}.bucket") or self._at("s3.bucket")
        if not bucket:
            raise Refused("S3 bucket must be configured for external provider")
        path_style = self._at(f"s3.{upload}.forcePathStyle") or self._at("s3.forcePathStyle")
        found: list[tuple[str, dict[str, Any]]] = [
            ("BUCKET", {"value": bucket}),
            ("FORCE_PATH_STYLE", {"value": _quoted(path_style)}),
        ]
        for name, key in (("PREFIX", "prefix"), ("REGION", "region"), ("ENDPOINT", "endpoint")):
            value = self._at(f"s3.{upload}.{key}") or (self._at(f"s3.{key}") if key != "prefix" else "")
            if value:
                found.append((name, {"value": value}))
        for name, key in (("ACCESS_KEY_ID", "accessKeyId"), ("SECRET_ACCESS_KEY", "secretAccessKey")):
            if content := self._secretly(f"s3.{upload}.{key}") or self._secretly(f"s3.{key}"):
                found.append((name, content))
        return found

    def _elsewhere(self, store: str) -> None:
        if self._at(f"{store}.deploy"):
            raise Refused(f"{store} would be deployed")

    def _name(self, component: str) -> str:
        own = self._release if "langfuse" in self._release else f"{self._release}-langfuse"
        return f"{self._at('fullnameOverride') or own}-{component}"

    def _selector(self, component: str) -> dict[str, str]:
        return {
            "app.kubernetes.io/name": "langfuse",
            "app.kubernetes.io/instance": self._release,
            "app": component,
        }

    def _labels(self) -> dict[str, str]:
        return {
            "app.kubernetes.io/name": "langfuse",
            "app.kubernetes.io/instance": self._release,
            "app.kubernetes.io/version": "4.4.0",
            "app.kubernetes.io/managed-by": "Helm",
            "helm.sh/chart": "langfuse-2.0.0",
        }

    def service(self) -> dict[str, Any]:
        """The Service of web, the only one."""
        port = {"name": "http", "port": self._at("langfuse.web.service.port"), "targetPort": "http", "protocol": "TCP"}
        spec = {"type": self._at("langfuse.web.service.type"), "ports": [port], "selector": self._selector("web")}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self._name("web"), "labels": self._labels()},
            "spec": spec,
        }

    def deployment(self, component: str) -> dict[str, Any]:
        """What the chart renders for a component."""
        account = self._at("langfuse.serviceAccount.name")
        if self._at("langfuse.serviceAccount.create") or not account:
            raise Refused("an account beside that of the instance")
        if self._at(f"langfuse.{component}.pdb.create") or self._at(f"langfuse.{component}.hpa.enabled"):
            raise Refused("an object beside those of the instance")
        pod: dict[str, Any] = {
            "serviceAccountName": account,
            "automountServiceAccountToken": self._at("langfuse.serviceAccount.automountServiceAccountToken"),
            "securityContext": self._at("langfuse.podSecurityContext"),
            "volumes": self._at("langfuse.extraVolumes"),
            "imagePullSecrets": self._at("langfuse.image.pullSecrets"),
            "hostAliases": self._at(f"langfuse.{component}.hostAliases"),
            "nodeSelector": self._at("langfuse.nodeSelector"),
            "tolerations": self._at("langfuse.tolerations"),
            "topologySpreadConstraints": self._at(f"langfuse.{component}.pod.topologySpreadConstraints"),
            "containers": [self._container(component)],
        }
        annotations = self._at(f"langfuse.{component}.pod.annotations")
        spec = {
            "replicas": self._at(f"langfuse.{component}.replicas") or self._at("langfuse.replicas"),
            "revisionHistoryLimit": self._at("langfuse.revisionHistoryLimit"),
            "strategy": self._at("langfuse.deployment.strategy"),
            "selector": {"matchLabels": self._selector(component)},
            "template": {
                "metadata": {
                    "labels": self._selector(component),
                    **({"annotations": annotations} if annotations else {}),
                },
                "spec": {key: value for key, value in pod.items() if value not in (None, [], {})},
            },
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": self._name(component), "labels": self._labels()},
            "spec": {key: value for key, value in spec.items() if value is not None},
        }

    def _container(self, component: str) -> dict[str, Any]:
        image = self._at(f"langfuse.{component}.image.repository")
        port = self._at("langfuse.web.service.port") if component == "web" else 3030
        seconds = {"initialDelaySeconds": 20, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3}
        live = "/api/public/health" if component == "web" else "/api/health"
        probes = {"livenessProbe": {"httpGet": {"path": live, "port": "http"}, **seconds}}
        if component == "web":
            probes["readinessProbe"] = {"httpGet": {"path": "/api/public/ready", "port": "http"}, **seconds}
        found = {
            "name": f"langfuse-{component}",
            "image": f"{image}:{self._at(f'langfuse.{component}.image.tag') or '4.4.0'}",
            "imagePullPolicy": self._at("langfuse.image.pullPolicy"),
            "securityContext": self._at("langfuse.securityContext"),
            "env": list(self.environment(component).values()),
            "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
            **probes,
            "resources": self._at(f"langfuse.{component}.resources") or self._at("langfuse.resources"),
            "volumeMounts": self._at("langfuse.extraVolumeMounts"),
        }
        return {key: value for key, value in found.items() if value is not None}


def _quoted(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# Lists whose entries are found by a key; all others are replaced as a whole.
_MERGED_BY = {
    "containers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    # Of a container, and of a Service.
    "ports": ("containerPort", "port"),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
}


def strategic(target: Any, patch: Any, field: str = "") -> Any:
    """A strategic merge patch of Kubernetes' own kinds, with its directives `replace` and `delete`."""
    if isinstance(patch, list) and field in _MERGED_BY:
        whole = {"$patch": "replace"} in patch
        patch = [one for one in patch if one != {"$patch": "replace"}]
        by = next(by for by in _MERGED_BY[field] if all(by in one for one in [*(target or []), *patch]))
        found = {} if whole else {one[by]: one for one in target or []}
        for one in patch:
            if one.get("$patch") == "delete":
                found.pop(one[by], None)
            else:
                found[one[by]] = strategic(found.get(one[by]), one)
        return list(found.values())
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    content = {key: value for key, value in patch.items() if key != "$patch"}
    merged = {} if patch.get("$patch") == "replace" else dict(target or {})
    for key, value in content.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = strategic(merged.get(key), value, key)
    return merged
