# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules: settings that have the right type and still cannot work.

Each rule is one function over `Settings` that yields problems, listed in `RULES`. A unit test holds
a bad input for each and shows that it passes once the rule is taken away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from . import environment_schema, sizes, versions
from .endpoints import endpoints, is_local, public_s3_endpoint, public_url
from .env import EXTRA_READERS, own_environments
from .features import features
from .plan import Settings
from .problems import Problem

Rule = Callable[[Settings], Iterator[Problem]]

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+\Z")
_DRAW = "Remove the variable to have one generated"


def instance_name(settings: Settings) -> Iterator[Problem]:
    """Compose project, volumes and DNS names are made of it."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,38}[a-z0-9]|[a-z]", settings.instance):
        yield Problem(
            "langfuse_instance",
            "is not a name for a project",
            "Use lower-case letters, digits and hyphens, at most 40, a letter first",
        )


def short_secrets(settings: Settings) -> Iterator[Problem]:
    """Given secrets that can be guessed. Generated ones are long enough."""
    minimum = {
        "langfuse_nextauth_secret": 32,
        "langfuse_salt": 16,
        "langfuse_admin_api_key": 32,
        "langfuse_postgres_password": 12,
        "langfuse_clickhouse_password": 12,
        "langfuse_redis_password": 12,
        "langfuse_s3_secret_key": 12,
    }
    for name, length in minimum.items():
        if len(settings.secrets.get(name, "")) < length:
            yield Problem(name, f"is shorter than {length} characters", f"Write a longer one. {_DRAW}")


def encryption_key(settings: Settings) -> Iterator[Problem]:
    """The application checks only the length and fails later, at the first credential (facts 3.4)."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", settings.secrets["langfuse_encryption_key"]):
        yield Problem(
            "langfuse_encryption_key",
            "is not 64 hexadecimal characters",
            f"Write the output of `openssl rand -hex 32`. {_DRAW}",
        )


def project_key_form(settings: Settings) -> Iterator[Problem]:
    for name, start in (("langfuse_init_project_public_key", "pk-lf-"), ("langfuse_init_project_secret_key", "sk-lf-")):
        if not re.fullmatch(rf"{start}[A-Za-z0-9_-]{{8,}}", settings.secrets[name]):
            yield Problem(name, f"is not {start} followed by at least 8 letters, digits, _ or -", _DRAW)


def project_key_pair(settings: Settings) -> Iterator[Problem]:
    """A new secret under an old public key is ignored by the application (facts 5)."""
    pair = ("langfuse_init_project_public_key", "langfuse_init_project_secret_key")
    missing = [name for name in pair if name not in settings.given]
    if len(missing) == 1:
        yield Problem(
            missing[0],
            "is missing while the other key of the pair is given",
            "Give both keys, or none to have them generated",
        )


def first_start_identifiers(settings: Settings) -> Iterator[Problem]:
    """Without an organisation the application ignores all of the first start; without a project, the keys."""
    for name in ("langfuse_init_org_id", "langfuse_init_project_id"):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", settings[name] or ""):
            yield Problem(
                name,
                "is empty or holds other characters than letters, digits, _ and -",
                "Write an identifier such as default",
            )


def first_user_email(settings: Settings) -> Iterator[Problem]:
    email = settings["langfuse_init_user_email"]
    if email and not _EMAIL.match(email):
        yield Problem("langfuse_init_user_email", "is not an e-mail address", "Write one such as admin@example.com")


def first_user_password(settings: Settings) -> Iterator[Problem]:
    """Shorter than 8, web stays up and answers 500 for ever; bcrypt reads no more than 72 bytes."""
    length = len(settings.secrets["langfuse_init_user_password"].encode())
    if not 8 <= length <= 72:
        yield Problem("langfuse_init_user_password", "is not 8 to 72 bytes long", f"Write one of that length. {_DRAW}")


def somebody_can_sign_in(settings: Settings) -> Iterator[Problem]:
    if not settings["langfuse_init_user_email"] and not settings["langfuse_signup_enabled"]:
        yield Problem(
            "langfuse_init_user_email",
            "is missing while sign-up is closed, so nobody could ever sign in",
            "Write the e-mail address of the first user, or set langfuse_signup_enabled: true",
        )


def urls(settings: Settings) -> Iterator[Problem]:
    for name in ("langfuse_public_url", "langfuse_s3_public_endpoint", "langfuse_otlp_endpoint"):
        if not settings[name]:
            continue
        parts = urlsplit(settings[name])
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.username
            or parts.query
            or parts.fragment
        ):
            yield Problem(
                name,
                "is not an http or https URL of a host",
                "Write it like https://langfuse.example.com, without user, query or fragment",
            )
        elif parts.path.strip("/"):
            yield Problem(
                name, "has a path, which the published images cannot serve", "Write only scheme, host and port"
            )


