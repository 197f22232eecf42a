"""Fields of the resources of ClickHouse's operator, from its API reference (`clickhouse.com/v1alpha1`), in the form of a schema.

Its definitions are in no Go module that can be fetched, so these are the fields that we know of, and nothing proves that
they are all.
"""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_NUMBER = {"type": "integer"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
# Whatever the server's or the users' configuration may have.
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {}}


def _of(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields}


def _list(one: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": one}


_KEY = {**_of(name=_TEXT, key=_TEXT), "required": ["name", "key"]}
_LOGGER = _of(
    logToFile=_FLAG,
    jsonLogs=_FLAG,
    level={"enum": ["test", "trace", "debug", "information", "notice", "warning", "error", "critical", "fatal"]},
    size=_TEXT,
    count=_NUMBER,
)
_SECCOMP = _of(type=_TEXT, localhostProfile=_TEXT)
_SECURITY = {
    "runAsNonRoot": _FLAG,
    "runAsUser": _NUMBER,
    "runAsGroup": _NUMBER,
    "seccompProfile": _SECCOMP,
}
_POD = _of(
    terminationGracePeriodSeconds=_NUMBER,
    imagePullSecrets=_list(_of(name=_TEXT)),
    nodeSelector=_TEXTS,
    tolerations=_list(_of(key=_TEXT, operator=_TEXT, value=_TEXT, effect=_TEXT, tolerationSeconds=_NUMBER)),
    serviceAccountName=_TEXT,
    securityContext=_of(fsGroup=_NUMBER, fsGroupChangePolicy=_TEXT, **_SECURITY),
    topologyZoneKey=_TEXT,
    nodeHostnameKey=_TEXT,
)
_CONTAINER = _of(
    image=_of(repository=_TEXT, tag=_TEXT, hash=_TEXT),
    imagePullPolicy={"enum": ["Always", "Never", "IfNotPresent"]},
    resources=_of(requests=_TEXTS, limits=_TEXTS),
    env=_list({**_of(name=_TEXT, value=_TEXT), "required": ["name"]}),
    securityContext=_of(
        allowPrivilegeEscalation=_FLAG,
        readOnlyRootFilesystem=_FLAG,
        capabilities=_of(add=_list(_TEXT), drop=_list(_TEXT)),
        **_SECURITY,
    ),
)
_CLAIM = _of(accessModes=_list(_TEXT), storageClassName=_TEXT, resources=_of(requests=_TEXTS, limits=_TEXTS))
_COMMON = {
    "podTemplate": _POD,
    "containerTemplate": _CONTAINER,
    "dataVolumeClaimSpec": _CLAIM,
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "clusterDomain": _TEXT,
}


def _resource(**spec: Any) -> dict[str, Any]:
    return _of(
        apiVersion=_TEXT, kind=_TEXT, metadata={"type": "object"}, spec={**_of(**spec), "required": ["replicas"]}
    )


SCHEMAS = {
    "clickhouse.com/v1alpha1 ClickHouseCluster": _resource(
        replicas={"type": "integer", "minimum": 0},
        shards={"type": "integer", "minimum": 0},
        keeperClusterRef={**_of(name=_TEXT, namespace=_TEXT), "required": ["name"]},
        settings=_of(
            defaultUserPassword=_of(passwordType=_TEXT, secret=_KEY, configMap=_KEY),
            logger=_LOGGER,
            enableDatabaseSync=_FLAG,
            extraConfig=_ANYTHING,
            extraUsersConfig=_ANYTHING,
        ),
        **_COMMON,
    ),
    "clickhouse.com/v1alpha1 KeeperCluster": _resource(
        replicas={"enum": [0, 1, 3, 5, 7, 9, 11, 13, 15]},
        settings=_of(logger=_LOGGER, extraConfig=_ANYTHING),
        **_COMMON,
    ),
}
