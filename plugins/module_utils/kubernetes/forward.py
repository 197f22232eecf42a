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
import ipaddress
import os
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple

from .. import resolver
from ..failure import Failure
from .api_errors import refused
from .client import ApiError, Cluster
from .objects import Identity, Kind, Object
from .rights import FORWARDS

SERVICE, POD = Kind("v1", "Service", "services"), Kind("v1", "Pod", "pods")
_CHUNK = 64 * 1024
_TRIES = 200
_LABEL = re.compile(r"(?!\d+\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# Pod and port that a connection is for; None while nothing is behind.
Target = Callable[[], "tuple[str, int] | None"]
# The pod that is meant, of those in its namespace.
Which = Callable[[Iterable[Object]], "Object | None"]


class Place(NamedTuple):
    """What a name is in the cluster: a Service, or one of the pods behind it."""

    service: str
    namespace: str
    pod: str = ""


class Forwards:
    """Name of a Service, or of a pod behind it → loopback address, made when it is asked for first. To be closed.

    A Service that is another name for a host elsewhere gives that name. Addresses of pods are known in namespaces that a name
    led to: sentinels and nodes of a cluster name each other by these.
    """

    def __init__(self, cluster: Cluster, domain: str, namespace: str | None = None) -> None:
        self._cluster, self._domain, self._namespace = cluster, domain, namespace
        self._addresses: dict[str, str | None] = {}
        self._namespaces: dict[str, list[Object]] = {}
        self._open: list[Any] = []
        self._lock = threading.RLock()
        self._asking = False
        # Why a connection was closed that the API server did not let through: to the one who asked, a server is down.
        self.refusal: Failure | None = None

    def get(self, name: str) -> str | None:
        """None for a name that is no Service of the cluster. May be called from many threads."""
        # The way to the API server is not through it.
        if name in self._cluster.hosts:
            return None
        with self._lock:
            if self._asking:
                # In this thread, by the client of the API server, such as for who signs its user in.
                return None
            if name not in self._addresses:
                self._asking = True
                try:
                    address, lasting = self._listen(name)
                finally:
                    self._asking = False
                if not lasting:
                    return address
                self._addresses[name] = address
            return self._addresses[name]

    def close(self) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                # What waits in another thread is not woken up by closing alone.
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _listen(self, name: str) -> tuple[str | None, bool]:
        """The address, and whether it stays so: a pod that is away may come back."""
        if is_address(name):
            return self._listen_for_address(name)
        if (place := service_of(name, self._domain, self._namespace)) is None:
            return None, True
        service = self._service(place.service, place.namespace)
        if service is None:
            return None, True
        if service["spec"].get("type") == "ExternalName":
            return str(service["spec"]["externalName"]), True
        if not service["spec"].get("selector"):
            return None, True
        self._namespaces.setdefault(place.namespace, []).append(service)
        if place.pod:
            return self._listen_for_pod(place.namespace, lambda pods: pod_named(pods, place.pod), selector_of(service))
        targets = {port["port"]: self._behind(service, port) for port in _tcp(service)}
        return self._forward(place.namespace, targets), True

    def _listen_for_address(self, address: str) -> tuple[str | None, bool]:
        found = (self._listen_for_pod(one, lambda pods: pod_at(pods, address)) for one in self._namespaces)
        return next((one for one in found if one[0]), (None, False))

    def _listen_for_pod(self, namespace: str, which: Which, selector: str = "") -> tuple[str | None, bool]:
        try:
            pod = which(self._cluster.list(POD, namespace, selector) or ())
        except (ApiError, Failure):
            # As with a Service that cannot be looked up.
            pod = None
        if pod is None:
            return None, False
        name = pod["metadata"]["name"]
        targets = {number: _always(name, number) for number in ports_of(pod, self._namespaces[namespace])}
        return self._forward(namespace, targets), True

    def _behind(self, service: Object, port: Mapping[str, Any]) -> Target:
        return lambda: pod_behind(self._pods(service), port)

    def _forward(self, namespace: str, targets: Mapping[int, Target]) -> str:
        address, listeners = _bind(list(targets))
        self._open += listeners
        for target, listener in zip(targets.values(), listeners):
            threading.Thread(target=self._serve, args=(listener, namespace, target), daemon=True).start()
        return address

    def _service(self, name: str, namespace: str) -> Object | None:
        try:
            return self._cluster.get(SERVICE, namespace, name)
        except (ApiError, Failure):
            # A name that cannot be looked up is one that is not known; whoever asked says so.
            return None

    def _serve(self, listener: socket.socket, namespace: str, target: Target) -> None:
        while True:
            try:
                near, _peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(near, namespace, target), daemon=True).start()

    def _relay(self, near: socket.socket, namespace: str, target: Target) -> None:
        """One connection. Without a pod behind the Service it is closed at once, as by a server that is down."""
        with contextlib.closing(near):
            try:
                found = target()
                if found is None:
                    return
                far = self._cluster.dial(namespace, *found)
            except ApiError as error:
                if error.code in (401, 403):
                    self.refusal = _not_let_through(namespace)
                return
            except Failure:
                return
            self._open.append(near)
            back = threading.Thread(target=_copy, args=(far, near), daemon=True)
            back.start()
            _copy(near, far)
            back.join()
            far.close()

    def _pods(self, service: Object) -> Sequence[Object]:
        return self._cluster.list(POD, service["metadata"]["namespace"], selector_of(service)) or ()

    def claims(self, name: str) -> bool:
        """Whether the name is one of the cluster by its form, wherever else it may be known."""
        return is_address(name) or service_of(name, self._domain, self._namespace) is not None


