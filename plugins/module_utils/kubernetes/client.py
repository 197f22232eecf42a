# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection to the API server of a cluster: objects in, objects out. Decides nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..failure import Failure
from ..libraries import missing
from .api_errors import refused
from .objects import FIELD_MANAGER, KINDS, Identity, Kind, Object, group_of, identity_of

# Seconds to connect and to be answered; webhooks of operators may take 30 of them.
_TIMEOUT = (5, 60)
_HANDSHAKE = re.compile(r"Handshake status (\d{3})")
_PLURALS = {(group_of(kind.api), kind.name): kind for kind in KINDS}


class ApiError(Exception):
    """The API server answered that it does not. ``status`` is what it said, with ``code``, ``reason`` and ``message``."""

    def __init__(self, status: Mapping[str, Any]) -> None:
        super().__init__(str(status.get("reason") or status.get("code")))
        self.status = status
        self.code = int(status.get("code") or 0)


class Cluster:
    """The cluster of a kubeconfig, as its user. Raises Failure where there is no way to it, ApiError for an answer."""

    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        try:
            from urllib3.exceptions import HTTPError

            from kubernetes import client, dynamic
            from kubernetes.dynamic.exceptions import DynamicApiError
        except ImportError:
            raise missing("kubernetes") from None
        configuration = _configuration(client.Configuration(), kubeconfig, context)
        configuration.retries = 1
        self._server, self._configuration = configuration.host, configuration
        # Its discovery asks for every API that there is, and keeps the answer in a file that grows old.
        connect: Any = dynamic.DynamicClient
        self._client = connect(client.ApiClient(configuration), discoverer=lambda *_nothing: None)
        self._answered, self._unanswered = DynamicApiError, HTTPError
        self._found: dict[tuple[str, str], Kind | None] = {}

    @property
    def hosts(self) -> Sequence[str]:
        """Names or addresses on the way to the API server: its own, and a proxy's."""
        found = [urlsplit(str(url)).hostname for url in (self._server, self._configuration.proxy) if url]
        return [host for host in found if host]

    def _ask(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        try:
            answer = self._client.request(
                method, path, body=body, serialize=False, _request_timeout=_TIMEOUT, **options
            )
            return json.loads(answer.data)
        except self._answered as error:
            if not error.status:
                # The library's own words for a handshake that failed.
                raise _unreachable(self._server, error) from None
            status = _status(error)
            # Of what it does not serve the API server says so in plain text.
            if status.get("kind") != "Status" and error.status not in (401, 403, 404):
                raise _another_server(self._server) from None
            raise ApiError(status) from None
        except (self._unanswered, OSError) as error:
            raise _unreachable(self._server, error) from None
        except ValueError:
            raise _another_server(self._server) from None

    def version(self) -> str:
        """Like ``v1.36.3``."""
        said = self._discover("/version")
        if not said or "gitVersion" not in said:
            raise _another_server(self._server)
        return str(said["gitVersion"])

    def kind(self, api: str, name: str) -> Kind | None:
        """How the API server serves the kind; None where it does not. Only for kinds beyond ``KINDS`` it is asked."""
        if known := _PLURALS.get((group_of(api), name)):
            return known._replace(api=api)
        if (api, name) not in self._found:
            resources = (self._discover(_root(api)) or {}).get("resources") or ()
            found = [one for one in resources if one["kind"] == name and "/" not in one["name"]]
            self._found[api, name] = Kind(api, name, found[0]["name"], found[0]["namespaced"]) if found else None
        return self._found[api, name]

    def served(self, api: str) -> Sequence[str]:
        """Kinds of an ``apiVersion``; none where it is not served."""
        resources = (self._discover(_root(api)) or {}).get("resources") or ()
        return [one["kind"] for one in resources if "/" not in one["name"]]

    def versions(self, group: str) -> Sequence[str]:
        """Every ``apiVersion`` of a group; none where it is not served."""
        return [one["groupVersion"] for one in (self._discover(f"/apis/{group}") or {}).get("versions") or ()]

    def _discover(self, path: str) -> Any:
        """What the API server says about itself. Whom it does not know it answers nothing else either."""
        try:
            return self._look(path)
        except ApiError as error:
            raise refused(Identity("", "API", "", "server"), error.status, "answer as") from None

    def _look(self, path: str, **options: Any) -> Any:
        """None where there is no such thing."""
        try:
            return self._ask("get", path, **options)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        found: Object | None = self._look(_path(kind, namespace, name))
        return found

    def list(self, kind: Kind, namespace: str, selector: str = "") -> list[Object] | None:
        """Objects of the kind; None where the API server does not serve it. Without a namespace those of the whole cluster."""
        found = self._look(_path(kind, namespace), **({"label_selector": selector} if selector else {}))
        if found is None:
            return None
        # Entries of a list do not say what they are.
        return [{**one, "apiVersion": kind.api, "kind": kind.name} for one in found.get("items") or ()]

    def log(self, namespace: str, pod: str, container: str, lines: int, previous: bool = False) -> str:
        """Last lines of a container with their times; empty where there are none, or the account may not read them."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        query = [("container", container), ("tailLines", lines), ("timestamps", "true")]
        query += [("previous", "true")] if previous else []
        try:
            answer = self._client.request(
                "get",
                path,
                query_params=query,
                serialize=False,
                _request_timeout=_TIMEOUT,
                header_params={"Accept": "*/*"},
            )
            return bytes(answer.data).decode("utf-8", "replace")
        except (self._answered, self._unanswered, OSError):
            return ""

    def ask(self, review: Object) -> Mapping[str, Any]:
        """Answer to a review of access, which is written and never kept."""
        path = f"{_root(review['apiVersion'])}/selfsubjectaccessreviews"
        answer: Mapping[str, Any] = self._ask("post", path, review)["status"]
        return answer

    def apply(
        self, wanted: Object, *, dry_run: bool, force: bool = False, manager: str = FIELD_MANAGER
    ) -> dict[str, Any]:
        """Server-side apply, and the object as it is then. Without `force` a field of another manager is an ApiError of 409."""
        answer: dict[str, Any] = self._ask(
            "patch",
            self._place(wanted),
            wanted,
            content_type="application/apply-patch+yaml",
            field_manager=manager,
            # As text, because the library would write the booleans of Python.
            force_conflicts="true" if force else "false",
            **_dry(dry_run),
        )
        return answer

    def patch(
        self,
        live: Object,
        operations: Sequence[Mapping[str, Any]],
        *,
        dry_run: bool = False,
        manager: str = FIELD_MANAGER,
    ) -> dict[str, Any]:
        """The operations of a JSON patch, and the object as it is then."""
        answer: dict[str, Any] = self._ask(
            "patch",
            self._place(live),
            list(operations),
            content_type="application/json-patch+json",
            field_manager=manager,
            **_dry(dry_run),
        )
        return answer

    def load_dialing(self) -> None:
        """Load what ``dial`` needs: the first use takes a second of processor, which is no time of a connection that waits."""
        from kubernetes import client
        from kubernetes.stream import portforward  # noqa: F401

        client.CoreV1Api(client.ApiClient(self._configuration))

    def dial(self, namespace: str, pod: str, port: int) -> Any:
        """A socket to a port of a pod. May be called from many threads."""
        from kubernetes import client
        from kubernetes.client.exceptions import ApiException
        from kubernetes.stream import portforward

        # One of its own: the library changes the client for the time of this call.
        api = client.CoreV1Api(client.ApiClient(self._configuration))
        forward: Any = portforward
        try:
            return forward(api.connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port)).socket(port)
        except ApiException as error:
            # Of a refused WebSocket the library has no status but in words.
            code = error.status or int((_HANDSHAKE.search(str(error.reason)) or [0, 0])[1])
            raise ApiError({"code": code, "reason": str(error.reason)}) from None

    def delete(self, live: Object) -> None:
        """This very object and, after it, what was made for it. One that is gone already is no error, nor another of its name."""
        body = {"propagationPolicy": "Background", "preconditions": {"uid": live["metadata"]["uid"]}}
        try:
            self._ask("delete", self._place(live), body)
        except ApiError as error:
            if error.code != 404 and "UID in the precondition" not in str(error.status.get("message")):
                raise

    def again(self, live: Object) -> Object | None:
        """The object as it is now."""
        found: Object | None = self._look(self._place(live))
        return found

    def _place(self, found: Object) -> str:
        identity = identity_of(found)
        kind = self.kind(found["apiVersion"], found["kind"])
        if kind is None:
            raise ApiError({"code": 404, "reason": "NotFound", "message": f"no kind {identity.kind}"})
        return _path(kind, identity.namespace, identity.name)


def of_kind(kind: Kind, namespace: str) -> Identity:
    """Stands for the instance's objects of a kind where a message needs one."""
    return Identity(group_of(kind.api), kind.name, namespace, "objects")


def _root(api: str) -> str:
    return f"/apis/{api}" if "/" in api else f"/api/{api}"


def _path(kind: Kind, namespace: str, name: str = "") -> str:
    where = f"/namespaces/{namespace}" if kind.namespaced and namespace else ""
    return f"{_root(kind.api)}{where}/{kind.plural}" + (f"/{name}" if name else "")


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dry_run": "All"} if dry_run else {}


def _status(error: Any) -> Mapping[str, Any]:
    """What the API server said. Proxies in front of it, and addresses without an API, answer with text."""
    try:
        status = json.loads(error.body)
    except (TypeError, ValueError):
        status = None
    if not isinstance(status, dict):
        status = {"message": str(error.reason or "")}
    return {**status, "code": status.get("code") or error.status}


def _another_server(server: str) -> Failure:
    return Failure(
        "unreachable",
        f"{server} answers, but not as a Kubernetes API server.",
        "Look at the address in langfuse_kubernetes_kubeconfig.",
    )


def _unreachable(server: str, error: Exception) -> Failure:
    said = str(getattr(error, "reason", None) or error)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return Failure(
            "untrusted",
            f"The certificate of {server} is not signed by the authority in the kubeconfig.",
            "Write the kubeconfig of this cluster as langfuse_kubernetes_kubeconfig.",
        )
    if "X509" in said or "PEM" in said:
        return Failure(
            "kubeconfig",
            f"A certificate in the kubeconfig of {server} cannot be read.",
            "Write another langfuse_kubernetes_kubeconfig.",
        )
    said = re.sub(r"^\S*Connection\(.*?\): ", "", said).rstrip(".")
    return Failure(
        "unreachable",
        f"The API server {server} does not answer: {said}.",
        "Look at the address in langfuse_kubernetes_kubeconfig, at the way there, and whether the cluster is up.",
    )


def _configuration(configuration: Any, kubeconfig: str | None, context: str | None) -> Any:
    """Of the file that is named, else of ``$KUBECONFIG`` or ``~/.kube/config``, else of the pod that this runs in."""
    from yaml import YAMLError

    from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

    # They have no types.
    of_pod: Any = load_incluster_config
    of_file: Any = load_kube_config
    place = kubeconfig or os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")
    there = any(os.path.exists(one) for one in place.split(os.pathsep))
    try:
        if not there and not kubeconfig and os.environ.get("KUBERNETES_SERVICE_HOST"):
            of_pod(client_configuration=configuration)
        else:
            of_file(config_file=place, context=context, client_configuration=configuration, persist_config=False)
    except (ConfigException, OSError) as error:
        raise _unusable(place, _why(error) if there else "there is no such file") from None
    except (YAMLError, ValueError, TypeError, KeyError, AttributeError):
        # The message of the cause may hold a credential.
        raise _unusable(place, "it is not a kubeconfig") from None
    return configuration


def _why(error: Exception) -> str:
    said = str(getattr(error, "strerror", None) or error).rstrip(".")
    lacks = re.search(r"Expected object with name (\S+) in \S+/(context|cluster|user)s list", said)
    return f"it has no {lacks[2]} {lacks[1]}" if lacks else said


def _unusable(place: str, why: str) -> Failure:
    return Failure(
        "kubeconfig",
        f"The kubeconfig {place} cannot be used: {why}.",
        "Write langfuse_kubernetes_kubeconfig and langfuse_kubernetes_context.",
    )