def domain(settings: Settings) -> Iterator[Problem]:
    label = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    if settings["cloudflare_domain"] and not re.fullmatch(rf"{label}(\.{label})+", settings["cloudflare_domain"]):
        yield Problem("cloudflare_domain", "is not a domain name", "Write it like example.com")
    if not re.fullmatch(rf"{label}(\.{label})*", settings["langfuse_subdomain"] or ""):
        yield Problem("langfuse_subdomain", "is not a host name", "Write it like langfuse")


def mail_url(settings: Settings) -> Iterator[Problem]:
    if not (value := settings["langfuse_smtp_url"]):
        return
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("smtp", "smtps", "ses") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or "#" in value or " " in value:
        yield Problem(
            "langfuse_smtp_url",
            "is not smtp://user:password@host:port",
            "Percent-encode the characters # / : ? @ and spaces in user and password",
        )


def mail_pair(settings: Settings) -> Iterator[Problem]:
    url, sender = settings["langfuse_smtp_url"], settings["langfuse_email_from"]
    if url and not sender:
        yield Problem(
            "langfuse_email_from", "is missing while langfuse_smtp_url is set", "Write the sender address of e-mails"
        )
    if sender and not url:
        yield Problem("langfuse_smtp_url", "is missing while langfuse_email_from is set", "Write the mail server")


