# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what was written into a checkout has been committed and pushed, and whether Flux has it. Asks Git, and changes nothing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from ..git import environment

UNCOMMITTED, UNPUSHED, UNFETCHED, OLD = "uncommitted", "unpushed", "unfetched", "old"
_TIMEOUT = 20
_COMMIT = re.compile(r"\b[0-9a-f]+$")
# Digits of a commit by the format of the repository's objects.
_DIGITS = {"sha1": 40, "sha256": 64}


class Checkout(NamedTuple):
    """Below the tree's path: ``changed`` files that no commit has, ``unpushed`` commits that the upstream branch has not, ``unfetched`` ones
    that Flux has not. ``known`` is whether the checkout knows the commit that Flux has. None where Git does not tell."""

    changed: Sequence[str] = ()
    unpushed: int | None = None
    unfetched: int | None = None
    known: bool = True


def look(directory: str, path: str, revision: str) -> Checkout | None:
    """revision: the commit that Flux has, like ``main@sha1:...``; "" where that is not known. None where there is no checkout."""
    if _git(directory, "rev-parse", "--git-dir") is None:
        return None
    status = _git(directory, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", path)
    changed = [line[3:] for line in (status or "").split("\0") if line]
    commit = _commit(directory, revision)
    known = not commit or _git(directory, "cat-file", "-e", f"{commit}^{{commit}}") is not None
    unfetched = _count(directory, f"{commit}..HEAD", path) if commit and known else None
    return Checkout(changed, _count(directory, "@{upstream}..HEAD", path), unfetched, known)


def _commit(directory: str, revision: str) -> str:
    """What of it may be a commit of this repository; "" where it is the digest of something else."""
    found = _COMMIT.search(revision)
    # Before Git 2.28 there was one format.
    digits = _DIGITS.get(_git(directory, "rev-parse", "--show-object-format") or "sha1", 40)
    return found[0] if found and len(found[0]) == digits else ""


def judge(found: Checkout | None, directory: str, path: str, fetching: str) -> list[dict[str, str]]:
    """Rows ``{object, code, what, cure}``. fetching: what has Flux look at its source at once. Pure."""
    if found is None:
        return []
    rows = []
    if found.changed:
        some = ", ".join(found.changed[:3]) + (", ..." if len(found.changed) > 3 else "")
        what = f"{len(found.changed)} files below {path} of {directory} are in no commit ({some})"
        rows.append((UNCOMMITTED, what, f"Look at them with git diff, commit and push: git -C {directory} add {path}"))
    if found.unpushed:
        what = f"{_commits(found.unpushed)} not been pushed ({path} of {directory})"
        rows.append((UNPUSHED, what, f"git -C {directory} push"))
    if not found.known:
        what = f"Flux has a commit that the checkout {directory} does not know"
        rows.append((OLD, what, f"git -C {directory} pull, and run site again"))
    elif found.unfetched and not found.unpushed:
        what = f"Flux has not fetched {found.unfetched} of the commits to {path}"
        # Without an upstream branch nobody knows whether they were pushed.
        pushed = "" if found.unpushed == 0 else "Push them where that is not done. "
        cure = f"{pushed}Have it look at once: {fetching}. It reads another branch where that does not help"
        rows.append((UNFETCHED, what, cure))
    return [{"object": directory, "code": code, "what": what, "cure": cure} for code, what, cure in rows]


def _commits(number: int) -> str:
    return "1 commit has" if number == 1 else f"{number} commits have"


def _count(directory: str, commits: str, path: str) -> int | None:
    said = _git(directory, "rev-list", "--count", commits, "--", path)
    return int(said) if said else None


def _git(directory: str, *words: str) -> str | None:
    """What Git says; None where it does not, or is not there."""
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            ["git", "-C", directory, *words],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
            env=environment(),
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip("\n") if done.returncode == 0 else None
