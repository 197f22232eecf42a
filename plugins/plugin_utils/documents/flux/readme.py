# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the tree for people: how it is applied, and what is in `docs`."""

from __future__ import annotations

from collections.abc import Sequence

from ...settings.gitops import FLUX
from ..document import Document
from ..kubernetes.manifest import Plan
from .fragments import FOLDER, Fragment


def readme(plan: Plan, fragments: Sequence[Fragment], secret: bool) -> Document:
    """The page. It holds no secret. secret: whether there are any in the tree."""
    gitops, namespace = plan["gitops"], plan["kubernetes"]["namespace"]
    parts = [f"# {plan['instance']} in {namespace}", f"{plan['url']}, Langfuse {plan['versions']['langfuse']}."]
    parts += _by_flux(plan, secret) if gitops["flavour"] == FLUX else _by_others(plan, secret)
    if fragments:
        parts += [
            "## For other applications of the cluster",
            "Nothing applies these files from here. Take over what your platform does not have yet.",
            "\n".join(f"* `{one.document.path.rpartition('/')[2]}`: {one.use}" for one in fragments),
        ]
    return Document(f"{FOLDER}/README.md", "text", "\n\n".join(parts) + "\n")


def _by_flux(plan: Plan, secret: bool) -> list[str]:
    gitops = plan["gitops"]
    namespace, key = gitops["namespace"], gitops["decryption_secret"]
    decryption = [
        f"Secrets are encrypted for age. Before the first commit {namespace} needs the Secret {key} with an identity:",
        f"    kubectl -n {namespace} create secret generic {key} --from-file=age.agekey=FILE-WITH-THE-IDENTITY",
    ]
    return [
        "## How Flux applies it",
        f"Name `./{gitops['path'].rpartition('/')[2]}` among the `resources` of the `kustomization.yaml` beside this "
        f"directory. That gives Flux the Kustomizations of `ks.yaml` in {namespace}: stores and secrets, then the "
        "migration, then the application, each once the one before is ready.",
        *(decryption if secret else []),
        "A Job of a migration that failed stays, and what is behind it waits. When its cause is mended, remove that Job: "
        "Flux makes it anew.",
        "What holds data or keys is never pruned: remove it with `kubectl delete` when it may go.",
    ]


def _by_others(plan: Plan, secret: bool) -> list[str]:
    path = plan["gitops"]["path"]
    namespace = [f"kubectl apply --server-side -f {path}/app/namespace.yaml"]
    decrypted = [f"sops decrypt {path}/app/secret.sops.yaml | kubectl apply --server-side -f -"]
    commands = [
        *(namespace if secret and plan["kubernetes"]["create_namespace"] else []),
        *(decrypted if secret else []),
        f"kubectl apply --server-side -k {path}",
    ]
    decryption = [
        "Argo CD decrypts with a plugin only: with KSOPS, give an overlay of your own this directory as a resource, and a "
        "generator of the kind `ksops` that has `app/secret.sops.yaml` among its `files`.",
    ]
    return [
        "## How it is applied",
        "Secrets are encrypted with SOPS for age, and `kustomization.yaml` does not name them. They come first:"
        if secret
        else "From the root of the repository:",
        "\n".join(f"    {command}" for command in commands),
        "kubectl waits for nothing: a migration that came before its stores tries again for half an hour, and web and workers become ready "
        "once it is done. When its Job has given up (`kubectl get jobs`), mend the cause, remove that Job, and apply again.",
        "Argo CD applies the objects in the order of their sync waves and waits between them. Its Application is called "
        f"{plan['instance']}, or tracks by annotation: the label app.kubernetes.io/instance is how the objects are found.",
        *(decryption if secret else []),
        "What holds data or keys is never pruned by Argo CD: remove it with `kubectl delete` when it may go.",
    ]
