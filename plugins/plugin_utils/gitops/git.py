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
from ..settings.problems import Problem

VARIABLE = "langfuse_gitops_directory"


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
        """Which of the last commit and the branch that it follows have anything below `path`."""
        return [
            name
            for name, ref in (("the last commit", "HEAD"), ("the branch it follows", "@{upstream}"))
            if self._has(ref, path)
        ]

    def _has(self, ref: str, path: str) -> bool:
        try:
            return bool(self._paths("ls-tree", "-r", "-z", "--name-only", ref, "--", path))
        except GitFailed:
            # No commit yet, or no branch to follow.
            return False

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
