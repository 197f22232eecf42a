"""Bad input for every rule: the rule that finds it, what the user wrote, and what the message names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Of an authority that nobody has the key of.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBjzCCATWgAwIBAgIUM7jNQtUStSDP3vCm7YmzlY7/Z58wCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRRXhhbXBsZSBhdXRob3JpdHkwIBcNMjYxMTIyMDEzNTUxWhgP
MjEyNjEwMjkwMTM1NTFaMBwxGjAYBgNVBAMMEUV4YW1wbGUgYXV0aG9yaXR5MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZewr5+MDGwEOin3KWXZvU1jVyDl2PRk2
5aWy9kOQvSYgkgrXjYQ4OKDqD6f+G9bIZXBmnVyeBaiMt1bpA0luMaNTMFEwHQYD
VR0OBBYEFOCqWCiqH7XrYYeBQYRVI1XjulC8MB8GA1UdIwQYMBaAFOCqWCiqH7Xr
YYeBQYRVI1XjulC8MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIh
AK+mKFl4nmiMcwh5i5+IvsfHN6iiaEPwRUy6y+sQ765DAiAPC02cDS3TZ+bCVD3/
4e299xy7aizCm0Dtg2tP36IlkQ==
-----END CERTIFICATE-----
"""
_CUT = CERTIFICATE.replace(CERTIFICATE.splitlines()[3] + "\n", "")

_LITELLM: dict[str, Any] = {"langfuse_litellm_key": "canary-of-litellm", "langfuse_litellm_models": ["gpt-x"]}
GOOD: dict[str, Any] = {"langfuse_init_user_email": "admin@example.com"}


@dataclass(frozen=True)
class Bad:
    rule: str
    given: dict[str, Any]
    variable: str
    without: tuple[str, ...] = field(default=())


RECIPIENT = "age1" + "q" * 58