@contextlib.contextmanager
def reached(kubeconfig: str | None, context: str | None, domain: str, namespace: str | None = None) -> Iterator[None]:
    """Within it names of Services are at their forwards, in a pod of the cluster as well: there policies of others would close
    the direct way. Raises Failure where the cluster cannot be asked, and at the end where it let a connection not through.
    """
    cluster = connected(kubeconfig, context)
    cluster.load_dialing()
    forwards = Forwards(cluster, domain, namespace)
    try:
        with contextlib.closing(forwards), resolver.known({}, lambda: forwards, forwards.claims):
            yield
    except Exception:
        if forwards.refusal is None:
            raise
    if forwards.refusal is not None:
        raise forwards.refusal


def connected(kubeconfig: str | None, context: str | None) -> Cluster:
    """The cluster, once it has answered. Raises Failure where it does not."""
    cluster = Cluster(kubeconfig, context)
    try:
        cluster.version()
    except ApiError as error:
        raise refused(Identity("", "Version", "", "of the API server"), error.status, "read") from None
    return cluster


def _not_let_through(namespace: str) -> Failure:
    return Failure(
        "no_forward",
        f"The account may not reach pods in {namespace} through the API server.",
        f"Give it {' and '.join(FORWARDS)} on pods/portforward there; the playbook preflight prints all roles that it needs.",
    )


def _always(pod: str, port: int) -> Target:
    return lambda: (pod, port)


def _copy(source: Any, target: Any) -> None:
    """Until the source ends, which the target is then told."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def service_of(name: str, domain: str, namespace: str | None = None) -> Place | None:
    """A Service, or a pod behind it, as pods of ``namespace`` may write them; None where it is another name. Pure."""
    short = name[: -len(domain) - 1] if name.endswith(f".{domain}") else name
    labels = short.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        return None
    if namespace and short == name and len(labels) == 1:
        return Place(name, namespace) if name != "localhost" else None
    if len(labels) not in (3, 4) or labels[-1] != "svc":
        return None
    service, within = labels[-3:-1]
    return Place(service, within, labels[0] if len(labels) == 4 else "")


def is_address(name: str) -> bool:
    """Whether it is an address that a pod may have. Pure."""
    try:
        return not ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def pod_named(pods: Iterable[Object], name: str) -> Object | None:
    """The pod that a name before a Service's is for: its host name, or its address with dashes. Pure."""
    for pod in pods:
        dashed = [re.sub(r"[.:]", "-", address) for address in _addresses_of(pod)]
        if name in (pod["metadata"]["name"], pod["spec"].get("hostname"), *dashed):
            return pod
    return None


def pod_at(pods: Iterable[Object], address: str) -> Object | None:
    """The pod that has the address for itself. Pure."""
    found = (pod for pod in pods if not pod["spec"].get("hostNetwork") and address in _addresses_of(pod))
    return next((pod for pod in found if pod["status"].get("phase") == "Running"), None)


def _addresses_of(pod: Object) -> list[str]:
    return [one["ip"] for one in (pod.get("status") or {}).get("podIPs") or ()]


def ports_of(pod: Object, services: Iterable[Object]) -> list[int]:
    """What a pod says that it listens on, and what Services lead to it. Pure."""
    labels = pod["metadata"].get("labels") or {}
    containers = [port for one in pod["spec"]["containers"] for port in one.get("ports") or ()]
    found = [port["containerPort"] for port in containers if port.get("protocol", "TCP") == "TCP"]
    for service in services:
        if service["spec"]["selector"].items() <= labels.items():
            found += [_port_of(pod, port.get("targetPort", port["port"])) for port in _tcp(service)]
    return sorted({number for number in found if number})


def _tcp(service: Object) -> list[Mapping[str, Any]]:
    return [port for port in service["spec"].get("ports") or () if port.get("protocol", "TCP") == "TCP"]


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
