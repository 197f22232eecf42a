"""`python -m tests.bench.cluster.sources`: looks at the sources of a cluster, and serves their artifacts."""

from __future__ import annotations

import argparse
import functools
import http.server
import sys
import threading
import time
from pathlib import Path

from tests.bench.cluster.api import Api, ApiError
from tests.bench.cluster.sources import NAME, fetch
from tests.bench.cluster.sources.artifacts import (
    KNOWN,
    Artifact,
    Object,
    SourceError,
    failed,
    interval,
    is_due,
    ready,
    refuse_unknown,
    stored,
)
from tests.bench.shell import BenchError

_GROUP = "/apis/source.toolkit.fluxcd.io/v1"
_LOOK_SECONDS = 1.0
_MERGE = "application/merge-patch+json"
# A failure is not repeated at every look.
_AGAIN_SECONDS = 5.0


def say(message: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {NAME}: {message}", file=sys.stderr, flush=True)


def _path(kind: str, namespace: str, name: str) -> str:
    return f"{_GROUP}/namespaces/{namespace}/{_plural(kind)}/{name}"


def _plural(kind: str) -> str:
    return f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"


class Sources:
    """`folder` is what is served; `address` is how the cluster calls it."""

    def __init__(self, api: Api, folder: Path, work: Path, address: str) -> None:
        self._api, self._folder, self._work, self._address = api, folder, work, address
        self._last: dict[str, float] = {}

    def look(self) -> None:
        """At all sources once: those of charts come before charts."""
        for kind in sorted(KNOWN, key=lambda each: each == "HelmChart"):
            for found in self._api.get(f"{_GROUP}/{_plural(kind)}")["items"]:
                self._follow({**found, "kind": kind})

    def _follow(self, source: Object) -> None:
        uid, now = source["metadata"]["uid"], time.monotonic()
        if source["metadata"].get("deletionTimestamp") or not is_due(source, now, self._last.get(uid, now)):
            self._last.setdefault(uid, now)
            return
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._last[uid] = now
        try:
            refuse_unknown(source)
            artifact = self._fetch(source)
        except SourceError as error:
            # Asked again soon, whatever the interval.
            self._last[uid] = now - interval(source) + _AGAIN_SECONDS
            self._write(source, failed(source, error, stamp), f"{error.reason}: {error}")
            return
        if artifact is None:
            self._write(source, ready(source, "Helm repository is an OCI registry", stamp), "needs no artifact")
            return
        path = self._folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(artifact.content)
        self._write(source, stored(source, artifact, self._address, stamp), artifact.revision)

    def _fetch(self, source: Object) -> Artifact | None:
        kind, spec = source["kind"], source["spec"]
        if kind == "GitRepository":
            return fetch.git(source, self._work)
        if kind == "OCIRepository":
            return fetch.oci(source)
        if kind == "HelmRepository":
            return None if spec.get("type") == "oci" else fetch.helm_repository(source)
        wanted, namespace = spec["sourceRef"], source["metadata"]["namespace"]
        repository = ""
        if wanted["kind"] == "HelmRepository":
            repository = self._source("HelmRepository", namespace, wanted["name"])["spec"]["url"]
        return fetch.helm_chart(source, self._content, repository)

    def _source(self, kind: str, namespace: str, name: str) -> Object:
        found = self._api.find(_path(kind, namespace, name))
        if found is None:
            raise SourceError("SourceUnavailable", f"no {kind} {namespace}/{name}")
        return found

    def _content(self, kind: str, namespace: str, name: str) -> bytes:
        artifact = self._source(kind, namespace, name).get("status", {}).get("artifact")
        if not artifact:
            raise SourceError("NoSourceArtifact", f"{kind} {namespace}/{name} has no artifact yet")
        return Path(self._folder, artifact["path"]).read_bytes()

    def _write(self, source: Object, status: Object, told: str) -> None:
        metadata = source["metadata"]
        path = f"{_path(source['kind'], metadata['namespace'], metadata['name'])}/status"
        try:
            self._api.call("PATCH", path, {"status": status}, _MERGE)
        except ApiError as error:
            # Gone meanwhile.
            if error.code != 404:
                raise
        say(f"{source['kind']} {metadata['namespace']}/{metadata['name']}: {told}")


def serve(folder: Path, host: str, port: int) -> None:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Not every file."""

    folder.mkdir(parents=True, exist_ok=True)
    server = http.server.ThreadingHTTPServer((host, port), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="what is served")
    parser.add_argument("--work", type=Path, required=True, help="copies of repositories")
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument("--address", required=True, help="of the served folder, as the cluster calls it")
    options = parser.parse_args()
    host, _colon, port = options.listen.rpartition(":")
    serve(options.folder, host, int(port))
    options.work.mkdir(parents=True, exist_ok=True)
    sources = Sources(Api(options.kubeconfig), options.folder, options.work, options.address)
    while True:
        try:
            sources.look()
        except (BenchError, OSError) as error:
            say(str(error))
        time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main()
