"""A committed tree may have been applied: what its stores have become since is not lost by another setting."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import Document

from tests.integration.gitops.checkout import PATH, Runs, documents
from tests.integration.gitops.site import Site

PLACES, POSTGRESQL, VALKEY = (f"{PATH}/app/{name}.yaml" for name in ("store-places", "postgresql", "valkey"))


def _object(kind: str, namespace: str, **content: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": "store-places"} if kind == "ConfigMap" else {}
    about = {"name": f"langfuse-{kind.lower()}", "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": kind, "metadata": about, **content}


def _stores(
    redis: str = "bundled",
    version: str = "17.5",
    size: str = "10Gi",
    namespace: str = "ai-system",
    storage_class: str = "fast",
) -> list[Document]:
    """The small tree, with where data is, a PostgreSQL and the volumes of another store."""
    places = _object("ConfigMap", namespace, data={"postgres": "cnpg/langfuse", "redis": redis})
    cluster = {"imageName": f"ghcr.io/cloudnative-pg/postgresql:{version}", "storage": {"size": size}}
    claim = {"spec": {"storageClassName": storage_class, "resources": {"requests": {"storage": "2Gi"}}}}
    volumes = _object("StatefulSet", namespace, spec={"volumeClaimTemplates": [claim]})
    more = [(PLACES, places), (POSTGRESQL, _object("Cluster", namespace, spec=cluster)), (VALKEY, volumes)]
    return documents() + [Document(path, "yaml_all", [one]) for path, one in more]


OTHERS = [
    (_stores(redis="redis.example.com:6379 langfuse:"), ("The data of redis is at bundled", "moved_stores: [redis]")),
    (_stores(version="18.1"), ("has data of PostgreSQL 17, and the image is of 18", "langfuse_postgres_version")),
    (_stores(size="5Gi"), ("has volumes of 10Gi, which cannot shrink to 5Gi", "langfuse_postgres_storage: 10Gi")),
    (_stores(storage_class="slow"), ("has volumes of the storage class fast", "langfuse_storage_class: fast again")),
    (
        _stores(namespace="other"),
        (
            f"langfuse_kubernetes_namespace: is other, and {PATH} in the last commit has its data in ai-system",
            "Write ai-system again",
        ),
    ),
]
IDS = ["place", "version", "size", "class", "namespace"]


@pytest.mark.parametrize(("wanted", "words"), OTHERS, ids=IDS)
def test_what_stores_cannot_become_is_told(runs: Runs, wanted: list[Document], words: tuple[str, ...]) -> None:
    runs.apply(_stores())
    runs.repository.commit()
    assert runs.problems(_stores(version="17.9")) == []
    (problem,) = runs.problems(wanted)
    assert all(word in problem for word in words), problem


@pytest.mark.parametrize("wanted", [wanted for wanted, _words in OTHERS], ids=IDS)
def test_before_the_first_commit_one_may_change_one_s_mind(runs: Runs, wanted: list[Document]) -> None:
    runs.apply(_stores())
    assert runs.apply(wanted).changed


def test_a_working_tree_does_not_hide_what_was_committed(runs: Runs) -> None:
    """A file that is gone, changed by somebody, or new in the index only."""
    runs.apply(_stores())
    runs.repository.commit()
    (runs.repository.root / PLACES).unlink()
    assert "The data of redis is at bundled" in runs.problems(OTHERS[0][0])[0]
    runs.repository.git("add", "--all")
    assert "The data of redis is at bundled" in runs.problems(OTHERS[0][0])[0]


def test_stores_that_were_moved_are_let_through(runs: Runs) -> None:
    runs.apply(_stores())
    runs.repository.commit()
    runs.moved = ["postgres"]
    assert "The data of redis" in runs.problems(OTHERS[0][0])[0]
    assert "langfuse_moved_stores: [postgres, redis]" in runs.problems(OTHERS[-1][0])[0]
    runs.moved = ["redis", "postgres"]
    assert runs.problems(OTHERS[-1][0]) == []
    assert runs.apply(OTHERS[0][0]).changed
    runs.repository.commit()
    runs.moved = []
    assert runs.problems(OTHERS[0][0]) == []


@pytest.mark.parametrize("text", ["a: [", "- 1\n---\nkind: Cluster\n", "kind: ConfigMap\nmetadata: {name: 1, x: y}\n"])
def test_what_a_hand_wrote_says_nothing(runs: Runs, text: str) -> None:
    runs.apply(_stores())
    runs.repository.write(PLACES, text)
    runs.repository.write(POSTGRESQL, runs.repository.read(POSTGRESQL).replace("10Gi", "[]"))
    runs.repository.commit()
    assert runs.problems(OTHERS[0][0]) == []


def test_a_tree_on_its_way_to_another_path_is_known(runs: Runs) -> None:
    runs.apply(_stores())
    runs.repository.commit()
    runs.repository.git("mv", PATH, f"{PATH}-2")
    runs.path = f"{PATH}-2"
    wanted = [
        Document(one.path.replace(PATH, runs.path), one.form, one.object, sensitive=one.sensitive)
        for one in OTHERS[0][0]
    ]
    (problem,) = runs.problems(wanted)
    assert f"has {PATH} in the last commit" in problem and "The data of redis is at bundled" in problem


def test_site_refuses_another_place_until_it_is_said_to_have_moved(site: Site) -> None:
    site.play("site")
    site.repository.commit()
    before = site.repository.files()
    other = {
        "langfuse_redis_source": "existing",
        "langfuse_redis_host": "r.example.com",
        "langfuse_redis_password": "x",
    }
    for playbook in ("preflight", "site"):
        run = site.play(playbook, fails=True, more={**other, "langfuse_postgres_version": "18.1"})
        run.mentions("The data of redis is at bundled", "langfuse_moved_stores: [redis]", "has data of PostgreSQL 17")
    assert site.repository.files() == before
    assert site.play("site", more={**other, "langfuse_moved_stores": ["redis"]}).changed
