# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a user's variables to the Plan. Pure: no clock, no file, no network, no randomness."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from . import secrets as kept
from . import sso
from .cluster import GITOPS, KUBERNETES, by_git, in_cluster, on_platform
from .compose import compose
from .consumers import connection, consumers, proof_keys
from .contract import Spec, near_misses, unknown, validate, without_effect
from .endpoints import endpoints, public_url
from .env import Endpoints, derived_secrets, environments, extra_secrets
from .features import features
from .gitops import gitops
from .hosts import split
from .images import images
from .kubernetes import kubernetes
from .module_options import health, provision
from .plan import EnvValue, Feature, Placement, Secretly, Settings
from .problems import Problem
from .rules import problems as broken_rules
from .shared import from_dotenv, joined
from .sources import drawn, fits, is_bundled, marks, used


@dataclass(frozen=True)
class Derived:
    """What derive found.

    `plan` and `secrets` are empty while there are problems. `generated` names the secrets that were
    taken from `candidates` and must be written to the secrets file before anything uses them.
    """

    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    plan: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    generated: tuple[str, ...] = ()


def derive(
    spec: Spec,
    given: Mapping[str, Any],
    names: Iterable[str],
    stored: Mapping[str, str],
    candidates: Mapping[str, str],
    placement: Placement,
) -> Derived:
    """Derive one instance.

    spec: the contract. given: variables of the contract that the user set (native data). names: all
    variable names in sight, for near misses. stored: secrets of this instance's secrets file.
    candidates: a fresh value for each secret that is neither given nor stored.
    """
    names = list(names)
    if given.get("langfuse_target") in (KUBERNETES, GITOPS):
        # Projects of Compose and their files are no part of a cluster.
        placement = Placement(placement.hosts)
    given = {name: value for name, value in given.items() if value is not None}
    read, unread = from_dotenv(placement, given)
    given = {**given, **{name: value for name, (value, _line) in read.items()}}
    values, problems = validate(spec, given)
    problems = _misplaced(placement) + unread + unknown(spec, names) + problems + _conflicts(given, stored)
    target = values.get("langfuse_target") or "compose"
    warnings = near_misses(spec, names) + without_effect(spec, given, target)
    if problems:
        return Derived(_located(problems, read), tuple(warnings))

    values, used, problems, told = joined(values, placement)
    values = on_platform(values, given)
    warnings += told
    secrets, generated = _choose(spec, values, stored, candidates)
    settings = Settings(values, frozenset(given), secrets, generated)
    if problems := problems + broken_rules(settings):
        return Derived(_located(problems, read), tuple(warnings))
    where = endpoints(settings)
    return Derived(
        (),
        (*warnings, *sso.advice(settings)),
        _plan(settings, where, placement, used, not stored),
        {**secrets, **extra_secrets(settings), **derived_secrets(settings, where), **proof_keys(settings)},
        generated,
    )


def _located(problems: Iterable[Problem], read: Mapping[str, tuple[str, str]]) -> tuple[Problem, ...]:
    """Problems that say where the value was written."""
    return tuple(
        replace(one, wrong=f"({read[one.variable][1]} in langfuse_dotenv) {one.wrong}") if one.variable in read else one
        for one in problems
    )


def _misplaced(placement: Placement) -> list[Problem]:
    """So far an instance has one host."""
    if len(placement.hosts) == 1:
        return []
    return [
        Problem(
            "langfuse_group",
            f"names a group of {len(placement.hosts)} hosts, and an instance runs on one",
            "Put one host into the group, or name another group with -e langfuse_group=...",
        )
    ]


def _conflicts(given: Mapping[str, Any], stored: Mapping[str, str]) -> list[Problem]:
    """A secret that orphans data when it changes has one value, wherever it is written."""
    return [
        Problem(
            name,
            "differs from the value in the secrets file, and changing it orphans what the old one protects",
            "Remove the variable to keep the stored value",
        )
        for name in kept.FROZEN
        if given.get(name) and stored.get(name) and given[name] != stored[name]
    ]


