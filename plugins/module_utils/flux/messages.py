# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Flux says in its conditions, and what to do about it. Pure.

Reasons and messages are those of kustomize-controller 1.7, helm-controller 1.6 and source-controller 1.9; an unknown one is
told as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class Said(NamedTuple):
    """``code`` is what a rule is about. ``cure`` has names in braces: ``name``, ``namespace``, ``secret``, ``path``."""

    code: str
    cure: str


# (what the message has, or "" for any, what it means)
_Table = Sequence["tuple[str, Said]"]

_WRITE = "run site, commit and push"
_ANEW = f"{_WRITE[0].upper()}{_WRITE[1:]}: it writes its own files anew"
_BUILD: _Table = (
    (
        r'^secrets? "[^"]+" not found',
        Said(
            "decryption",
            "Give Flux the identity: kubectl create secret generic {secret} -n {namespace} --from-file=age.agekey=<file with the identity>",
        ),
    ),
    (
        r"failed to import '|no identities specified|no identity could be loaded",
        Said(
            "decryption",
            "The Secret {secret} of {namespace} needs a key that ends in .agekey, with a line AGE-SECRET-KEY-1... in it; mend that key and leave others",
        ),
    ),
    (
        r"no identity matched|data key",
        Said(
            "decryption",
            "The identity in the Secret {secret} of {namespace} opens none of it. Write its public key into langfuse_age_recipients, or give the right one a "
            f"Secret of its own and name that in langfuse_gitops_decryption_secret; {_WRITE}",
        ),
    ),
    (
        r"data integrity|decrypting sops tree|could not decrypt value",
        Said("decryption", f"A file was changed after it had been encrypted. {_ANEW}"),
    ),
    (r"decrypt|sops", Said("decryption", "Look at the Secret {secret} of {namespace} and at langfuse_age_recipients")),
    (
        r"post build failed|substitut",
        Said(
            "build",
            "Look at langfuse_gitops_substitute_from: what it names has to be in {namespace}, with every name that is used",
        ),
    ),
    (r"no such file or directory|not a valid directory", Said("build", f"A file is missing in Git. {_ANEW}")),
    (r"yaml|json|unmarshal|decode", Said("build", f"A file is no YAML, mostly after a merge. {_ANEW}")),
    ("", Said("build", _ANEW)),
)
_ARTIFACT: _Table = (
    (
        r"path not found|no such file",
        Said("path", "Commit and push {path}, or correct langfuse_gitops_path and the branch of the source"),
    ),
    ("", Said("source", "Look at the source of the Kustomization and at source-controller")),
)
_APPLY: _Table = (
    (
        r"healthCheckExprs",
        Said("refused", "Upgrade Flux: the tree needs 2.5 or newer"),
    ),
    (
        r"configuring decryption is required",
        Said("decryption", f"The Kustomization does not decrypt. {_ANEW}, its ks.yaml too"),
    ),
    (
        r"no matches for kind",
        Said(
            "refused",
            "Install the operator of that kind, and name its Kustomization in langfuse_gitops_dependencies so that it comes first; or switch off "
            "what needs it",
        ),
    ),
    (
        r"field is immutable|is immutable|updates to statefulset spec|can not be less than",
        Said(
            "refused",
            "It cannot be changed that way: set the value back; data has to be moved to an object of another name first",
        ),
    ),
    (
        r"exceeded quota",
        Said("refused", "Have the quota raised, or write less (langfuse_size, sizes of volumes)"),
    ),
    (
        r"failed calling webhook",
        Said("refused", "Look at the pods of the operator behind that webhook"),
    ),
    (
        r"violates podsecurity|denied the request|denied request",
        Said(
            "refused",
            "A rule of the cluster forbids it: take out of langfuse_kubernetes_patches what it is about, or ask who keeps that rule",
        ),
    ),
    (
        r"cannot (get|list|watch|create|update|patch|delete|impersonate) resource",
        Said("refused", "Give the account with which Flux applies that right"),
    ),
    (
        r'namespaces? "[^"]+" not found|namespace not specified',
        Said("refused", "Write langfuse_kubernetes_create_namespace: true, or make the namespace first"),
    ),
    (
        r"field not declared in schema|unknown field|strict decoding",
        Said(
            "refused",
            "Upgrade the operator of that kind, or look at langfuse_kubernetes_patches",
        ),
    ),
    ("", Said("refused", "Look at langfuse_kubernetes_patches and at the log of kustomize-controller")),
)
_DENIED: _Table = (
    ("", Said("refused", "Flux is told not to read sources of other namespaces: put the source into {namespace}")),
)
_PRUNE: _Table = (("", Said("prune", "Look at what keeps it: a finalizer, a webhook, or a right that Flux has not")),)
_HEALTH: _Table = (("", Said("health", "Mend what is named there; Flux tries again by itself")),)
_KUSTOMIZATION = {
    "BuildFailed": _BUILD,
    "ArtifactFailed": _ARTIFACT,
    "ReconciliationFailed": _APPLY,
    "PruneFailed": _PRUNE,
    "HealthCheckFailed": _HEALTH,
    "AccessDenied": _DENIED,
}
_SOURCE: _Table = (
    (
        r"authenti|authoriz|permission denied|handshake failed|knownhosts|host key|invalid username or password|\b40[13]\b|publickey",
        Said("source", "Look at the Secret that the {kind} names (secretRef): the login is refused or not given"),
    ),
    (
        r"couldn't find remote ref|reference not found|not found in remote|manifest unknown|unknown revision",
        Said("source", "Look at the branch or tag of the {kind}: the repository has none of that name"),
    ),
    (
        r"no such host|i/o timeout|connection refused|timed? ?out|deadline exceeded|no route to host",
        Said("source", "Look at the address of the {kind}, and at the way to it out of the namespace of Flux"),
    ),
    (
        r"signature|verif",
        Said("source", "Look at the keys with which the {kind} verifies commits: this one is not signed by them"),
    ),
    ("", Said("source", "Look at the {kind} and at the log of source-controller")),
)
_CHART: _Table = (
    (
        r"no '.*' chart with version|no chart (version|name) found|not found in .* index|manifest unknown|improper constraint",
        Said("chart", f"The repository has no such version: correct langfuse_chart_version, {_WRITE}"),
    ),
    (
        r"authenti|authoriz|\b40[13]\b|denied",
        Said("chart", "Look at the login for the repository of charts: it is refused or not given"),
    ),
    (
        "",
        Said("chart", "Look at the repository of charts: its address, and the way to it out of the namespace of Flux"),
    ),
)
_VALUES: _Table = (
    (
        r"not found|missing key",
        Said("release", "Look at the Secret or ConfigMap that the values come from: it has to be in {namespace}"),
    ),
    ("", Said("release", f"{_WRITE[0].upper()}{_WRITE[1:]}; langfuse_kubernetes_patches must not change the values")),
)
_RELEASE: _Table = (
    (
        r"values don't meet the specifications|nil pointer|execution error at|parse error|render",
        Said(
            "release",
            "The chart does not take the values: look at the pinned version of the chart and at langfuse_kubernetes_patches",
        ),
    ),
    (
        r"context deadline exceeded|timed out|timeout waiting|not ready",
        Said(
            "release",
            "Mend what its pods wait for, then have it tried again: flux reconcile helmrelease {name} -n {namespace} --reset",
        ),
    ),
    (
        r"cannot be imported into the current release|invalid ownership metadata|already exists",
        Said(
            "release",
            "Objects of these names are there already and are no part of the release: remove them where they hold no data",
        ),
    ),
    ("", Said("release", "Look at its events: kubectl describe helmrelease -n {namespace} {name}")),
)
_OF_RELEASE = {
    "SourceNotReady": _CHART,
    "ArtifactFailed": _CHART,
    "ValuesError": _VALUES,
    "AccessDenied": _DENIED,
}


