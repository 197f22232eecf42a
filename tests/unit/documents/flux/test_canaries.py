"""Every secret of the contract has a canary, and none flies outside of the files that are encrypted."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.llmops.langfuse.plugins.filter.flux_tree import flux_tree
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.flux.tree import tree

from tests.molecule import canary

from ...settings.gitops_cases import REPOSITORY
from ..kubernetes.support import derived
from ..kubernetes.test_canaries import CASES as OF_CLUSTER
from ..kubernetes.test_canaries import canaries
from .support import CHART, PLAIN

_NEIGHBOURS = {"litellm_enabled": True, "network_policies_enabled": True}
CASES: dict[str, dict[str, Any]] = {
    f"{name}-{flavour}": {**given, **REPOSITORY, **_NEIGHBOURS, **more}
    for name, given in OF_CLUSTER.items()
    for flavour, more in (("flux", {}), ("plain", PLAIN), ("chart", CHART))
}
EACH = pytest.mark.parametrize("given", CASES.values(), ids=CASES)


def test_each_secret_of_the_contract_is_planted() -> None:
    planted = {name for given in CASES.values() for name in given if given[name] == canary.EVERY.get(name)}
    assert planted == canary.secret_names()


@EACH
def test_none_is_in_a_file_that_is_not_encrypted(given: dict[str, Any]) -> None:
    result = derived(given)
    alive = 0
    for document in tree(result.plan, result.secrets):
        found = canaries(document.object)
        assert document.path.endswith(".sops.yaml") is document.sensitive
        assert document.sensitive or not found, document.path
        if document.sensitive:
            alive += len(found)
            # SOPS encrypts `data` alone: what is beside it anybody reads.
            assert not canaries([{**one, "data": None} for one in document.object]), document.path
    assert alive >= 5


@EACH
def test_none_is_in_the_name_of_a_file_or_in_what_is_told(given: dict[str, Any]) -> None:
    result = derived(given)
    assert not canaries([one.path for one in tree(result.plan, result.secrets)])
    assert not canaries(result.plan)
    for part in ("env", "images", "endpoints", "gitops"):
        with pytest.raises(AnsibleFilterError) as error:
            flux_tree({**result.plan, part: {}}, result.secrets)
        assert not canaries(str(error.value)) and error.value.__cause__ is None


@EACH
def test_no_bare_hash_of_one_leaves_its_secret(given: dict[str, Any]) -> None:
    """A repository is read by many, and kept for ever."""
    result = derived(given)
    text = json.dumps([one.object for one in tree(result.plan, result.secrets) if not one.sensitive])
    for name, value in result.secrets.items():
        for algorithm in ("md5", "sha1", "sha256"):
            digest = hashlib.new(algorithm, value.encode(), usedforsecurity=False).hexdigest()
            assert digest[:16] not in text, (name, algorithm)
