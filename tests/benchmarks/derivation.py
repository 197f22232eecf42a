"""Derive for 50 instances, against ansible-core's own validation of the same variables."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.llmops.langfuse.plugins.filter.derive import derive
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import contract
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.secrets import candidates

from tests.benchmarks.figures import Broken, Section, ratio_row

INSTANCES = 50
ROUNDS = 15

# Names that stand beside a user's own in every play.
_NAMES = tuple(
    """
    ansible_check_mode ansible_config_file ansible_connection ansible_diff_mode ansible_facts ansible_forks
    ansible_inventory_sources ansible_play_batch ansible_play_hosts ansible_play_hosts_all ansible_play_name
    ansible_playbook_python ansible_python_interpreter ansible_run_tags ansible_skip_tags ansible_verbosity
    ansible_version environment group_names groups hostvars inventory_dir inventory_file inventory_hostname
    inventory_hostname_short omit play_hosts playbook_dir role_name role_names role_path
    """.split()  # noqa: SIM905
)


def variables(number: int) -> dict[str, Any]:
    """One of many instances: every service has an environment, every feature that needs no licence is on."""
    return {
        "langfuse_instance": f"team-{number}",
        "langfuse_public_url": f"https://langfuse-{number}.example.com",
        "langfuse_s3_public_endpoint": f"https://langfuse-{number}.example.com",
        "langfuse_web_port": 3100 + number,
        "langfuse_s3_port": 9100 + number,
        "langfuse_worker_replicas": 1 + number % 4,
        "langfuse_init_user_email": f"team-{number}@example.com",
        "langfuse_init_project_name": f"Project {number}",
        "langfuse_admin_api_enabled": True,
        "langfuse_smtp_url": "smtps://mailer:secretsecret@mail.example.com:465",
        "langfuse_email_from": "langfuse@example.com",
        "tracing_enabled": True,
        "langfuse_tracing_enabled": True,
        "langfuse_otlp_endpoint": "http://tempo.example.com:4318",
        "langfuse_trace_sampling_ratio": 0.25,
        "langfuse_s3_media_prefix": "media/",
        "langfuse_extra_env": {"LANGFUSE_LOG_PROPAGATED_HEADERS": "x-request-id"},
        "langfuse_web_extra_env": {"NODE_OPTIONS": "--max-old-space-size=1024"},
        "langfuse_worker_extra_env": {"LANGFUSE_INGESTION_QUEUE_PROCESSING_CONCURRENCY": str(10 + number)},
    }


def _ours(inputs: list[dict[str, Any]], drawn: dict[str, str]) -> float:
    began = time.process_time()
    outputs = [derive(given, [*given, *_NAMES], ["localhost"], {}, drawn) for given in inputs]
    took = time.process_time() - began
    for output in outputs:
        if output["problems"] or set(output["plan"]["env"]) != {"web", "worker", "migrate"}:
            raise Broken(f"derive refused its input: {output['problems']}")
    return took


def _floor(inputs: list[dict[str, Any]]) -> float:
    spec = {
        name: {key: value for key, value in option.items() if key not in ("entry_point", "description")}
        for name, option in contract().items()
    }
    began = time.process_time()
    found = [ArgumentSpecValidator(spec).validate(given) for given in inputs]
    took = time.process_time() - began
    if messages := [result.error_messages for result in found if result.error_messages]:
        raise Broken(f"the specification refused its input: {messages[0]}")
    return took


def measure() -> Section:
    inputs, drawn = [variables(number) for number in range(INSTANCES)], candidates({})
    _ours(inputs, drawn)
    _floor(inputs)
    ours, floor = [], []
    for _round in range(ROUNDS):
        floor.append(_floor(inputs))
        ours.append(_ours(inputs, drawn))
    return Section(
        "Derive",
        [ratio_row(f"derive, {INSTANCES} instances with all environments", ours, floor, 5)],
        [
            f"{ROUNDS} rounds each, in turns, in one process, the contract loaded; the seconds are those of the processor. Ours is the filter "
            "`llmops.langfuse.derive` as the role calls it: validation, rules, features, endpoints and the environments of "
            "web, worker and migration. The floor is ansible-core's `ArgumentSpecValidator` alone on the same variables."
        ],
    )
