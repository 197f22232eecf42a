# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings the objects of an instance to what is wanted: look, ask the server what would change, refuse, apply in waves, prune."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..failure import Failure, joined
from . import jobs, others
from .additions import Addition, additions, mending, without
from .api_errors import refused
from .client import ApiError, Cluster
from .comparison import Comparison, as_diff, compare
from .look import Found, look, refusals
from .objects import Identity, Kind, Object, Owner, Wanted, identity_of, in_waves
from .ownership import MENDER, conflicts_of, foreign_fields, left_alone, refused_conflicts
from .prune import REMOVE, Verdict, not_there, prune
from .references import followed, of_others
from .replicas import AUTOSCALERS, KEEPER, handed_over, taken_back
from .waiting import Waiter

_HPA = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")


class Step(NamedTuple):
    """What happens to a wanted object. ``comparison`` is with what the server says that it would become."""

    wanted: Wanted
    live: Object | None
    comparison: Comparison
    result: Object
    # Of a migration: whether it runs at all, and how.
    job: str = ""

    @property
    def changed(self) -> bool:
        if self.job:
            return self.job in (jobs.CREATE, jobs.REPLACE, jobs.BUSY)
        return self.comparison.changed


class Options(NamedTuple):
    """``elsewhere``: further namespaces to look for objects in. ``remove``: what may be lost, as ``Kind/name``. ``theirs``: Secrets of the
    namespace that somebody else keeps. Times are seconds."""

    elsewhere: Collection[str] = ()
    remove: Collection[str] = ()
    timeout: int = 300
    migration_timeout: int = 1800
    theirs: Collection[str] = ()

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Options:
        """params: of a module with ``args.CHANGES_SPEC``."""
        names = ("elsewhere", "remove", "timeout", "migration_timeout", "existing_secrets")
        return cls(*(params[name] for name in names))


class Outcome(NamedTuple):
    steps: Sequence[Step]
    verdicts: Sequence[Verdict]
    warnings: Sequence[str]
    unseen: Sequence[str]

    @property
    def removed(self) -> list[Verdict]:
        return [one for one in self.verdicts if one.action == REMOVE]

    def as_result(self) -> dict[str, Any]:
        """Arguments of ``exit_json``. Nothing of it is secret."""
        changed = [one for one in self.steps if one.changed]
        return {
            "changed": bool(changed or self.removed),
            "applied": _told(changed),
            "removed": [str(one.identity) for one in self.removed],
            "kept": [{"object": str(one.identity), "why": one.why} for one in self.verdicts if one.action != REMOVE],
            "unseen": list(self.unseen),
            "warnings": list(self.warnings),
            "diff": told_as_diff(changed, [one.identity for one in self.removed]),
        }


def _told(steps: Iterable[Step]) -> list[dict[str, str]]:
    return [{"object": str(one.wanted.identity), "action": _action(one)} for one in steps]


def _action(step: Step) -> str:
    return "replaced" if step.job == jobs.REPLACE else step.comparison.action


def told_as_diff(changed: Iterable[Step], removed: Iterable[Identity]) -> list[dict[str, str]]:
    """What Ansible shows: values that differ, and objects that go."""
    return [*(as_diff(one.comparison, one.result) for one in changed), *map(_gone, removed)]


def _gone(identity: Identity) -> dict[str, str]:
    return {"before_header": str(identity), "before": "present\n", "after_header": "(removed)", "after": ""}


