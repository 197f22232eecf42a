# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Something in the cluster that sends to an instance: its Secret with address and keys, its configuration, and whether they work."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from .. import args, consumer, http_client, sender_config
from ..failure import Failure, joined
from . import forward
from .api_errors import refused
from .client import ApiError, Cluster
from .comparison import as_diff, compare
from .objects import HOME, MANAGED_BY, Identity, Kind, Object, Owner, identity_of
from .ownership import conflicts_of, foreign, foreign_fields, refused_conflicts

# Its own, because objects of the instance that are not wanted any more are removed by `site`.
MANAGER = "llmops.langfuse.connect"
_INSTANCE = "llmops.langfuse/instance"
_KINDS = {"Secret": Kind("v1", "Secret", "secrets"), "ConfigMap": Kind("v1", "ConfigMap", "configmaps")}
_CURE = "Give this entry of langfuse_consumers another {}, or remove that object if nobody needs it."
Params = Mapping[str, Any]


class Connection(Owner):
    """Whose consumers' objects are: of the instance's connections, not among its own."""

    @property
    def labels(self) -> dict[str, str]:
        return {MANAGED_BY: MANAGER, _INSTANCE: self.instance, HOME: self.namespace}


def wanted(params: Params) -> list[dict[str, Any]]:
    """The objects of a consumer. Pure. Raises Failure for pipelines that are not for traces."""
    values = {name: str(value) for name, value in {**params["values"], **params["secret_values"]}.items()}
    data = {name: base64.b64encode(value.encode()).decode() for name, value in sorted(values.items())}
    found = [{**_object(params, "Secret", params["secret"]), "type": "Opaque", "data": data}]
    if params["config_map"]:
        found.append({**_object(params, "ConfigMap", params["config_map"]), "data": configuration(params)})
    return found


def _object(params: Params, kind: str, name: str) -> dict[str, Any]:
    labels = Connection(params["instance"], params["namespace"]).labels
    metadata = {"name": name, "namespace": params["consumer_namespace"], "labels": labels}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def configuration(params: Params) -> dict[str, str]:
    """Key of the ConfigMap → YAML without secrets: what stands in the consumer's own file, and values of its usual chart."""
    import yaml

    document: dict[str, Any] = {}
    if params["kind"] == "litellm":
        sender_config.litellm(document, params)
        chart = {"environmentSecrets": [params["secret"]], "proxy_config": document}
    else:
        document["service"] = {"pipelines": {name: {} for name in params["pipelines"]}}
        sender_config.otel_collector(document, params)
        chart = {"extraEnvsFrom": [{"secretRef": {"name": params["secret"]}}], "config": document}
    return {name: yaml.safe_dump(content) for name, content in (("config.yaml", document), ("values.yaml", chart))}


def ensure(cluster: Cluster, params: Params, check_mode: bool) -> dict[str, Any]:
    """Make or remove the objects: arguments of ``exit_json``. Raises Failure, before anything is written where it can be."""
    owner = Connection(params["instance"], params["namespace"])
    objects = wanted(params)
    found = [_get(cluster, one) for one in objects]
    foreigners = [(one, whose) for one, live in zip(objects, found) if (whose := foreign(live, owner))]
    if params["state"] == "absent":
        theirs = [one for one, _whose in foreigners]
        return _remove(cluster, [live for one, live in zip(objects, found) if live and one not in theirs], check_mode)
    if foreigners:
        raise joined([_foreign_object(one, whose) for one, whose in foreigners])
    comparisons = [compare(live, _apply(cluster, one, live, True)) for one, live in zip(objects, found)]
    for one, live, comparison in zip(objects, found, comparisons):
        if comparison.changed and not check_mode:
            _apply(cluster, one, live, False)
    return {
        "changed": any(one.changed for one in comparisons),
        "diff": [as_diff(comparison, one) for one, comparison in zip(objects, comparisons) if comparison.changed],
    }


