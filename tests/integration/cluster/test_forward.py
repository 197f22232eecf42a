"""Services of a real cluster by their own names and ports, through the API server."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import resolver
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.forward import Forwards, reached
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.rights import needed, roles

from tests.integration.cluster.place import Place
from tests.integration.cluster.running import LAYOUT, Namespace
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine]


def _size(url: str) -> int:
    """Of the answer; 0 when nothing answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=30) as answer:
            return len(answer.read())
    except OSError:
        return 0


def test_a_service_is_reached_by_its_own_name_and_port(namespace: Namespace) -> None:
    namespace.web("web")
    host = f"web.{namespace.name}.svc.cluster.local"
    assert _size(f"http://{host}/") == 0
    forwards = Forwards(Cluster(str(LAYOUT.kubeconfig)), "cluster.local")
    with contextlib.closing(forwards), resolver.known({}, lambda: forwards):
        assert _size(f"http://{host}/") > 0
        with ThreadPoolExecutor(8) as many:
            assert len(set(many.map(_size, [f"http://{host}/"] * 24))) == 1
        # A pod that is made anew is found again.
        namespace.running.kubectl("delete", "pod", f"--namespace={namespace.name}", "--selector=app=web", "--now")
        wait_until("the next pod answers", lambda: _size(f"http://{host}/") > 0, 60)
        assert _size(f"http://nothing.{namespace.name}.svc.cluster.local/") == 0
        address = forwards.get(host)
    assert _size(f"http://{address}/") == 0


@pytest.mark.parametrize("verb", ["get", "create"])
def test_an_account_reaches_it_with_the_printed_rights_and_no_less(place: Place, verb: str) -> None:
    place.make_namespace()
    namespace = place.owner.namespace
    Namespace(place.running, namespace).web("web")
    token = place.kubectl("create", "token", "default").strip()
    path = place.account(lambda content: content["users"][0].update(user={"token": token}))
    rights = needed([], place.owner, [namespace])
    fewer = [
        one._replace(verbs=tuple({*one.verbs} - {verb})) if one.resource == "pods/portforward" else one
        for one in rights
    ]

    def outcome() -> str:
        """What is told, or the size of the answer."""
        try:
            with reached(path, None, "cluster.local"):
                return str(_size(f"http://web.{namespace}.svc.cluster.local/"))
        except Failure as failure:
            return f"{failure.message} {failure.cure}"

    for role in roles(fewer, place.owner):
        place.bind(role)
    told = f"The account may not reach pods in {namespace} through the API server. Give it create and get on"
    wait_until(told, lambda: outcome().startswith(told))
    for role in roles(rights, place.owner):
        place.bind(role)
    wait_until("an answer", lambda: outcome().isdigit() and int(outcome()) > 0)