def clickhouse_password(settings: Settings) -> Iterator[Problem]:
    """The migration tool puts it into a URL as it is, the application uses it raw (facts 1.7)."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", settings.secrets["langfuse_clickhouse_password"]):
        yield Problem(
            "langfuse_clickhouse_password",
            "holds characters that break the migration's URL",
            "Use only letters, digits, _ and -",
        )


def postgres_password(settings: Settings) -> Iterator[Problem]:
    """Its verifier is computed without SASLprep, which only printable ASCII does not need."""
    if not re.fullmatch(r"[ -~]+", settings.secrets["langfuse_postgres_password"]):
        yield Problem(
            "langfuse_postgres_password",
            "holds other characters than printable ASCII",
            "Use letters, digits and punctuation",
        )


def object_store_keys(settings: Settings) -> Iterator[Problem]:
    if not re.fullmatch(r"[A-Za-z0-9]{3,128}", settings.secrets["langfuse_s3_access_key"]):
        yield Problem("langfuse_s3_access_key", "is not 3 to 128 letters and digits", _DRAW)


def control_characters(settings: Settings) -> Iterator[Problem]:
    """A line break in a secret ends a line of an env file, a configuration or a header."""
    for name, value in settings.secrets.items():
        if any(ord(character) < 32 for character in value):
            yield Problem(name, "holds a line break or another control character", "Write it on one line")


def store_names(settings: Settings) -> Iterator[Problem]:
    for name in (
        "langfuse_postgres_user",
        "langfuse_postgres_database",
        "langfuse_clickhouse_user",
        "langfuse_clickhouse_database",
    ):
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", settings[name] or ""):
            yield Problem(name, "is not a plain name", "Use lower-case letters, digits and _, a letter first")


def bucket_names(settings: Settings) -> Iterator[Problem]:
    names = ("langfuse_s3_events_bucket", "langfuse_s3_media_bucket", "langfuse_s3_exports_bucket")
    for name in names:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", settings[name] or ""):
            yield Problem(name, "is not a bucket name", "Use 3 to 63 lower-case letters, digits, dots and hyphens")


def events_bucket_alone(settings: Settings) -> Iterator[Problem]:
    """Replay works only with keys at the root, and lifecycle rules of events must never touch media."""
    for name in ("langfuse_s3_media_bucket", "langfuse_s3_exports_bucket"):
        if settings[name] == settings["langfuse_s3_events_bucket"]:
            yield Problem(name, "is the bucket of the events", "Give events a bucket of their own")


def prefixes(settings: Settings) -> Iterator[Problem]:
    for name in ("langfuse_s3_media_prefix", "langfuse_s3_exports_prefix"):
        value = settings[name]
        if value and (not value.endswith("/") or value.startswith("/")):
            yield Problem(
                name,
                "does not end with / or starts with one",
                "The application joins it to the key as it is: write it like media/",
            )


def clashing_ports(settings: Settings) -> Iterator[Problem]:
    ports = {name: settings[name] for name in ("langfuse_web_port", "langfuse_s3_port")}
    for name, port in ports.items():
        if not 1 <= port <= 65535:
            yield Problem(name, "is not a port", "Write a number from 1 to 65535")
    if ports["langfuse_web_port"] == ports["langfuse_s3_port"]:
        yield Problem("langfuse_s3_port", "is the port of web as well", "Choose another one")


def bind_address(settings: Settings) -> Iterator[Problem]:
    if not re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}|\[?[0-9a-fA-F:]+\]?", settings["langfuse_bind_address"] or ""):
        yield Problem(
            "langfuse_bind_address", "is not an IP address", "Write 127.0.0.1, 0.0.0.0 or an address of the host"
        )


def sampling_ratio(settings: Settings) -> Iterator[Problem]:
    """Outside (0, 1] web does not boot."""
    if not 0 < settings["langfuse_trace_sampling_ratio"] <= 1:
        yield Problem(
            "langfuse_trace_sampling_ratio",
            "is not above 0 and at most 1",
            "To send no spans, set langfuse_tracing_enabled: false",
        )


def tracing(settings: Settings) -> Iterator[Problem]:
    if settings["langfuse_tracing_enabled"] and not settings["tracing_enabled"]:
        yield Problem(
            "langfuse_tracing_enabled",
            "is on while tracing_enabled is off",
            "Set tracing_enabled: true, or switch it off",
        )
    if settings["langfuse_tracing_enabled"] and not settings["langfuse_otlp_endpoint"]:
        yield Problem(
            "langfuse_otlp_endpoint",
            "is missing while langfuse_tracing_enabled is on",
            "Write the collector's address, like http://tempo:4318",
        )


def retention(settings: Settings) -> Iterator[Problem]:
    days = settings["langfuse_init_project_retention"]
    if days in (1, 2) or days < 0:
        yield Problem(
            "langfuse_init_project_retention",
            "is less than the 3 days that the application takes",
            "Write 0 to keep traces, or at least 3",
        )
    elif days and not settings["langfuse_license_key"]:
        yield Problem(
            "langfuse_init_project_retention",
            "is ignored by the application without an enterprise licence",
            "Set langfuse_license_key, or write 0",
        )


def license_form(settings: Settings) -> Iterator[Problem]:
    value = settings["langfuse_license_key"]
    if value and not value.startswith(("langfuse_ee_", "langfuse_pro_")):
        yield Problem("langfuse_license_key", "does not start with langfuse_ee_ or langfuse_pro_", "Copy the whole key")


def session_age(settings: Settings) -> Iterator[Problem]:
    minutes = settings["langfuse_session_max_age"]
    if minutes <= 5:
        yield Problem(
            "langfuse_session_max_age",
            "is not above the 5 minutes that the application needs",
            "Write minutes: 43200 is 30 days",
        )
    if minutes > 525600:
        yield Problem(
            "langfuse_session_max_age",
            "is more than a year of minutes, so it looks like seconds",
            "Write minutes: 43200 is 30 days",
        )


def floating_versions(settings: Settings) -> Iterator[Problem]:
    """A tag that moves migrates a database when nobody asked, or finds a newer schema (facts B13)."""
    parts = {
        "langfuse": 3,
        "langfuse_postgres": 2,
        "langfuse_clickhouse": 2,
        "langfuse_valkey": 2,
        "langfuse_seaweedfs": 2,
    }
    for name, least in parts.items():
        found = versions.numbers(settings[f"{name}_version"] or "")
        if found is None or len(found) < least:
            yield Problem(
                f"{name}_version",
                "is a floating tag",
                f"Pin it with at least {least} numbers, like {'.'.join('4160'[:least])}",
            )


def supported_versions(settings: Settings) -> Iterator[Problem]:
    least: Mapping[str, tuple[int, ...]] = {
        "langfuse_postgres_version": (15,),
        "langfuse_clickhouse_version": (25, 12),
        "langfuse_valkey_version": (7, 2),
    }
    for name, minimum in least.items():
        if versions.numbers(settings[name] or "") and not versions.at_least(settings[name], *minimum):
            yield Problem(name, "is older than Langfuse 4 takes", f"Use {'.'.join(map(str, minimum))} or newer")
    found = versions.numbers(settings["langfuse_version"] or "")
    if found and found[0] != 4:
        yield Problem("langfuse_version", "is not a version 4", "This collection runs Langfuse 4")


def clickhouse_profile(settings: Settings) -> Iterator[Problem]:
    """From ClickHouse 26.8 on, rows are lost unless the profile says otherwise; an override must not take the file away."""
    if not versions.at_least(settings["langfuse_clickhouse_version"] or "", 26, 8):
        return
    service = (settings["langfuse_compose_overrides"].get("services") or {}).get("clickhouse") or {}
    if "volumes" in service:
        yield Problem(
            "langfuse_compose_overrides",
            "replaces the volumes of clickhouse, which carry the profile that ClickHouse 26.8 and newer needs",
            "Use langfuse_clickhouse_version 26.7 or older, or leave its volumes alone",
        )


def media_reachable(settings: Settings) -> Iterator[Problem]:
    """A browser elsewhere cannot follow a link to localhost, nor leave the page's own origin (facts 1.4)."""
    address = public_url(settings)
    if not urlsplit(address).hostname or is_local(address) or not is_local(public_s3_endpoint(settings)):
        return
    yield Problem(
        "langfuse_s3_public_endpoint",
        "is on localhost while the instance has a public address, so browsers could not load media",
        f"Serve /{settings['langfuse_s3_media_bucket']}/ on {address} from port {settings['langfuse_s3_port']}, Host kept, and write that address",
    )


