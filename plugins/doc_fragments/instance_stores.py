# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The stores of an instance, as its application is told where they are."""

    DOCUMENTATION = r"""
options:
  postgres:
    description: Where the application's PostgreSQL is. Needs psycopg.
    type: dict
    suboptions:
      host:
        description: Host.
        type: str
        required: true
      port:
        description: Port.
        type: int
        default: 5432
      database:
        description: Database.
        type: str
        required: true
      user:
        description: The application's role.
        type: str
        required: true
      sslmode:
        description: Encryption of the connection, and what it checks, in the words of libpq.
        type: str
        choices: [disable, prefer, require, verify-full]
        default: prefer
  postgres_password:
    description: Password of the role.
    type: str
  clickhouse:
    description: Where the application's ClickHouse is.
    type: dict
    suboptions:
      url:
        description: Address of its HTTP interface, for example V(http://clickhouse:8123).
        type: str
        required: true
      user:
        description: The application's user.
        type: str
        required: true
      database:
        description: The application's database.
        type: str
        default: default
      migration_port:
        description: Port of the native protocol, which migrations need. Looked at with O(level=diagnose).
        type: int
  clickhouse_password:
    description: Password of the ClickHouse user.
    type: str
  redis:
    description: Where the application's Redis or Valkey is. Needs the Python package redis.
    type: dict
    suboptions:
      mode:
        description: Form of the store.
        type: str
        choices: [single, cluster, sentinel]
        default: single
      host:
        description: Host of a single one.
        type: str
      port:
        description: Port of a single one.
        type: int
        default: 6379
      nodes:
        description: Nodes of a cluster, or sentinels, each C(host:port).
        type: list
        elements: str
        default: []
      sentinel_master:
        description: Name of the master that the sentinels watch.
        type: str
      sentinel_username:
        description: User at the sentinels.
        type: str
      username:
        description: The application's user. Without it, the default user.
        type: str
      prefix:
        description: C(REDIS_KEY_PREFIX) of the application.
        type: str
        default: ""
      tls:
        description: Whether to use TLS.
        type: bool
        default: false
  redis_password:
    description: Password of the Redis user.
    type: str
  redis_sentinel_password:
    description: Password at the sentinels.
    type: str
  s3:
    description: Where the application's object store is. Needs botocore.
    type: dict
    suboptions:
      endpoint:
        description: Address of the store as the worker uses it. Without it, AWS.
        type: str
      region:
        description: Region.
        type: str
        default: us-east-1
      path_style:
        description: Whether the bucket's name stands in the path.
        type: bool
        default: true
      buckets:
        description: Buckets by role. C(events) and C(media) are the usual ones, each with the name of its bucket.
        type: dict
        default: {}
  s3_access_key:
    description: The application's access key.
    type: str
  s3_secret_key:
    description: The application's secret key.
    type: str
"""