class Applier:
    """One instance in one cluster."""

    def __init__(self, cluster: Cluster, owner: Owner, options: Options, check_mode: bool) -> None:
        self._cluster, self._owner, self._options, self._check = cluster, owner, options, check_mode
        self._waiter = Waiter(cluster)
        self._going: list[Identity] = []
        self._written: list[Step] = []
        # Name → resourceVersion of the Secrets that are there so far.
        self._secrets: dict[str, str] = {}

    def run(self, documents: Iterable[Mapping[str, Any]]) -> Outcome:
        """documents: as the filter ``kubernetes_objects`` returns them. Raises Failure; of what is refused nothing stays."""
        given = [one for wave in in_waves(documents) for one in wave]
        wanted = followed(given, others.contents(self._cluster, given))
        waves = [[one for one in wanted if one.wave == wave] for wave in sorted({one.wave for one in wanted})]
        found = look(self._cluster, wanted, self._owner, self._options.elsewhere)
        if failures := refusals(wanted, found, self._owner):
            raise joined(failures)
        verdicts = prune(found.live.values(), self._needed(wanted), self._owner, self._options.remove)
        removed = [one.identity for one in verdicts if one.action == REMOVE]
        self._going = [one for one in removed if one.kind in AUTOSCALERS]
        steps = self._plan(wanted, found)
        if not self._check:
            if new := _new_namespaces(wanted, found):
                steps = self._plan_inside(new, wanted, found)
            try:
                self._remove(self._going, found, wait=True)
                for wave in waves:
                    identities = [one.identity for one in wave]
                    self._apply([step for step in steps if step.wanted.identity in identities], found)
                self._remove([one for one in removed if one not in self._going], found)
            except Failure as failure:
                failure.details.update(applied=_told(self._written), changed=bool(self._written))
                raise
        warnings = [
            f"{name} is in langfuse_kubernetes_remove, and the instance has no such object that is not wanted"
            for name in not_there(verdicts, self._options.remove)
        ]
        return Outcome(steps, verdicts, warnings, found.unseen)

    def refused(self, wanted: Sequence[Wanted], found: Found) -> list[Failure]:
        """What the cluster would say, and nothing is written."""
        verdicts = prune(found.live.values(), self._needed(wanted), self._owner)
        self._going = [one.identity for one in verdicts if one.action == REMOVE and one.identity.kind in AUTOSCALERS]
        return self._asked(wanted, found)[1]

    def _needed(self, wanted: Sequence[Wanted]) -> list[Identity]:
        """What stays: also Secrets that the collection made once, and that are read as somebody else's now."""
        named = ((self._owner.namespace, name) for name in self._options.theirs)
        places = [*(one.place for one in of_others(wanted)), *named]
        return [*(one.identity for one in wanted), *(Identity("", "Secret", *place) for place in places)]

    def _plan(self, wanted: Sequence[Wanted], found: Found) -> list[Step]:
        """All steps, or all that the cluster refuses."""
        steps, failures = self._asked(wanted, found)
        if failures:
            raise joined(failures)
        return steps

    def _asked(self, wanted: Sequence[Wanted], found: Found) -> tuple[list[Step], list[Failure]]:
        steps, failures = [], dict[tuple[str, str], Failure]()
        new = [one.identity.name for one in _new_namespaces(wanted, found)]
        for one in wanted:
            try:
                steps.append(self._step(one, found.live.get(one.identity), found))
            except Failure as failure:
                if failure.code == "unauthorized":
                    raise
                if failure.code == "no_namespace" and one.identity.namespace in new:
                    # Its fields are known by then; webhooks, quotas and values are asked when the namespace is there.
                    steps.append(_made(one))
                    continue
                # One for each kind: the same rule mostly refuses all of it.
                about = one.identity.namespace if failure.code == "no_namespace" else one.identity.kind
                failures.setdefault((failure.code, about), failure)
        return steps, list(failures.values())

    def _plan_inside(self, new: Sequence[Wanted], wanted: Sequence[Wanted], found: Found) -> list[Step]:
        """The steps again, now that the namespaces are there, which go again when something is refused."""
        made = {one.identity: self._write(one, None) for one in new}
        there = found._replace(live={**found.live, **made})
        try:
            rest = self._plan([one for one in wanted if one not in new], there)
        except Failure as failure:
            for namespace in made.values():
                self._take_back(namespace, wanted, failure)
            raise
        return [*(_made(one) for one in new), *rest]

    def _take_back(self, namespace: Object, wanted: Sequence[Wanted], failure: Failure) -> None:
        """Removes a namespace that this run made, unless another run has begun in it."""
        here = look(self._cluster, [one for one in wanted if one.identity.kind != "Namespace"], self._owner).live
        if any(identity.namespace == namespace["metadata"]["name"] for identity in here):
            return
        try:
            self._delete(namespace)
            self._waiter.gone(namespace)
        except Failure as why:
            state = "is still being removed" if why.code == "not_removed" else "stays and is empty"
            failure.message += f" The {identity_of(namespace)}, which was made for asking, {state}."
            failure.details.update(changed=True)

    def _step(self, one: Wanted, live: Object | None, found: Found) -> Step:
        if live is not None and left_alone(live):
            return Step(one, live, Comparison("same", []), live)
        if one.identity.kind == "Job" and live is not None:
            decision = self._decide(one, live, found)
            action = "created" if decision in (jobs.REPLACE, jobs.BUSY) else "same"
            return Step(one, live, Comparison(action, []), one.object, decision)
        result = self._ask(one, live, dry_run=True)
        added = additions(result) if live is not None else []
        after = without(result, added)
        job = _job(one, jobs.BUSY if self._rivals(one, found) else jobs.CREATE)
        return Step(one, live, compare(live, after, one.sensitive), after, job)

    def _rivals(self, one: Wanted, found: Found) -> list[Object]:
        """Other migrations that run."""
        return [
            job
            for identity, job in found.live.items()
            if identity.kind == "Job" and identity != one.identity and jobs.is_running(job)
        ]

    def _decide(self, one: Wanted, live: Object, found: Found) -> str:
        decision = jobs.decide(one.object, live, self._rivals(one, found), same=True)
        if decision.action == jobs.WAIT and not jobs.is_running(live):
            try:
                self._cluster.apply(one.object, dry_run=True, force=True)
            except ApiError as error:
                if error.code != 422:
                    raise refused(one.identity, error.status) from None
                decision = jobs.decide(one.object, live, self._rivals(one, found), same=False)
        return decision.action

    def _apply(self, steps: Sequence[Step], found: Found) -> None:
        """One wave, until it is ready."""
        seen, changed = [], []
        for step in steps:
            one, live = step.wanted, step.live
            if step.job:
                now = self._migrate(step, found)
            elif step.changed:
                now = self._write(one, live)
                changed.append(one.identity)
            else:
                now = live
            if step.changed:
                self._written.append(step)
            if now is not None:
                seen.append(now)
        self._secrets.update(
            (one["metadata"]["name"], one["metadata"]["resourceVersion"]) for one in seen if one["kind"] == "Secret"
        )
        seconds = {"": self._options.timeout, "Job": self._options.migration_timeout}
        self._waiter.ready(seen, changed, seconds, self._secrets)

    def _migrate(self, step: Step, found: Found) -> Object | None:
        one, live, action = step.wanted, step.live, step.job
        if action == jobs.BUSY:
            for rival in self._rivals(one, found):
                self._waiter.ended(rival, self._options.migration_timeout)
            live = self._cluster.again(one.object)
            action = jobs.decide(one.object, live, (), same=True).action
        if action == jobs.REPLACE and live is not None:
            self._delete(live)
            self._waiter.gone(live)
        if action in (jobs.CREATE, jobs.REPLACE):
            return self._write(one, None)
        return live

    def _write(self, one: Wanted, live: Object | None) -> Object:
        now = self._ask(one, live, dry_run=False)
        if live is not None and (added := additions(now)):
            now = self._guarded(one.identity, lambda: self._cluster.patch(now, _operations(added)))
        return now

    def _ask(self, one: Wanted, live: Object | None, *, dry_run: bool) -> dict[str, Any]:
        """Server-side apply. Fields that a hand changed, and numbers that nobody scales any more, are taken back."""
        body = dict(one.object)
        if keeper := handed_over(body, live):
            if dry_run:
                body["spec"] = {**body["spec"], **keeper["spec"]}
            else:
                self._guarded(
                    one.identity, lambda: self._cluster.apply(keeper, dry_run=False, force=True, manager=KEEPER)
                )
        try:
            return self._over_hands(one.identity, body, live, dry_run)
        except ApiError as error:
            operations = mending(live, body) if error.code == 422 and live is not None else []
            if live is None or not operations:
                raise refused(one.identity, error.status) from None
        return self._guarded(one.identity, lambda: self._mended(body, live, operations, dry_run))

    def _over_hands(
        self, identity: Identity, body: Mapping[str, Any], live: Object | None, dry_run: bool
    ) -> dict[str, Any]:
        try:
            return self._cluster.apply(body, dry_run=dry_run)
        except ApiError as error:
            conflicts = conflicts_of(error.status) if error.code == 409 else []
            if not conflicts or live is None:
                raise
        others = refused_conflicts(conflicts, live)
        if others:
            ours = taken_back(others, live, self._autoscalers(identity.namespace), self._going)
            others = [conflict for conflict in others if conflict not in ours]
        if others:
            raise foreign_fields(identity, others)
        return self._cluster.apply(body, dry_run=dry_run, force=True)

    def _mended(
        self, body: Mapping[str, Any], live: Object, operations: Sequence[Mapping[str, Any]], dry_run: bool
    ) -> dict[str, Any]:
        """What a hand added cannot stand beside what is wanted, so it goes first. A dry run cannot see what follows it."""
        mended = self._cluster.patch(live, operations, dry_run=dry_run, manager=MENDER)
        if not dry_run:
            return self._cluster.apply(body, dry_run=False, force=True)
        metadata = {name: value for name, value in mended["metadata"].items() if name != "managedFields"}
        return {**mended, "metadata": metadata}

    def _autoscalers(self, namespace: str) -> list[Object]:
        try:
            return self._cluster.list(_HPA, namespace) or []
        except ApiError as error:
            raise refused(Identity("autoscaling", _HPA.name, namespace, "objects"), error.status, "look at") from None

    def _remove(self, identities: Iterable[Identity], found: Found, wait: bool = False) -> None:
        gone = [found.live[identity] for identity in identities]
        for one in gone:
            self._delete(one)
        for one in gone if wait else ():
            self._waiter.gone(one)

    def _delete(self, live: Object) -> None:
        try:
            self._cluster.delete(live)
        except ApiError as error:
            raise refused(identity_of(live), error.status, "remove") from None

    @staticmethod
    def _guarded(identity: Identity, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return ask()
        except ApiError as error:
            raise refused(identity, error.status) from None


def _new_namespaces(wanted: Iterable[Wanted], found: Found) -> list[Wanted]:
    return [one for one in wanted if one.identity.kind == "Namespace" and one.identity not in found.live]


def _made(one: Wanted) -> Step:
    """Of an object that the cluster cannot be asked about yet."""
    return Step(one, None, compare(None, one.object, one.sensitive), one.object, _job(one, jobs.CREATE))


def _job(one: Wanted, action: str) -> str:
    return action if one.identity.kind == "Job" else ""


def _operations(added: Sequence[Addition]) -> list[dict[str, str]]:
    return [one.removal for one in added]
