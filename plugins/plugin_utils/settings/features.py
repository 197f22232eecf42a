# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Effective switches. What is asked for and cannot be had is a rule's problem (`rules.py`), not an off here."""

from __future__ import annotations

from collections.abc import Mapping

from .cluster import in_cluster
from .cluster_secrets import is_there
from .plan import Feature, Settings


def _switch(settings: Settings, name: str) -> Feature:
    return Feature(True) if settings[name] else Feature(False, f"{name} is off")


def features(settings: Settings) -> Mapping[str, Feature]:
    """Every feature of the instance: name → on, or off with the reason."""
    mail = is_there(settings, "langfuse_smtp_url")
    paid = is_there(settings, "langfuse_license_key")
    first_user = bool(settings["langfuse_init_user_email"])
    found = {
        "admin_api": _switch(settings, "langfuse_admin_api_enabled"),
        "batch_export": _switch(settings, "langfuse_batch_export_enabled"),
        "email": Feature(mail, "" if mail else "langfuse_smtp_url is not set"),
        "enterprise": Feature(paid, "" if paid else "langfuse_license_key is not set"),
        "first_user": Feature(first_user, "" if first_user else "langfuse_init_user_email is not set"),
        "password_login": _switch(settings, "langfuse_password_login_enabled"),
        "sso": _switch(settings, "langfuse_sso_enabled"),
        "sign_up": _switch(settings, "langfuse_signup_enabled"),
        "telemetry": _switch(settings, "langfuse_telemetry_enabled"),
        "tracing": _switch(settings, "langfuse_tracing_enabled" if settings["tracing_enabled"] else "tracing_enabled"),
    }
    if in_cluster(settings):
        monitoring = "langfuse_monitoring_enabled" if settings["monitoring_enabled"] else "monitoring_enabled"
        found |= {
            "backup": _switch(settings, "langfuse_backup_enabled"),
            "monitoring": _switch(settings, monitoring),
            "network_policies": _switch(settings, "network_policies_enabled"),
        }
    return found
