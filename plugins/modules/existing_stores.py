#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: existing_stores
short_description: Check and prepare the stores that a Langfuse instance does not bring itself
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Checks all given stores at once, and only when all are fit makes what is missing in each of them.
  - It does what M(llmops.langfuse.postgresql_database), M(llmops.langfuse.clickhouse_database),
    M(llmops.langfuse.redis_acl_user) and M(llmops.langfuse.s3_bucket) do, in one process.
  - Administrators' passwords are used for that and kept nowhere.
options:
  postgres:
    description: PostgreSQL. Without C(admin_user) it is only checked.
    type: dict
    suboptions:
      host: {description: Host., type: str, required: true}
      port: {description: Port., type: int, default: 5432}
      sslmode:
        description: Encryption of the connection, and what it checks, in the words of libpq.
        type: str
        choices: [disable, prefer, require, verify-full]
        default: prefer
      database: {description: Database of the instance., type: str, required: true}
      user: {description: Role of the instance., type: str, required: true}
      admin_user: {description: User that may create roles and databases., type: str}
      admin_database: {description: Database that it connects to., type: str, default: postgres}
  postgres_password: {description: Password of the role., type: str}
  postgres_admin_password: {description: Password of the administrator., type: str}
  clickhouse:
    description: ClickHouse. Without C(admin_user) it is only checked.
    type: dict
    suboptions:
      url: {description: Address of its HTTP interface., type: str, required: true}
      cluster: {description: Whether tables are made on every node of the cluster C(default)., type: bool, default: false}
      database: {description: Database of the instance., type: str, required: true}
      user: {description: User of the instance., type: str, required: true}
      admin_user: {description: User that may create users and databases and grant., type: str}
  clickhouse_password: {description: Password of the user., type: str}
  clickhouse_admin_password: {description: Password of the administrator., type: str}
  redis:
    description: Redis. Without C(admin_user) it is only checked.
    type: dict
    suboptions:
      mode:
        description: Form of the store.
        type: str
        choices: [single, cluster, sentinel]
        default: single
      host: {description: Host of a single one., type: str}
      port: {description: Port of a single one., type: int, default: 6379}
      nodes: {description: 'Nodes of a cluster, or sentinels, each C(host:port).', type: list, elements: str, default: []}
      sentinel_master: {description: Name of the master that the sentinels watch., type: str}
      sentinel_username: {description: User at the sentinels., type: str}
      username: {description: User of the instance. Without it the default user., type: str}
      prefix: {description: What every key begins with., type: str, default: ''}
      tls: {description: Whether to use TLS., type: bool, default: false}
      admin_user: {description: User that may make others., type: str}
  redis_password: {description: Password of the user., type: str}
  redis_admin_password: {description: Password of the administrator., type: str}
  redis_sentinel_password: {description: Password at the sentinels., type: str}
  s3:
    description: Object store. At Azure and Google it is only checked.
    type: dict
    suboptions:
      service:
        description: What it speaks.
        type: str
        choices: [s3, azure, gcs]
        default: s3
      endpoint: {description: 'Address. Without it, AWS or Google.', type: str}
      region: {description: Region., type: str, default: us-east-1}
      path_style: {description: Whether the bucket's name stands in the path., type: bool, default: true}
      buckets: {description: Names of the buckets., type: list, elements: str, required: true}
      settings:
        description: What is set on single buckets, as M(llmops.langfuse.s3_bucket) takes it.
        type: list
        elements: dict
        default: []
      media_bucket: {description: 'The bucket that holds media, which must not expire.', type: str}
      media_prefix: {description: Where in it media are., type: str, default: ''}
      backups:
        description: Bucket of PostgreSQL's backups. It is made as the others, unless backups have keys of their own and there is no administrator.
        type: dict
        suboptions:
          bucket: {description: Its name., type: str, required: true}
          folder: {description: Where in it the backups go., type: str, required: true}
      creates:
        description: Whether the application makes a container of Azure that is not there.
        type: bool
        default: false
  s3_access_key:
    description: Access key of the instance, or the name of an account at Azure. Without it, what the machine may do.
    type: str
  s3_secret_key: {description: 'Its secret key, or a key of the account.', type: str}
  gcs_credentials:
    description: JSON of the key of a service account of Google. Without it, what the machine may do.
    type: str
  s3_admin_access_key: {description: Access key that may create buckets., type: str}
  s3_admin_secret_key: {description: Its secret key., type: str}
  s3_backup_access_key: {description: Access key of the backups. Without it they have the one of the instance., type: str}
  s3_backup_secret_key: {description: Its secret key., type: str}
  keycloak:
    description: Client for sign-in at a Keycloak, with the options of M(llmops.langfuse.keycloak_client).
    type: dict
    suboptions:
      url: {description: Address of Keycloak., type: str, required: true}
      auth_realm: {description: Realm of the administrator., type: str, default: master}
      auth_client_id: {description: Client that the administrator is or uses., type: str, default: admin-cli}
      auth_username: {description: Administrator. Without it the client itself., type: str}
      realm: {description: Realm of the client., type: str, required: true}
      client_id: {description: Name of the client., type: str, required: true}
      root_url: {description: Address of the instance., type: str, required: true}
      redirect_uris: {description: Where sign-ins come back., type: list, elements: str, required: true}
      web_origins: {description: Origins of its pages., type: list, elements: str, required: true}
      post_logout_redirect_uris: {description: Where sign-outs come back., type: list, elements: str, required: true}
      pkce: {description: Proof that sign-ins must bring., type: str, choices: [S256, none], default: S256}
      default_scopes: {description: Scopes of the client., type: list, elements: str, default: [basic, email, profile]}
      requested_scopes: {description: Scopes that a sign-in asks for., type: list, elements: str, default: [openid, email, profile]}
  keycloak_admin_password: {description: Password of the administrator., type: str}
  keycloak_admin_client_secret: {description: Secret of the client that the administrator is or uses., type: str}
  keycloak_client_secret: {description: Secret of the client., type: str}
  directory:
    description: Directory of the project. What the stores call themselves is kept there. Without it nothing is.
    type: path
  places:
    description: Where each store is, as people are told.
    type: dict
    default: {}
  unclear:
    description: Stores that had another address, each with that. One that is not the same by its own words is refused.
    type: dict
    default: {}
  unclaimed:
    description: Stores that the instance has not used. One that holds data of Langfuse is refused.
    type: list
    elements: str
    default: []
  networks:
    description: Docker networks of this host on which the names of the stores are known.
    type: list
    elements: str
    default: []
  extra_hosts:
    description: Names with their addresses that the containers of the instance know, before any resolver.
    type: dict
    default: {}
  ca_certificates:
    description: Certificates of private authorities beside those of the host, as PEM text.
    type: str
  new_secrets:
    description: Secrets that were drawn just now. With any of them a database that has a schema is refused.
    type: list
    elements: str
    default: []
  fail:
    description: Whether to fail for what is wrong with the stores. Else the caller decides by RV(errors).
    type: bool
    default: true
extends_documentation_fragment:
  - llmops.langfuse.cluster
  - llmops.langfuse.cluster.secrets
requirements:
  - azure-storage-blob, for O(s3.service=azure)
  - botocore, for O(s3.service=s3)
  - google-auth, for O(gcs_credentials)
  - libpass
  - psycopg
  - redis
attributes:
  check_mode:
    support: full
    description:
      - Checks all stores, and says what would be made.
      - Whether the instance's own key may write objects is proved by writing, so only a run tells. What was proved is kept in
        O(directory), and the next run only reads.
  diff_mode:
    support: full
    description: Shows the difference of each store that changes.
"""

EXAMPLES = r"""
- name: Prepare the PostgreSQL and the Redis of the application
  llmops.langfuse.existing_stores:
    networks: [shop_default]
    postgres: {host: pgsql, database: langfuse, user: langfuse, admin_user: postgres}
    postgres_password: "{{ secrets.langfuse_postgres_password }}"
    postgres_admin_password: "{{ shop_postgres_password }}"
    redis: {host: redis, username: langfuse, prefix: 'langfuse:', admin_user: default}
    redis_password: "{{ secrets.langfuse_redis_password }}"
"""

RETURN = r"""
stores:
  description: Of each store, whether it was C(changed), and its C(version).
  type: dict
  returned: success
  sample: {postgres: {changed: true, version: '17.6'}, redis: {changed: false, version: 8.1.1}}
notices:
  description: What will hurt later, and stores that were left out because a secret could not be read, as sentences.
  type: list
  elements: str
  returned: success
errors:
  description: What is wrong with the stores, as sentences.
  type: list
  elements: str
  returned: always
code:
  description: Stable name of the first thing that is wrong.
  type: str
  returned: failure
cure:
  description: What to do about it.
  type: str
  returned: failure
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import (
    args,
    authorities,
    existing_stores,
    keycloak_client,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def argument_spec() -> dict[str, Any]:
    text: dict[str, Any] = {"type": "str"}
    needed: dict[str, Any] = {"type": "str", "required": True}
    secret: dict[str, Any] = {"type": "str", "no_log": True}
    several: dict[str, Any] = {"type": "list", "elements": "str", "required": True}

    def group(**options: Any) -> dict[str, Any]:
        # No group holds a secret, whatever its name says.
        return {"type": "dict", "options": options, "no_log": False}

    return {
        "postgres": group(
            host=needed,
            port={"type": "int", "default": 5432},
            sslmode=args.SSLMODE,
            database=needed,
            user=needed,
            admin_user=text,
            admin_database={"type": "str", "default": "postgres"},
        ),
        "postgres_password": secret,
        "postgres_admin_password": secret,
        "clickhouse": group(
            url=needed, cluster={"type": "bool", "default": False}, database=needed, user=needed, admin_user=text
        ),
        "clickhouse_password": secret,
        "clickhouse_admin_password": secret,
        "redis": {"type": "dict", "options": {**args.REDIS_SPEC, "admin_user": text}},
        "redis_password": secret,
        "redis_admin_password": secret,
        "redis_sentinel_password": secret,
        "s3": group(
            service={"type": "str", "choices": ["s3", "azure", "gcs"], "default": "s3"},
            endpoint=text,
            region={"type": "str", "default": "us-east-1"},
            path_style={"type": "bool", "default": True},
            buckets=several,
            settings={"type": "list", "elements": "dict", "default": []},
            media_bucket=text,
            media_prefix={"type": "str", "default": ""},
            backups=group(bucket=needed, folder=needed),
            creates={"type": "bool", "default": False},
        ),
        "s3_access_key": secret,
        "s3_secret_key": secret,
        "gcs_credentials": secret,
        "s3_admin_access_key": secret,
        "s3_admin_secret_key": secret,
        "s3_backup_access_key": secret,
        "s3_backup_secret_key": secret,
        "keycloak": group(
            url=needed,
            auth_realm={"type": "str", "default": "master"},
            auth_client_id={"type": "str", "default": "admin-cli"},
            auth_username=text,
            realm=needed,
            client_id=needed,
            root_url=needed,
            redirect_uris=several,
            web_origins=several,
            post_logout_redirect_uris=several,
            pkce={"type": "str", "choices": ["S256", "none"], "default": "S256"},
            default_scopes=keycloak_client.SPEC["default_scopes"],
            requested_scopes=keycloak_client.SPEC["requested_scopes"],
        ),
        "keycloak_admin_password": secret,
        "keycloak_admin_client_secret": secret,
        "keycloak_client_secret": secret,
        "directory": {"type": "path"},
        "places": {"type": "dict", "default": {}},
        "unclear": {"type": "dict", "default": {}},
        "unclaimed": {"type": "list", "elements": "str", "default": []},
        "networks": {"type": "list", "elements": "str", "default": []},
        "extra_hosts": {"type": "dict", "default": {}},
        "ca_certificates": text,
        "fail": {"type": "bool", "default": True},
        "cluster": args.CLUSTER_SPEC,
        "from_secrets": args.FROM_SECRETS_SPEC,
        "new_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        unread = args.from_secrets(module, all_needed=False)
        given = module.params["ca_certificates"]
        with args.reached(module.params["cluster"]), authorities.beside_those_of_host(given) as ca_path:
            result = existing_stores.prepare(module.params, ca_path, module.check_mode, unread)
    except Failure as failure:
        result = failure.as_result()
        result.setdefault("errors", [result["msg"]])
        if module.params["fail"]:
            module.fail_json(**result)
        module.exit_json(changed=False, stores={}, notices=[], errors=result["errors"])
    for notice in result["notices"]:
        module.warn(notice)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
