"""Services of a real cluster by their own names and ports, through the API server."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import resolver
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.forward import Forwards

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