def _choose(
    spec: Spec, values: Mapping[str, Any], stored: Mapping[str, str], candidates: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    secrets, generated = {}, []
    for name in kept.GENERATED:
        if not used(values, name):
            continue
        if value := values.get(name) or (stored.get(name) if fits(values, stored, name) else None):
            secrets[name] = value
        elif name in candidates and drawn(values, name):
            secrets[name] = candidates[name]
            generated.append(name)
    for mark in (mark for mark in marks(values) if mark not in stored):
        secrets[mark] = "in an existing store"
        generated.append(mark)
    for name, option in spec.items():
        if option.get("no_log") and name not in secrets and values.get(name):
            secrets[name] = values[name]
    if credentials := secrets.get("langfuse_gcs_credentials"):
        secrets["langfuse_gcs_credentials"] = _on_one_line(credentials)
    return secrets, tuple(generated)


def _on_one_line(text: str) -> str:
    """JSON as the files that Google hands out have it, for an environment. What is no JSON is a rule's problem."""
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return text


def _printable(value: EnvValue) -> str | dict[str, str]:
    return {"secret": value.secret} if isinstance(value, Secretly) else value


def _plan(
    settings: Settings, where: Endpoints, placement: Placement, used: Mapping[str, Any], new: bool
) -> dict[str, Any]:
    url, on = public_url(settings), features(settings)
    kinds = ("events", "media", "exports") if on["batch_export"].on else ("events", "media")
    buckets = {kind: settings[f"langfuse_s3_{kind}_bucket"] for kind in kinds}
    return {
        "instance": settings.instance,
        # Whether no run has kept secrets of it.
        "new": new,
        "target": settings["langfuse_target"],
        # Where it runs, under which name the Plan has what concerns that: in a cluster, whoever applies its objects.
        "runtime": KUBERNETES if in_cluster(settings) else settings["langfuse_target"],
        "enabled": settings["langfuse_enabled"],
        "url": url,
        "hostname": split(url).hostname,
        "hosts": list(placement.hosts),
        "features": {name: asdict(feature) for name, feature in sorted(on.items())},
        "endpoints": {name: dict(endpoint) for name, endpoint in where.items()},
        "images": images(settings),
        "env": {
            service: {name: _printable(value) for name, value in sorted(environment.items())}
            for service, environment in environments(settings, on, where, url).items()
        },
        "buckets": buckets,
        "provision": {**provision(settings, where, buckets), **sso.client(settings, url)},
        "sso_callback_url": sso.callback_url(settings, url),
        "health": {**health(settings, where, buckets), "joined": _joined(used)},
        "init": {
            "org_id": settings["langfuse_init_org_id"],
            "project_id": settings["langfuse_init_project_id"],
            "public_key": settings.secrets["langfuse_init_project_public_key"],
            "user_email": settings["langfuse_init_user_email"],
        },
        "versions": {
            "langfuse": settings["langfuse_version"],
            # Of an existing store the store itself says it.
            **{
                store: settings[f"langfuse_{store}_version"] if is_bundled(settings, store) else ""
                for store in ("clickhouse", "postgres")
            },
        },
        **_of_target(settings, on, where, buckets, used, url),
        "consumers": consumers(settings),
        "llm_connection": connection(settings),
        "health_report": settings["langfuse_health_report"],
        "labels": settings["langfuse_labels"],
        "ca_certificates": settings["langfuse_ca_certificates"],
        "teardown_data": settings["langfuse_teardown_data"] == settings.instance,
    }


def _of_target(
    settings: Settings,
    on: Mapping[str, Feature],
    where: Endpoints,
    buckets: Mapping[str, str],
    used: Mapping[str, Any],
    url: str,
) -> dict[str, Any]:
    """The parts of the Plan that not every target has, each under the name of the target that reads it."""
    if in_cluster(settings):
        of_cluster = {"kubernetes": kubernetes(settings, on, where, buckets)}
        return {**of_cluster, "gitops": gitops(settings, where, buckets, url)} if by_git(settings) else of_cluster
    return {"compose": compose(settings, where, buckets, used)}


def _joined(used: Mapping[str, Any]) -> dict[str, Any] | None:
    """The stack whose stores the instance needs: its project and their services."""
    if not used or not used["stores"]:
        return None
    return {"project": used["project"], "services": sorted({store["service"] for store in used["stores"].values()})}
