# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The cluster whose Services a module reaches."""

    DOCUMENTATION = r"""
options:
  cluster:
    description:
      - The cluster that the application runs in. Services are reached through its API server, by their names and their own ports,
        where these names do not resolve here.
      - Needs the library kubernetes, and Linux.
    type: dict
    suboptions:
      kubeconfig:
        description: File with the address of the cluster and the account, as for M(llmops.langfuse.kubernetes_apply).
        type: path
      context:
        description: Context in the kubeconfig. Without it its current one.
        type: str
      domain:
        description: Domain under which the cluster's DNS knows its Services.
        type: str
        default: cluster.local
      namespace:
        description: Namespace of the application, in which names without one are looked for, and Secrets.
        type: str
"""

    SECRETS = r"""
options:
  from_secrets:
    description:
      - Options whose values are read from Secrets of O(cluster), each with C(name) of the Secret and C(key) in it. Nothing else of the Secret
        is used, and the value is hidden as any other.
    type: dict
    default: {}
"""