CASES = (
    Bad("age_recipients", {"langfuse_secrets_format": "sops"}, "langfuse_age_recipients"),
    Bad("age_recipients", {"langfuse_age_recipients": ["ssh-ed25519 AAAA"]}, "langfuse_age_recipients"),
    Bad("age_recipients", {"langfuse_age_recipients": ["AGE-SECRET-KEY-1canary-proof"]}, "langfuse_age_recipients"),
    Bad("age_recipients", {"langfuse_age_recipients": [RECIPIENT, "age1short"]}, "langfuse_age_recipients"),
    Bad("age_identity_file", {"langfuse_age_identity_file": "keys/age.txt"}, "langfuse_age_identity_file"),
    Bad(
        "instance_beside_sops",
        {
            "langfuse_instance": "sops",
            "langfuse_secrets_format": "sops",
            "langfuse_age_recipients": [RECIPIENT],
        },
        "langfuse_instance",
    ),
    Bad("instance_name", {"langfuse_instance": "My_Instance"}, "langfuse_instance"),
    Bad("instance_name", {"langfuse_instance": "a" * 41}, "langfuse_instance"),
    Bad("instance_name", {"langfuse_instance": "trailing-"}, "langfuse_instance"),
    Bad("short_secrets", {"langfuse_nextauth_secret": "Pa55"}, "langfuse_nextauth_secret"),
    Bad("short_secrets", {"langfuse_salt": "pepper"}, "langfuse_salt"),
    Bad("short_secrets", {"langfuse_redis_password": "guess"}, "langfuse_redis_password"),
    Bad("encryption_key", {"langfuse_encryption_key": "z" * 64}, "langfuse_encryption_key"),
    Bad("encryption_key", {"langfuse_encryption_key": "ab" * 31}, "langfuse_encryption_key"),
    Bad(
        "project_key_form",
        {"langfuse_init_project_public_key": "pk-abcdefgh", "langfuse_init_project_secret_key": "sk-lf-abcdefgh"},
        "langfuse_init_project_public_key",
    ),
    Bad(
        "project_key_form",
        {"langfuse_init_project_public_key": "pk-lf-abcdefgh", "langfuse_init_project_secret_key": "sk-lf-with:colon"},
        "langfuse_init_project_secret_key",
    ),
    Bad("project_key_pair", {"langfuse_init_project_secret_key": "sk-lf-abcdefgh"}, "langfuse_init_project_public_key"),
    Bad("project_key_pair", {"langfuse_init_project_public_key": "pk-lf-abcdefgh"}, "langfuse_init_project_secret_key"),
    Bad("first_start_identifiers", {"langfuse_init_org_id": ""}, "langfuse_init_org_id"),
    Bad("first_start_identifiers", {"langfuse_init_project_id": "with space"}, "langfuse_init_project_id"),
    Bad("first_user_email", {"langfuse_init_user_email": "admin"}, "langfuse_init_user_email"),
    Bad("first_user_email", {"langfuse_init_user_email": "admin@localhost"}, "langfuse_init_user_email"),
    Bad("first_user_password", {"langfuse_init_user_password": "seven77"}, "langfuse_init_user_password"),
    Bad("first_user_password", {"langfuse_init_user_password": "é" * 37}, "langfuse_init_user_password"),
    Bad("somebody_can_sign_in", {}, "langfuse_init_user_email", without=("langfuse_init_user_email",)),
    Bad("urls", {"langfuse_public_url": "https://[fd00::1"}, "langfuse_public_url"),
    Bad("urls", {"langfuse_public_url": "https://langfuse.example.com:port"}, "langfuse_public_url"),
    Bad("urls", {"langfuse_public_url": "localhost:3030"}, "langfuse_public_url"),
    Bad("urls", {"langfuse_public_url": "http://[::1"}, "langfuse_public_url"),
    Bad("urls", {"langfuse_public_url": "http://langfuse.example.com:90a0"}, "langfuse_public_url"),
    Bad("urls", {"langfuse_s3_public_endpoint": "http://media example.com"}, "langfuse_s3_public_endpoint"),
    Bad("inside_a_container", {"langfuse_litellm_url": "http://localhost:4000", **_LITELLM}, "langfuse_litellm_url"),
    Bad(
        "inside_a_container",
        {"langfuse_smtp_url": "smtp://[::1]:25", "langfuse_email_from": "l@example.com"},
        "langfuse_smtp_url",
    ),
    Bad("inside_a_container", {"langfuse_https_proxy": "http://127.0.0.1:3128"}, "langfuse_https_proxy"),
    Bad("urls", {"langfuse_public_url": "http://localhost:3030/langfuse"}, "langfuse_public_url"),
    Bad("urls", {"langfuse_s3_public_endpoint": "http://user@localhost"}, "langfuse_s3_public_endpoint"),
    Bad("domain", {"langfuse_subdomain": "under_score"}, "langfuse_subdomain"),
    Bad(
        "domain",
        {"cloudflare_domain": "https://example.com", "langfuse_public_url": "http://localhost:3030"},
        "cloudflare_domain",
    ),
    *(
        Bad(
            "public_host",
            {"langfuse_public_url": f"http://{host}", "langfuse_s3_public_endpoint": "https://s3.example.com"},
            "langfuse_public_url",
        )
        for host in (
            *("langfuse.${SECRET_DOMAIN}", "lang_fuse.example.com", "langfuse.example.com.", "münchen.example.com"),
            *(
                "langfuse..example.com",
                "-langfuse.example.com",
                "10.0.0.256",
                "*.example.com",
                f"{'a' * 64}.example.com",
            ),
        )
    ),
    *(
        Bad("image_registry", {"langfuse_image_registry": registry}, "langfuse_image_registry")
        for registry in (
            *("https://mirror.example.com", "user:canary-proof@mirror.example.com", "https://u:canary-proof@host"),
            *("", "mirror.example.com/Hub", "mirror.example.com:port", "mirror example.com", "mirror.example.com//hub"),
        )
    ),
    Bad("mail_url", {"langfuse_smtp_url": "smtp://u:p#w@host", "langfuse_email_from": "a@b.c"}, "langfuse_smtp_url"),
    Bad("mail_url", {"langfuse_smtp_url": "mail.example.com:587", "langfuse_email_from": "a@b.c"}, "langfuse_smtp_url"),
    Bad("mail_pair", {"langfuse_smtp_url": "smtp://mail.example.com"}, "langfuse_email_from"),
    Bad("mail_pair", {"langfuse_email_from": "a@example.com"}, "langfuse_smtp_url"),
    Bad("clickhouse_password", {"langfuse_clickhouse_password": "with&ampersand"}, "langfuse_clickhouse_password"),
    Bad("postgres_password", {"langfuse_postgres_password": "contraseña-larga"}, "langfuse_postgres_password"),
    Bad("object_store_keys", {"langfuse_s3_access_key": "with/slash"}, "langfuse_s3_access_key"),
    Bad("control_characters", {"langfuse_redis_password": "two lines here\nrequirepass x"}, "langfuse_redis_password"),
    Bad("store_names", {"langfuse_postgres_database": "lang-fuse"}, "langfuse_postgres_database"),
    Bad("bucket_names", {"langfuse_s3_media_bucket": "Media"}, "langfuse_s3_media_bucket"),
    Bad("events_bucket_alone", {"langfuse_s3_media_bucket": "langfuse-events"}, "langfuse_s3_media_bucket"),
    Bad("prefixes", {"langfuse_s3_media_prefix": "media"}, "langfuse_s3_media_prefix"),
    Bad("prefixes", {"langfuse_s3_exports_prefix": "/exports/"}, "langfuse_s3_exports_prefix"),
    Bad("clashing_ports", {"langfuse_web_port": 9090}, "langfuse_s3_port"),
    Bad("clashing_ports", {"langfuse_web_port": 70000}, "langfuse_web_port"),
    Bad("bind_address", {"langfuse_bind_address": "all"}, "langfuse_bind_address"),
    Bad("bind_address", {"langfuse_bind_address": "10.0.0.256"}, "langfuse_bind_address"),
    Bad("sampling_ratio", {"langfuse_trace_sampling_ratio": 0}, "langfuse_trace_sampling_ratio"),
    Bad("sampling_ratio", {"langfuse_trace_sampling_ratio": 1.5}, "langfuse_trace_sampling_ratio"),
    Bad(
        "tracing",
        {"langfuse_tracing_enabled": True, "langfuse_otlp_endpoint": "http://tempo:4318"},
        "langfuse_tracing_enabled",
    ),
    Bad("tracing", {"langfuse_tracing_enabled": True, "tracing_enabled": True}, "langfuse_otlp_endpoint"),
    Bad("retention", {"langfuse_init_project_retention": 2}, "langfuse_init_project_retention"),
    Bad("retention", {"langfuse_init_project_retention": 30}, "langfuse_init_project_retention"),
    Bad("license_form", {"langfuse_license_key": "abc"}, "langfuse_license_key"),
    Bad("session_age", {"langfuse_session_max_age": 5}, "langfuse_session_max_age"),
    Bad("session_age", {"langfuse_session_max_age": 2592000}, "langfuse_session_max_age"),
    Bad("floating_versions", {"langfuse_version": "latest"}, "langfuse_version"),
    Bad("floating_versions", {"langfuse_version": "4"}, "langfuse_version"),
    Bad("floating_versions", {"langfuse_postgres_version": "17"}, "langfuse_postgres_version"),
    Bad("supported_versions", {"langfuse_version": "3.225.4"}, "langfuse_version"),
    Bad("supported_versions", {"langfuse_clickhouse_version": "24.3"}, "langfuse_clickhouse_version"),
    Bad("store_images", {"langfuse_postgres_version": "17.11-alpine"}, "langfuse_postgres_version"),
    Bad("store_images", {"langfuse_seaweedfs_version": "3.97"}, "langfuse_seaweedfs_version"),
    Bad(
        "clickhouse_profile",
        {
            "langfuse_clickhouse_version": "26.9",
            "langfuse_compose_overrides": {"services": {"clickhouse": {"volumes": []}}},
        },
        "langfuse_compose_overrides",
    ),
    Bad("media_reachable", {"langfuse_public_url": "https://langfuse.example.com"}, "langfuse_s3_public_endpoint"),
    Bad("memory_limits", {"langfuse_web_memory": "1g"}, "langfuse_web_memory"),
    Bad("memory_limits", {"langfuse_worker_memory": "lots"}, "langfuse_worker_memory"),
    Bad("numbers_in_range", {"langfuse_worker_replicas": 0}, "langfuse_worker_replicas"),
    Bad("numbers_in_range", {"langfuse_stuck_seconds": 10}, "langfuse_stuck_seconds"),
    Bad("log_size", {"langfuse_log_max_size": "20"}, "langfuse_log_max_size"),
    Bad("extra_names", {"langfuse_extra_env": {"LANGFUSE_LOG_LEVL": "info"}}, "langfuse_extra_env"),
    Bad("extra_names", {"langfuse_web_extra_env": {"SALT": "other"}}, "langfuse_web_extra_env"),
    Bad("extra_names", {"langfuse_extra_env": {"AUTH_KEYCLOAK_ID_TOKEN": "True"}}, "langfuse_extra_env"),
    Bad(
        "extra_names", {"langfuse_worker_extra_env": {"LANGFUSE_S3_CONCURRENT_READS": 50}}, "langfuse_worker_extra_env"
    ),
    Bad(
        "extra_names", {"langfuse_worker_extra_env": {"LANGFUSE_S3_CONCURRENT_READS": "0"}}, "langfuse_worker_extra_env"
    ),
    Bad("ca_certificates", {"langfuse_ca_certificates": "/etc/ssl/ca.pem"}, "langfuse_ca_certificates"),
    Bad("ca_certificates", {"langfuse_ca_certificates": _CUT}, "langfuse_ca_certificates"),
    Bad("ca_certificates", {"langfuse_ca_certificates": CERTIFICATE + CERTIFICATE[:200]}, "langfuse_ca_certificates"),
    Bad(
        "ca_certificates",
        {"langfuse_ca_certificates": CERTIFICATE.replace("CERTIFICATE", "PRIVATE KEY")},
        "langfuse_ca_certificates",
    ),
    Bad("https_proxy", {"langfuse_https_proxy": "proxy:3128"}, "langfuse_https_proxy"),
    Bad("https_proxy", {"langfuse_https_proxy": "http://user:p#w@proxy.example.com"}, "langfuse_https_proxy"),
    Bad("https_proxy", {"langfuse_https_proxy": "http://proxy.example.com:http"}, "langfuse_https_proxy"),
    Bad("no_proxy", {"langfuse_no_proxy": ["git.example.com"]}, "langfuse_no_proxy"),
    Bad(
        "no_proxy",
        {"langfuse_https_proxy": "http://proxy:3128", "langfuse_no_proxy": ["https://git.example.com"]},
        "langfuse_no_proxy",
    ),
    Bad("labels", {"langfuse_labels": {"com.docker.compose.project": "other"}}, "langfuse_labels"),
    Bad("labels", {"langfuse_labels": {"llmops.langfuse.files": "0"}}, "langfuse_labels"),
    Bad("labels", {"langfuse_labels": {"two words": "x"}}, "langfuse_labels"),
    Bad("labels", {"langfuse_labels": {"team": True}}, "langfuse_labels"),
    Bad("extra_volumes", {"langfuse_extra_volumes": ["./models:/models"]}, "langfuse_extra_volumes"),
    Bad("extra_volumes", {"langfuse_extra_volumes": ["/srv/../etc:/models"]}, "langfuse_extra_volumes"),
    Bad("extra_volumes", {"langfuse_extra_volumes": ["/srv/models:/models:z"]}, "langfuse_extra_volumes"),
    Bad("extra_volumes", {"langfuse_extra_volumes": ["/srv/models:/tmp/models"]}, "langfuse_extra_volumes"),
    Bad("extra_volumes", {"langfuse_extra_volumes": ["/srv/models:/etc"]}, "langfuse_extra_volumes"),
    Bad("extra_volumes", {"langfuse_extra_volumes": ["/srv/a:/models", "/srv/b:/models"]}, "langfuse_extra_volumes"),
    Bad("data_directory", {"langfuse_data_directory": "srv/langfuse"}, "langfuse_data_directory"),
    Bad("data_directory", {"langfuse_data_directory": "/srv/../etc"}, "langfuse_data_directory"),
    Bad("data_directory", {"langfuse_data_directory": "/opt/langfuse"}, "langfuse_data_directory"),
    Bad("data_directory", {"langfuse_data_directory": "/opt/langfuse/langfuse/data"}, "langfuse_data_directory"),
    Bad(
        "data_directory",
        {"langfuse_data_directory": "/srv", "langfuse_project_directory": "/srv/langfuse/project"},
        "langfuse_data_directory",
    ),
    Bad("image_archive", {"langfuse_image_archive": "images.tar"}, "langfuse_image_archive"),
    Bad(
        "image_archive",
        {"langfuse_image_archive": "/srv/images.tar", "langfuse_image_pull": "always"},
        "langfuse_image_pull",
    ),
    Bad(
        "extra_names",
        {"langfuse_https_proxy": "http://proxy:3128", "langfuse_extra_env": {"no_proxy": "x"}},
        "langfuse_extra_env",
    ),
    Bad("teardown_confirmation", {"langfuse_teardown_data": "yes"}, "langfuse_teardown_data"),
    Bad("docker_repository", {"langfuse_docker_apt_repository": "deb x y z"}, "langfuse_docker_apt_repository"),
)
