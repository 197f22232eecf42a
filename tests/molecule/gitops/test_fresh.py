"""A checkout that has nothing of the instance: the check is the diff that it would make, and leaves nothing behind."""

from __future__ import annotations

from tests.molecule import playbook
from tests.molecule.gitops.instance import TREE, GitopsInstance, git
from tests.molecule.kubernetes.instance import api


def test_check_is_the_diff_that_it_would_make(cluster: GitopsInstance) -> None:
    before = api().get(cluster.path("configmaps"))["metadata"]["resourceVersion"]
    checked = playbook.check(cluster)
    checked.mentions(
        f"+++ after: b/{TREE}/ks.yaml",
        f"{TREE}/app/secret.sops.yaml",
        "kind: Deployment",
        f"name: {cluster.name}-migrate",
    )
    assert checked.changed == 1
    assert git("status", "--porcelain", "--ignored") == ""
    assert not cluster.tree.exists()
    assert not cluster.secrets_file.exists()
    assert cluster.objects() == [], f"something was applied since {before}"
