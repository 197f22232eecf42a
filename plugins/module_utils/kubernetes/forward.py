# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services of a cluster as addresses of this machine, through its API server.

Each Service has a loopback address of its own and listens there on its own ports. So names and ports in URLs stay as the
application has them, and with them what is signed (S3), what certificates are checked against, and what libpq connects to.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import resolver
from ..failure import Failure
from .api_errors import refused
from .client import ApiError, Cluster
from .objects import Identity, Kind, Object

SERVICE, POD = Kind("v1", "Service", "services"), Kind("v1", "Pod", "pods")
_CHUNK = 64 * 1024
_TRIES = 200


class Forwards:
    """Name of a Service → loopback address, made when it is asked for first. To be closed.

    A Service that is another name for a host elsewhere gives that name.
    """

    def __init__(self, cluster: Cluster, domain: str, namespace: str | None = None) -> None:
        self._cluster, self._domain, self._namespace = cluster, domain, namespace
        self._addresses: dict[str, str | None] = {}
        self._open: list[Any] = []
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        """None for a name that is no Service of the cluster. May be called from many threads."""
        with self._lock:
            if name not in self._addresses:
                self._addresses[name] = self._listen(name)
            return self._addresses[name]

    def close(self) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                # What waits in another thread is not woken up by closing alone.
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _listen(self, name: str) -> str | None:
        if (place := service_of(name, self._domain, self._namespace)) is None:
            return None
        service = self._service(*place)
        if service is None:
            return None
        if service["spec"].get("type") == "ExternalName":
            return str(service["spec"]["externalName"])
        if not service["spec"].get("selector"):
            return None
        ports = [port for port in service["spec"].get("ports") or () if port.get("protocol", "TCP") == "TCP"]
        address, listeners = _bind([port["port"] for port in ports])
        self._open += listeners
        for port, listener in zip(ports, listeners):
            threading.Thread(target=self._serve, args=(listener, service, port), daemon=True).start()
        return address

    def _service(self, name: str, namespace: str) -> Object | None:
        try:
            return self._cluster.get(SERVICE, namespace, name)
        except (ApiError, Failure):
            # A name that cannot be looked up is one that is not known; whoever asked says so.
            return None

    def _serve(self, listener: socket.socket, service: Object, port: Mapping[str, Any]) -> None:
        while True:
            try:
                near, _peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(near, service, port), daemon=True).start()

    def _relay(self, near: socket.socket, service: Object, port: Mapping[str, Any]) -> None:
        """One connection. Without a pod behind the Service it is closed at once, as by a server that is down."""
        with contextlib.closing(near):
            try:
                found = pod_behind(self._pods(service), port)
                if found is None:
                    return
                far = self._cluster.dial(service["metadata"]["namespace"], *found)
            except (ApiError, Failure):
                return
            self._open.append(near)
            back = threading.Thread(target=_copy, args=(far, near), daemon=True)
            back.start()
            _copy(near, far)
            back.join()
            far.close()

    def _pods(self, service: Object) -> Sequence[Object]:
        return self._cluster.list(POD, service["metadata"]["namespace"], selector_of(service)) or ()


@contextlib.contextmanager
def reached(kubeconfig: str | None, context: str | None, domain: str, namespace: str | None = None) -> Iterator[None]:
    """Within it names of Services that do not resolve here are at their forwards. Raises Failure where the cluster cannot be asked."""
    cluster = connected(kubeconfig, context)
    cluster.load_dialing()
    forwards = Forwards(cluster, domain, namespace)
    with contextlib.closing(forwards), resolver.known({}, lambda: forwards):
        yield


def connected(kubeconfig: str | None, context: str | None) -> Cluster:
    """The cluster, once it has answered. Raises Failure where it does not."""
    cluster = Cluster(kubeconfig, context)
    try:
        cluster.version()
    except ApiError as error:
        raise refused(Identity("", "Version", "", "of the API server"), error.status, "read") from None
    return cluster


def _copy(source: Any, target: Any) -> None:
    """Until the source ends, which the target is then told."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def service_of(name: str, domain: str, namespace: str | None = None) -> tuple[str, str] | None:
    """Name and namespace of a Service, as pods of ``namespace`` may write it; None where it is another name. Pure."""
    short = name[: -len(domain) - 1] if name.endswith(f".{domain}") else name
    labels = short.split(".")
    if namespace and short == name and len(labels) == 1:
        return name, namespace
    return (labels[0], labels[1]) if len(labels) == 3 and labels[2] == "svc" else None


def selector_of(service: Object) -> str:
    """What a list of the API takes to find the pods of a Service. Pure."""
    return ",".join(f"{name}={value}" for name, value in sorted(service["spec"]["selector"].items()))


def pod_behind(pods: Sequence[Object], port: Mapping[str, Any]) -> tuple[str, int] | None:
    """Name of a pod and its port behind a port of the Service: a ready pod before one that only runs. Pure."""
    running = [
        pod
        for pod in pods
        if (pod.get("status") or {}).get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
    ]
    for pod in sorted(running, key=_is_ready, reverse=True):
        if number := _port_of(pod, port.get("targetPort", port["port"])):
            return pod["metadata"]["name"], number
    return None


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _port_of(pod: Object, target: int | str) -> int | None:
    if isinstance(target, int):
        return target
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports") or ()]
    return next((port["containerPort"] for port in ports if port.get("name") == target), None)


def _bind(ports: Sequence[int]) -> tuple[str, list[socket.socket]]:
    """A loopback address on which all these ports are free, and listeners on them."""
    for number in range(_TRIES):
        address = f"127.{96 + os.getpid() % 64}.{os.getpid() // 64 % 256}.{number + 1}"
        listeners: list[socket.socket] = []
        try:
            for port in ports:
                listeners.append(socket.create_server((address, port)))
            return address, listeners
        except OSError as error:
            for listener in listeners:
                listener.close()
            if error.errno != errno.EADDRINUSE:
                raise _no_listener(address, error) from None
    raise _no_listener("127.0.0.0/8", OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)))


def _no_listener(address: str, error: OSError) -> Failure:
    return Failure(
        "no_listener",
        f"Nothing can listen on {address} of this machine: {error.strerror}.",
        "Run Ansible on Linux; ports below 1024 of a Service need the right to listen on them.",
    )