def _get(cluster: Cluster, one: Object) -> Object | None:
    identity = identity_of(one)
    try:
        return cluster.get(_KINDS[identity.kind], identity.namespace, identity.name)
    except ApiError as error:
        raise refused(identity, error.status, "look at") from None


def _apply(cluster: Cluster, one: Object, live: Object | None, dry_run: bool) -> dict[str, Any]:
    try:
        return cluster.apply(one, dry_run=dry_run, manager=MANAGER)
    except ApiError as error:
        conflicts = conflicts_of(error.status) if error.code == 409 else []
        if not conflicts or live is None:
            raise _refused(identity_of(one), error) from None
        if others := refused_conflicts(conflicts, live):
            raise foreign_fields(identity_of(one), others) from None
    return cluster.apply(one, dry_run=dry_run, manager=MANAGER, force=True)


def _refused(identity: Identity, error: ApiError) -> Failure:
    failure = refused(identity, error.status)
    if failure.code != "no_namespace":
        return failure
    cure = "Correct namespace of this entry in langfuse_consumers, or make that namespace first."
    return Failure(failure.code, failure.message, cure)


def _foreign_object(one: Object, whose: str) -> Failure:
    what = "secret" if one["kind"] == "Secret" else "config_map"
    return Failure("foreign_object", f"{identity_of(one)} is there already and belongs to {whose}.", _CURE.format(what))


def _remove(cluster: Cluster, found: Sequence[Object], check_mode: bool) -> dict[str, Any]:
    for one in found if not check_mode else ():
        try:
            cluster.delete({"apiVersion": "v1", **one})
        except ApiError as error:
            raise refused(identity_of(one), error.status, "remove") from None
    gone = [{"before_header": str(identity_of(one)), "before": "present\n", "after": ""} for one in found]
    return {"changed": bool(found), "diff": gone}


def read(cluster: Cluster, namespace: str, name: str) -> dict[str, str] | None:
    """What a Secret says to the pods that read it; None where there is none. Raises Failure."""
    one = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}}
    found = _get(cluster, one)
    return None if found is None else decoded(found)


def decoded(secret: Object) -> dict[str, str]:
    """Pure. Bytes that are no text are no value of ours."""
    values = {}
    for name, value in (secret.get("data") or {}).items():
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            values[name] = base64.b64decode(value).decode()
    return values


def prove(cluster: Cluster, params: Params) -> dict[str, Any]:
    """Send a trace with what the Secret says, to the address that it says. Raises Failure."""
    values = read(cluster, params["consumer_namespace"], params["secret"])
    where = f"Secret {params['secret']} in {params['consumer_namespace']}"
    if params["state"] == "absent":
        return {"changed": False, "proved": f"{where} is {'not there' if values is None else 'of somebody else'}"}
    missing = [name for name in consumer.NAMES if not (values or {}).get(name)]
    if values is None or missing:
        raise Failure("names_missing", f"{where} lacks {', '.join(missing)}.", "Run connect again.")
    url, cluster_options = values["LANGFUSE_BASE_URL"], params["cluster"]
    authorization = http_client.basic(values["LANGFUSE_PUBLIC_KEY"], values["LANGFUSE_SECRET_KEY"])
    options = {"ca_path": None, "resolve": [], **params}
    with args.reached(cluster_options), contextlib.closing(args.client(options, url)) as client:
        outcome = consumer.send(client, authorization, params["timeout"])
    if outcome.differences:
        raise consumer.different(outcome)
    by_name = forward.service_of(client.host, cluster_options["domain"]) is not None
    way = " (past network policies, which site opens to its namespace)" if by_name else ""
    said = f"a trace came back through {url}{way} after {outcome.timings['readable']} ms; pods have the keys when they next start"
    return {"changed": False, "url": url, "trace_id": outcome.trace_id, "timings": outcome.timings, "proved": said}