def of_kustomization(reason: str, message: str) -> Said:
    other = Said("other", "Look at it: kubectl describe kustomization -n {namespace} {name}")
    return _first(_KUSTOMIZATION.get(reason, (("", other),)), message)


def of_source(message: str) -> Said:
    return _first(_SOURCE, message)


def of_chart(message: str) -> Said:
    """Of a HelmChart, or of the repository that a chart is from."""
    return _first(_CHART, message)


def of_release(reason: str, message: str) -> Said:
    return _first(_OF_RELEASE.get(reason, _RELEASE), message)


def _first(table: _Table, message: str) -> Said:
    line = _line(message)
    return next(said for words, said in table if re.search(words, line, re.IGNORECASE))


def _line(text: object) -> str:
    """In one line, without the bar with which SOPS begins each of its own."""
    return " ".join(re.sub(r"\n\s*\| ", " ", str(text or "")).split())


_DEPENDENCY = re.compile(r"dependency '([^'/]+)/([^']+)'")


def dependency_of(message: str) -> tuple[str, str] | None:
    """Namespace and name of the Kustomization that another one waits for."""
    found = _DEPENDENCY.search(message)
    return (found[1], found[2]) if found else None


def short(text: object) -> str:
    """One line of it that a person can read. Directories in which Flux builds tell nothing."""
    line = re.sub(r"/\w+/kustomization-\d+/?", "", _line(text)).rstrip(".")
    return line if len(line) <= 300 else f"{line[:300]}..."
