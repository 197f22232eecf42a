"""What the node does beside the kubelet: enforces network policies and makes volumes. `python -m tests.bench.cluster.agent`."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.cluster import policies, volumes
from tests.bench.cluster.api import Api, ApiError
from tests.bench.cluster.layout import NODE, Layout
from tests.bench.paths import find_paths
from tests.bench.shell import BenchError, run

Object = dict[str, Any]
_RESOURCES = {
    "pods": "/api/v1/pods",
    "namespaces": "/api/v1/namespaces",
    "policies": "/apis/networking.k8s.io/v1/networkpolicies",
    "claims": "/api/v1/persistentvolumeclaims",
    "volumes": "/api/v1/persistentvolumes",
}
_MERGE = "application/merge-patch+json"
_AGAIN_SECONDS = 1.0
# A change seldom comes alone.
_GATHER_SECONDS = 0.02


def say(message: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)


class Mirror:
    """Copies of some resources, kept fresh by a watch each; `changed` is set when something happened."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._objects: dict[str, dict[str, Object]] = {}
        self._lock = threading.Lock()
        self.changed = threading.Event()

    def start(self) -> None:
        for name in _RESOURCES:
            threading.Thread(target=self._follow, args=(name,), daemon=True).start()

    def is_complete(self) -> bool:
        return len(self._objects) == len(_RESOURCES)

    def all(self, name: str) -> list[Object]:
        with self._lock:
            return list(self._objects[name].values())

    def _follow(self, name: str) -> None:
        while True:
            try:
                self._list_and_watch(name)
            except (BenchError, OSError, ValueError) as error:
                say(f"{name}: {error}")
                time.sleep(_AGAIN_SECONDS)

    def _list_and_watch(self, name: str) -> None:
        path = _RESOURCES[name]
        listed = self._api.get(path)
        with self._lock:
            self._objects[name] = {each["metadata"]["uid"]: each for each in listed["items"]}
        self.changed.set()
        for kind, each in self._api.watch(path, listed["metadata"]["resourceVersion"]):
            if kind == "ERROR":
                return
            if kind == "BOOKMARK":
                continue
            with self._lock:
                if kind == "DELETED":
                    self._objects[name].pop(each["metadata"]["uid"], None)
                else:
                    self._objects[name][each["metadata"]["uid"]] = each
            self.changed.set()


class Policies:
    """Hands the rules to the kernel whenever they are others."""

    def __init__(self) -> None:
        self._applied = ""

    def step(self, mirror: Mirror) -> None:
        wanted = policies.ruleset(mirror.all("pods"), mirror.all("policies"), mirror.all("namespaces"), NODE)
        if wanted != self._applied:
            run(["nft", "-f", "-"], stdin=wanted)
            self._applied = wanted
            say(f"policies: {len(wanted)} bytes of rules")


class Volumes:
    """Makes a folder and a volume for each claim that waits, and removes both when the claim is gone."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api, self._folder = api, folder

    def step(self, mirror: Mirror) -> None:
        for claim in mirror.all("claims"):
            if volumes.is_waiting(claim, NODE):
                self._make(claim)
            elif volumes.is_growing(claim):
                self._grow(claim)
        for volume in volumes.released(mirror.all("volumes")):
            self._remove(volume)

    def _make(self, claim: Mapping[str, Any]) -> None:
        folder = self._folder / volumes.volume_name(claim)
        folder.mkdir(parents=True, exist_ok=True)
        # Pods run as any user.
        folder.chmod(0o777)
        try:
            self._api.call("POST", _RESOURCES["volumes"], volumes.new_volume(claim, NODE, folder))
        except ApiError as error:
            if error.code != 409:
                raise
            return
        say(f"volumes: {folder.name} for {claim['metadata']['namespace']}/{claim['metadata']['name']}")

    def _grow(self, claim: Mapping[str, Any]) -> None:
        """What the resizers of real drivers write: the volume first, then the claim's status."""
        metadata, volume = claim["metadata"], claim["spec"]["volumeName"]
        capacity = {"capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]}}
        of_claim = f"/api/v1/namespaces/{metadata['namespace']}/persistentvolumeclaims/{metadata['name']}/status"
        self._api.call("PATCH", f"{_RESOURCES['volumes']}/{volume}", {"spec": capacity}, _MERGE)
        self._api.call("PATCH", of_claim, {"status": capacity}, _MERGE)
        say(f"volumes: {volume} has {capacity['capacity']['storage']}")

    def _remove(self, volume: Mapping[str, Any]) -> None:
        shutil.rmtree(volume["spec"]["local"]["path"], ignore_errors=True)
        self._api.delete(f"{_RESOURCES['volumes']}/{volume['metadata']['name']}")


def main() -> None:
    layout = Layout(find_paths())
    api = Api(layout.kubeconfig_of("agent"))
    mirror = Mirror(api)
    mirror.start()
    steps = (Policies().step, Volumes(api, layout.volumes).step)
    while True:
        mirror.changed.wait()
        time.sleep(_GATHER_SECONDS)
        mirror.changed.clear()
        if not mirror.is_complete():
            continue
        for step in steps:
            try:
                step(mirror)
            except (BenchError, OSError) as error:
                say(str(error))
                time.sleep(_AGAIN_SECONDS)
                mirror.changed.set()


if __name__ == "__main__":
    main()
