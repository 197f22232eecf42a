# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What runs an instance, and from where it is applied."""

    DOCUMENTATION = r"""
options:
  runtime:
    description: Where the containers' states and logs can be read when something is broken.
    type: dict
    suboptions:
      kind:
        description: Kind of runtime. V(kubernetes) is in O(cluster).
        type: str
        choices: [compose, kubernetes]
        default: compose
      project:
        description: Name of the Compose project, or of the instance in O(cluster).
        type: str
        required: true
      namespace:
        description: Namespace of the instance in O(cluster).
        type: str
      joined:
        description: The Compose project of others whose stores the application uses, to say so when it is down.
        type: dict
        suboptions:
          project: {description: Name of the project., type: str, required: true}
          services: {description: Its services that are used., type: list, elements: str, default: []}
      docker:
        description: The command.
        type: str
        default: docker
      log_lines:
        description: How many of the last lines of each container are read.
        type: int
        default: 400
  gitops:
    description:
      - What others apply from Git (C(langfuse_target=gitops)). Then the hop C(gitops) looks whether what was written is committed, pushed and
        applied. Needs O(cluster) and O(runtime.namespace), and Git for what is said of O(gitops.directory).
      - It is broken where something keeps Flux from applying the tree. Changes that nobody committed, that are on their way or that
        somebody held up break nothing.
    type: dict
    suboptions:
      directory:
        description: Root of the checkout. Without it, or where it is none, commits are not looked at.
        type: str
      path:
        description: Directory of the instance in it.
        type: str
        required: true
      namespace:
        description: Namespace of the Kustomizations of Flux.
        type: str
        default: flux-system
      kustomizations:
        description: Names of the Kustomizations, in the order in which they are applied. Without any it is not Flux who applies the tree.
        type: list
        elements: str
        default: []
      source:
        description: Flux's source that has the tree, with C(kind), C(namespace) and C(name).
        type: dict
      decryption_secret:
        description: Name of the Secret with which Flux decrypts.
        type: str
        default: sops-age
"""
