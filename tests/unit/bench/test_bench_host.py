from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import engine
from tests.bench.host import (
    HostNetwork,
    plan_link_cleanup,
    plan_mount_cleanup,
    plan_table_cleanup,
    save_snapshot,
)
from tests.bench.paths import Paths, find_paths

BEFORE = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:DOCKER-OLD - [0:0]
-A INPUT -p tcp --dport 22 -j ACCEPT
-A FORWARD -i docker0 -j ACCEPT
COMMIT
"""
AFTER = """\
# Generated
*filter
:INPUT ACCEPT [10:1000]
:FORWARD DROP [0:0]
:DOCKER-OLD - [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A INPUT -p tcp --dport 22 -j ACCEPT
-A FORWARD -i docker0 -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -o br-0123456789ab -j DOCKER
-A FORWARD -o br-mine -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE
COMMIT
"""


def test_cleanup_takes_only_what_the_engine_added() -> None:
    assert plan_table_cleanup(BEFORE, AFTER) == [
        ["-t", "filter", "-D", "FORWARD", "-j", "DOCKER-USER"],
        ["-t", "filter", "-D", "FORWARD", "-o", "br-0123456789ab", "-j", "DOCKER"],
        ["-t", "filter", "-D", "DOCKER-USER", "-j", "RETURN"],
        ["-t", "nat", "-D", "POSTROUTING", "-s", "172.17.0.0/16", "!", "-o", "docker0", "-j", "MASQUERADE"],
        ["-t", "filter", "-F", "DOCKER"],
        ["-t", "filter", "-F", "DOCKER-USER"],
        ["-t", "nat", "-F", "DOCKER"],
        ["-t", "filter", "-X", "DOCKER"],
        ["-t", "filter", "-X", "DOCKER-USER"],
        ["-t", "nat", "-X", "DOCKER"],
        ["-t", "filter", "-P", "FORWARD", "ACCEPT"],
    ]


def test_nothing_changed_needs_nothing() -> None:
    assert plan_table_cleanup(AFTER, AFTER) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["lo"], ["lo", "docker0", "br-0123456789ab", "br-lan", "eth1"], ["docker0", "br-0123456789ab"]),
        (["lo", "docker0"], ["lo", "docker0"], []),
    ],
)
def test_links(before: list[str], after: list[str], expected: list[str]) -> None:
    assert plan_link_cleanup(before, after) == expected


def test_mounts_go_from_the_deepest_up() -> None:
    mountinfo = "\n".join(
        f"36 35 98:0 /x {point} rw,noatime - ext4 /dev/root rw"
        for point in ("/c/docker", "/c/docker/a/merged", "/c/docker-other", "/c", "/c/docker", "/c/exec/netns/default")
    )
    assert plan_mount_cleanup(Path("/c/docker"), mountinfo) == ["/c/docker", "/c/docker/a/merged", "/c/docker"]


def test_a_pid_of_something_else_is_not_ours(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.bench.mkdir()
    assert engine.own_pid(paths) is None
    paths.pidfile.write_text("1\n")
    assert engine.own_pid(paths) is None
    paths.pidfile.write_text("rubbish")
    assert engine.own_pid(paths) is None


def test_down_leaves_a_foreign_engine_alone(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.bench.mkdir()
    paths.pidfile.write_text("1\n")
    assert engine.stop(paths) is False


@pytest.mark.parametrize("answers", [True, False])
def test_down_takes_nothing_from_an_engine_that_still_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    paths = Paths(tmp_path)
    paths.bench.mkdir()
    save_snapshot(paths.host_before, HostNetwork([], {}, "0"))
    restored: list[object] = []
    monkeypatch.setattr(engine, "succeeds", lambda words: answers)

    def restore(before: HostNetwork, roots: list[Path]) -> list[str]:
        restored.append(before)
        return []

    monkeypatch.setattr("tests.bench.host.restore", restore)
    engine.stop(paths)
    assert bool(restored) is not answers
    assert not paths.host_before.exists()


def test_cache_directory(tmp_path: Path) -> None:
    assert find_paths({"LANGFUSE_CACHE": str(tmp_path)}).bench == tmp_path / "bench"
    assert find_paths({}).cache == Path.home() / ".cache" / "llmops-langfuse"


def test_an_engine_that_shares_its_images_says_so_with_every_start(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.bench.mkdir()
    assert not any("containerd" in word for word in engine.command(paths, 1400))
    engine.share_images(paths)
    words = engine.command(paths, 1400)
    assert f"--containerd={tmp_path}/bench/cluster/containerd.sock" in words
    assert "--containerd-namespace=k8s.io" in words
    assert engine.shares_images(paths)
    engine.stop(paths)
    assert not engine.shares_images(paths)
