"""Tasks broken on purpose, as loud as Ansible can be: no secret in what they say, in command lines, or in what is left in the cluster."""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster.place import Place, Site
from tests.integration.cluster.running import LAYOUT
from tests.integration.host.machine import play
from tests.molecule import canary
from tests.molecule.playbook import LOUD

pytestmark = [pytest.mark.engine]
PLAYBOOK = Path(__file__).parent / "playbooks" / "apply.yml"

GIVEN: dict[str, Any] = {**canary.CLUSTERS.values, **canary.COMPANIONS}


def shown(text: str) -> list[str]:
    """Lines with a canary, also one in Base64, wherever in it."""
    found = canary.CLUSTERS.found_in(text)
    for token in set(re.findall(r"[A-Za-z0-9+/]{12,}={0,2}", text)):
        for start in range(4):
            part = token[start:]
            decoded = base64.b64decode(part[: len(part) // 4 * 4]).decode(errors="replace")
            found += [f"Base64 {token[:40]}" for word in canary.CLUSTERS.words if word in decoded]
    return found


def left_in(place: Place) -> str:
    """All objects of the namespace and its events, managers of fields included; of Secrets all but their data."""
    kinds = place.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    kinds = [kind for kind in kinds if not kind.endswith(("metrics.k8s.io", "acme.cert-manager.io"))]
    found = json.loads(place.kubectl("get", ",".join(kinds), "--output=json", "--show-managed-fields"))["items"]
    assert {"Secret", "Event", "StatefulSet"} <= {one["kind"] for one in found}
    return json.dumps([{**one, "data": None} if one["kind"] == "Secret" else one for one in found], indent=0)


def test_a_run_that_fails_on_the_way_shows_nothing(site: Site) -> None:
    place = site.place
    place.make_namespace()
    # No pod fits, so that the first wave is written and gives up.
    limit = {"type": "Container", "max": {"memory": "16Mi"}}
    metadata = {"name": "small", "namespace": place.owner.namespace}
    rules = {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": [limit]}}
    place.running.api.apply([rules])
    with canary.CLUSTERS.watched_processes() as processes:
        run = site.play("site", *LOUD, fails=True, **GIVEN)
    run.mentions("do not fit a LimitRange", "langfuse_kubernetes_resources")
    assert not shown(run.output) and not processes
    assert not shown(left_in(place))
    words = "{{range .items}}{{range .data}}{{base64decode .}}{{end}}{{end}}"
    assert canary.CLUSTERS.found_in(place.kubectl("get", "secrets", f"--output=go-template={words}"))


def test_a_secret_that_the_server_does_not_take_is_told_by_its_name(site: Site) -> None:
    site.place.make_namespace()
    patch = {"kind": "Secret", "name": "langfuse-credentials", "patch": {"type": "kubernetes.io/dockerconfigjson"}}
    run = site.play("preflight", *LOUD, fails=True, langfuse_kubernetes_patches=[patch], **GIVEN)
    run.mentions("does not take Secret langfuse-credentials", "Look at langfuse_kubernetes_patches")
    assert not shown(run.output)


@pytest.mark.parametrize(
    "broken",
    [
        {"metadata": None},
        {"metadata": {"name": "a", "namespace": ["Warbler"]}},
        {"kind": ["Warbler"]},
        {"kind": "Deployment", "apiVersion": "apps/v1", "spec": "Warbler"},
    ],
)
def test_modules_that_break_say_nothing(place: Place, tmp_path: Path, broken: dict[str, Any]) -> None:
    metadata = {"name": "a", "namespace": place.owner.namespace, "labels": place.owner.labels}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a": "Warbler"}}
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "documents": [{"object": {**secret, **broken}, "wave": 1}],
        "given_instance": "lf",
        "place": place.owner.namespace,
        "given_kubeconfig": str(LAYOUT.kubeconfig),
    }
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": variables}}}))
    run = play(inventory, str(PLAYBOOK), *LOUD, fails=True)
    assert not shown(run.output), run.output[-3000:]
