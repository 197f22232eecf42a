# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules say of their options, in the words of the collection's variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MODULES = {"postgres": "postgresql_database", "redis": "redis_acl_user", "keycloak": "keycloak_client"}
# No variable does that: who wants it says so to the module itself.
_FORCE = {
    "set force: true": "run the module {1} with force: true",
    "Set force: true": "Run the module {1} with force: true",
}
# Option of a module → variable of the collection, for what people read; {0} is the store, {1} its module.
_VARIABLES: Mapping[str, str] = {
    "login_host": "langfuse_{0}_host",
    "login_port": "langfuse_{0}_port",
    "login_url": "langfuse_{0}_host",
    "login_user": "langfuse_{0}_admin_user",
    "login_password": "langfuse_{0}_admin_password",
    "login_database": "langfuse_{0}_admin_database",
    "endpoint_url": "langfuse_{0}_endpoint",
    "sslmode": "langfuse_{0}_sslmode",
    "tls": "langfuse_{0}_tls",
    "ca_path": "langfuse_ca_certificates",
    "in the option database": "in langfuse_{0}_database",
    "in the option role": "in langfuse_{0}_user",
    "in the option user": "in langfuse_{0}_user",
    "another username": "another langfuse_{0}_username",
    **_FORCE,
}
# Where nobody administers PostgreSQL, its own role signs in.
_OWN_ROLE = {
    "login_user": "langfuse_postgres_user",
    "login_password": "langfuse_postgres_password",
    "login_database": "langfuse_postgres_database",
}
_S3 = {
    **_VARIABLES,
    "cors": "langfuse_s3_cors_origins",
    "lifecycle": "langfuse_s3_events_expire_days or langfuse_s3_exports_expire_days",
    # Cures of the store name no options.
    "correct the endpoint": "correct langfuse_s3_endpoint",
    "the scheme of the endpoint": "the scheme of langfuse_s3_endpoint",
    "or the region": "or langfuse_s3_region",
    "the CA of the store's certificate": "the CA of the store's certificate in langfuse_ca_certificates",
}
_KEYCLOAK = {
    "url": "langfuse_keycloak_admin_url",
    # Realms and scopes are words of messages too.
    "correct realm": "correct the realm of langfuse_sso_issuer",
    "default_scopes and optional_scopes": "langfuse_sso_scope",
    "Add the scope email": "Add the scope email to langfuse_sso_scope",
    "another client_id": "another langfuse_sso_client_id",
    **_FORCE,
    "auth_realm": "langfuse_keycloak_admin_realm",
    "auth_client_id": "langfuse_keycloak_admin_client_id",
    "auth_client_secret": "langfuse_keycloak_admin_client_secret",
    "auth_username": "langfuse_keycloak_admin_user",
    "auth_password": "langfuse_keycloak_admin_password",
    "ca_path": "langfuse_ca_certificates",
}


def translated(text: str, store: str, own_role: bool = False) -> str:
    """The text with variables in place of options. ``own_role``: nobody administers this PostgreSQL."""
    variables = {"keycloak": _KEYCLOAK, "s3": _S3}.get(store, {**_VARIABLES, **_OWN_ROLE} if own_role else _VARIABLES)
    pattern = re.compile(rf"\b({'|'.join(variables)})\b")
    return pattern.sub(lambda found: variables[found[1]].format(store, _MODULES.get(store)), text)
