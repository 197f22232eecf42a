"""What is kept of the result of docker_compose_v2."""

from __future__ import annotations

from ansible_collections.llmops.langfuse.plugins.action import compose_apply


def test_actions_are_told_as_a_diff() -> None:
    actions = [
        {"what": "container", "id": "lf-valkey-1", "status": "Creating"},
        {"what": "network", "id": "lf_default", "status": "Creating"},
    ]
    assert compose_apply.told(actions) == [
        {"prepared": "container lf-valkey-1: Creating\nnetwork lf_default: Creating\n"}
    ]
    assert compose_apply.told([]) == []


def test_pages_are_left_out() -> None:
    long = {"changed": False, "failed": True, "msg": "General error: no such image", "containers": [1], "actions": []}
    assert compose_apply.shorten(long) == {"changed": False, "failed": True, "msg": "Docker Compose: no such image"}