def memory_limits(settings: Settings) -> Iterator[Problem]:
    for service, least in sizes.MINIMUM.items():
        name = f"langfuse_{service}_memory"
        if settings[name] is None:
            continue
        found = sizes.mebibytes(settings[name])
        if found is None:
            yield Problem(name, "is not an amount of memory", "Write it like 1536m or 2g")
        elif found < least:
            yield Problem(name, "is less than the service starts with", f"Write at least {least}m")


def numbers_in_range(settings: Settings) -> Iterator[Problem]:
    ranges = {
        "langfuse_worker_replicas": (1, 32),
        "langfuse_worker_stop_seconds": (5, 3600),
        "langfuse_stuck_seconds": (40, 3600),
        "langfuse_start_timeout": (60, 3600),
        "langfuse_log_max_files": (1, 100),
        "langfuse_minimum_disk": (1, 100000),
        "langfuse_ingestion_clickhouse_max_attempts": (3, 100000),
        "langfuse_migration_timeout": (60, 86400),
    }
    for name, (low, high) in ranges.items():
        if not low <= settings[name] <= high:
            yield Problem(name, f"is not from {low} to {high}", "Write a number in that range")


def log_size(settings: Settings) -> Iterator[Problem]:
    if not re.fullmatch(r"[1-9]\d*[kmg]", settings["langfuse_log_max_size"] or ""):
        yield Problem("langfuse_log_max_size", "is not a size", "Write it like 20m")


def extra_names(settings: Settings) -> Iterator[Problem]:
    """An unread name has no effect; one that the collection sets would have two truths."""
    own = own_environments(settings, features(settings), endpoints(settings), public_url(settings))
    for variable, services in EXTRA_READERS.items():
        for name, value in settings[variable].items():
            if any(name in own[service] for service in services):
                yield Problem(
                    variable, f"repeats {name}, which the collection sets itself", "Use the contract's own variable"
                )
            elif not any(environment_schema.reads(service, name) for service in services):
                near = environment_schema.nearest(name)
                cure = (
                    f"Did you mean {near}?"
                    if near and near != name
                    else "Remove it, or move it to the service that reads it"
                )
                yield Problem(
                    variable, f"has {name}, which {' and '.join(services)} of this Langfuse do not read", cure
                )
            elif not isinstance(value, str):
                yield Problem(variable, f"has {name} as a number or boolean where text is due", "Put it in quotes")
            elif reason := environment_schema.unfit(name, value):
                yield Problem(variable, f"has {name}, which {reason}", "The application would not start with it")


def docker_repository(settings: Settings) -> Iterator[Problem]:
    if settings["langfuse_docker_apt_repository"] and not settings["langfuse_install_docker"]:
        yield Problem(
            "langfuse_docker_apt_repository",
            "is set while langfuse_install_docker is off",
            "Set langfuse_install_docker: true, or remove it",
        )


def teardown_confirmation(settings: Settings) -> Iterator[Problem]:
    """Removing data wants the right name, typed."""
    if settings["langfuse_teardown_data"] not in ("", settings.instance):
        yield Problem(
            "langfuse_teardown_data",
            "is not the name of this instance",
            f"Write {settings.instance} to remove its data",
        )


RULES: tuple[Rule, ...] = (
    instance_name,
    short_secrets,
    encryption_key,
    project_key_form,
    project_key_pair,
    first_start_identifiers,
    first_user_email,
    first_user_password,
    somebody_can_sign_in,
    urls,
    domain,
    mail_url,
    mail_pair,
    clickhouse_password,
    postgres_password,
    object_store_keys,
    control_characters,
    store_names,
    bucket_names,
    events_bucket_alone,
    prefixes,
    clashing_ports,
    bind_address,
    sampling_ratio,
    tracing,
    retention,
    license_form,
    session_age,
    floating_versions,
    supported_versions,
    clickhouse_profile,
    media_reachable,
    memory_limits,
    numbers_in_range,
    log_size,
    extra_names,
    docker_repository,
    teardown_confirmation,
)


def problems(settings: Settings, rules: tuple[Rule, ...] = RULES) -> list[Problem]:
    """Every problem that `rules` find, in their order."""
    return [problem for rule in rules for problem in rule(settings)]
