# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Git says of a checkout. It is only asked: nothing is added, committed or pushed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...module_utils.git import environment
from ..documents.document import HEADER
from ..settings.problems import Problem
from . import record as records

VARIABLE = "langfuse_gitops_directory"
# One of the holders, where nobody knows what was pushed.
NO_UPSTREAM = "a branch that was pushed before, for all that is known: the one here follows none of a remote"
# What of a tree others name.
_ENTRIES = ("ks.yaml", "kustomization.yaml")


class GitFailed(Exception):
    """Git ended with an error; the message is the first line of what it said."""


class Checkout:
    """The checkout whose root is `directory`."""

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory)

    def unfit(self) -> list[Problem]:
        """Why nothing can be written into it, whatever that is."""
        return list(self._unfit())

    def _unfit(self) -> Iterator[Problem]:
        where = f"is {self.directory}"
        if not self.directory.is_dir():
            yield Problem(
                VARIABLE, f"{where}, which is no directory", "Clone the repository to there, or write its path"
            )
            return
        try:
            root = os.path.realpath(self._git("rev-parse", "--show-toplevel").rstrip("\n"))
        except FileNotFoundError:
            yield Problem("git", "is missing on the controller", "Install it")
            return
        except GitFailed as failed:
            if "dubious ownership" in str(failed):
                cure = f"Run as its owner, or: git config --global --add safe.directory {self.directory}"
                yield Problem(VARIABLE, f"{where}, a checkout of another user, which Git does not touch", cure)
            else:
                yield Problem(VARIABLE, f"{where}, which is no Git checkout", "Write the root of one, or: git init")
            return
        if root != os.path.realpath(self.directory):
            yield Problem(VARIABLE, f"{where}, a folder inside a checkout", f"Write its root, {root}")
        elif unmerged := self._paths("diff", "--no-ext-diff", "--name-only", "--diff-filter=U", "-z"):
            more = f" and {len(unmerged) - 3} more" if len(unmerged) > 3 else ""
            yield Problem(
                VARIABLE,
                f"{where}, a checkout in the middle of a merge, with conflicts in {', '.join(unmerged[:3])}{more}",
                "Resolve them, or: git merge --abort",
            )

    def uncommitted(self, path: str) -> frozenset[str]:
        """Files below `path` that are not as they were committed last, or not committed at all."""
        lines = self._paths(
            "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignored=no", "--", path
        )
        return frozenset(line[3:] for line in lines)

    def uncommitted_removals(self, path: str) -> frozenset[str]:
        """Files below `path` that are not there any more and are in the last commit, or in the next."""
        lines = self._paths("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no", "--", path)
        return frozenset(line[3:] for line in lines if "D" in line[:2])

    def ignored(self, paths: Iterable[str]) -> list[str]:
        """Those of `paths` that Git would never commit."""
        words = "\0".join(paths)
        return sorted(self._paths("check-ignore", "-z", "--stdin", words=words, fine=(0, 1)))

    def committed(self, path: str) -> bytes | None:
        """The file as it was committed last."""
        try:
            return self._ask("cat-file", "blob", f"HEAD:{path}")
        except GitFailed:
            # No commit yet, or it has no such file.
            return None

    def committed_named(self, name: str) -> list[str]:
        """Paths of all files of this name in the last commit."""
        try:
            paths = self._paths("ls-tree", "-r", "-z", "--name-only", "HEAD")
        except GitFailed:
            return []
        return [path for path in paths if path.rpartition("/")[2] == name]

    def named(self, name: str) -> list[str]:
        """Paths of all files of this name that are, or could be, committed."""
        return self._paths("ls-files", "-z", "-c", "-o", "--exclude-standard", "--", f":(glob)**/{name}")

    def tracks(self, path: str) -> bool:
        """Whether Git knows anything below `path`, so that it can move that."""
        return bool(self._paths("ls-files", "-z", "--", path))

    def holders(self, path: str) -> list[str]:
        """Where the tree at `path` still is, or may be, so that somebody applies it: the last commit, the branch that it follows, and what
        the remotes hold for their main branch. They are as they were fetched last."""
        upstream = self._said("rev-parse", "--symbolic-full-name", "@{upstream}")
        places = [("the last commit", "HEAD"), ("the branch it follows", upstream)]
        places += [(ref.removeprefix("refs/remotes/"), ref) for ref in self._mains() if ref != upstream]
        found = [name for name, ref in places if ref and self._has(ref, path)]
        pushed = upstream.startswith("refs/remotes/") or not self._said("remote")
        return found if pushed else [*found, NO_UPSTREAM]

    def _mains(self) -> list[str]:
        """Branches that the remotes call their main ones."""
        heads = self._git("for-each-ref", "--format=%(symref)", "refs/remotes/*/HEAD")
        return [ref for ref in heads.splitlines() if ref]

    def _has(self, ref: str, path: str) -> bool:
        """Whether it has the tree's record, or a file from which the tree is applied. What others keep beside them does not count."""
        if not self._said("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"):
            # No commit yet.
            return False
        if self._paths("ls-tree", "-z", "--name-only", ref, "--", f"{path}/{records.NAME}"):
            return True
        entries = [f"{path}/{name}" for name in _ENTRIES]
        # 1 is for none.
        return bool(self._git("grep", "--fixed-strings", "-l", "-e", HEADER, ref, "--", *entries, fine=(0, 1)))

    def _said(self, *words: str) -> str:
        """Empty where Git has no answer, as of a branch that follows none."""
        try:
            return self._git(*words).strip()
        except GitFailed:
            return ""

    def _paths(self, *words: str, **options: object) -> list[str]:
        return [path for path in self._git(*words, **options).split("\0") if path]  # type: ignore[arg-type]

    def _git(self, *arguments: str, words: str = "", fine: tuple[int, ...] = (0,)) -> str:
        return os.fsdecode(self._ask(*arguments, words=os.fsencode(words), fine=fine))

    def _ask(self, *arguments: str, words: bytes = b"", fine: tuple[int, ...] = (0,)) -> bytes:
        done = subprocess.run(
            ["git", "-C", str(self.directory), *arguments],
            env=environment(),
            input=words,
            capture_output=True,
            check=False,
        )
        if done.returncode not in fine:
            raise GitFailed(os.fsdecode(done.stderr).partition("\n")[0])
        return done.stdout
