# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SOPS with age: for whom it encrypts, and what opens it."""

from __future__ import annotations

from collections.abc import Iterator

from ..age import wrong_recipients
from ..cluster import by_git
from ..cluster_secrets import kept_elsewhere
from ..plan import Settings
from ..problems import Problem


def age_recipients(settings: Settings) -> Iterator[Problem]:
    reasons = (
        ("langfuse_secrets_format is sops", settings["langfuse_secrets_format"] == "sops"),
        # Where others keep those that every instance has, the tree itself tells whether it has one.
        (
            "langfuse_target is gitops, which writes no secret in plain",
            by_git(settings) and not kept_elsewhere(settings, "langfuse_encryption_key"),
        ),
    )
    yield from wrong_recipients(
        settings["langfuse_age_recipients"], next((reason for reason, holds in reasons if holds), "")
    )


def age_identity_file(settings: Settings) -> Iterator[Problem]:
    name = "langfuse_age_identity_file"
    if settings[name] and not settings[name].startswith("/"):
        yield Problem(name, "is not an absolute path", "Write it like {{ inventory_dir }}/age.txt or ~/age.txt")


def instance_beside_sops(settings: Settings) -> Iterator[Problem]:
    if settings["langfuse_secrets_format"] == "sops" and settings.instance == "sops":
        yield Problem(
            "langfuse_instance", "is sops, a name that SOPS keeps to itself in its files", "Choose another name"
        )


RULES = (age_recipients, age_identity_file, instance_beside_sops)
