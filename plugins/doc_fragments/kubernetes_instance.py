# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The instance whose objects a module handles, and the cluster that has them."""

    DOCUMENTATION = r"""
options:
  instance:
    description: Name of the instance. Its objects have it as the label C(app.kubernetes.io/instance).
    type: str
    required: true
  namespace:
    description: Namespace of the instance. Its objects have it as the label C(llmops.langfuse/namespace).
    type: str
    required: true
  kubeconfig:
    description:
      - File with the address of the cluster and the account. Without it C($KUBECONFIG), then C(~/.kube/config).
      - Where there is none of them, and the module runs in a pod, it is the pod's own account.
    type: path
  context:
    description: Context in the kubeconfig. Without it its current one.
    type: str
requirements:
  - kubernetes
"""
