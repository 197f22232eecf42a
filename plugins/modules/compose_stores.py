#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_stores
short_description: Prepare the stores of a Compose project for Langfuse
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Does all that lies between stores that run and an application that may start, in one process and with one look at the project.
  - The password of PostgreSQL is tried, and set from inside the container when it is refused, because the image sets it only when it
    makes its data directory. The server receives a SCRAM verifier, never the password itself.
  - Buckets that are missing are made, and what is to be set on them is set.
  - The schema is migrated by one run of the project's migration service, when the image or the stores changed since the last success
    or the bookkeeping tables say so. A schema that was left half migrated is named, with table, version and cure, and never retried.
    A migration that takes longer than O(migration_timeout) is reported and left alone, because ending it would leave the schema half migrated.
options:
  project:
    description: Name of the Compose project. Its stores must have been started.
    type: str
    required: true
  directory:
    description: Directory of the project.
    type: path
    required: true
  services:
    description: Services of the stores. One that ends, or starts again and again, is not waited for.
    type: list
    elements: str
    required: true
  image:
    description: Image of the migration.
    type: str
    required: true
  timeout:
    description: Seconds to wait for stores that do not answer yet.
    type: int
    default: 60
  migration_timeout:
    description: Seconds to wait for the end of the migration.
    type: int
    default: 1800
  postgres:
    description: The database as the project sees it.
    type: dict
    required: true
    suboptions:
      source:
        description: Whether the project runs it. The password of one that it does not run is left alone.
        type: str
        choices: [bundled, existing]
        default: bundled
      host:
        description: Service of the project, or host of an existing one.
        type: str
        required: true
      port:
        description: Port inside the project, or of an existing one.
        type: int
        required: true
      user:
        description: User. Of a bundled PostgreSQL, the superuser that the image made.
        type: str
        required: true
      database:
        description: Database.
        type: str
        required: true
      sslmode:
        description: Encryption of the connection, and what it checks, in the words of libpq.
        type: str
        choices: [disable, prefer, require, verify-full]
        default: prefer
  postgres_password:
    description: Password that the user of PostgreSQL should have. Printable ASCII.
    type: str
    required: true
  clickhouse:
    description: ClickHouse as the project sees it, with its HTTP port.
    type: dict
    required: true
    suboptions:
      source:
        description: Whether the project runs it. The password of one that it does not run is left alone.
        type: str
        choices: [bundled, existing]
        default: bundled
      host:
        description: Service of the project, or host of an existing one.
        type: str
        required: true
      port:
        description: Port of its HTTP interface.
        type: int
        required: true
      user:
        description: User.
        type: str
        required: true
      database:
        description: Database.
        type: str
        required: true
      tls:
        description: Whether to use HTTPS.
        type: bool
        default: false
  clickhouse_password:
    description: Password of the user of ClickHouse.
    type: str
    required: true
  networks:
    description: Docker networks of others on which the names of existing stores are known.
    type: list
    elements: str
    default: []
  extra_hosts:
    description: Names with their addresses that the containers of the instance know, before any resolver.
    type: dict
    default: {}
  ca_path:
    description: File with CA certificates of existing stores, beside those of the host.
    type: path
  s3:
    description: The bundled object store as this host sees it. Without it no bucket is made.
    type: dict
    suboptions:
      endpoint:
        description: Address.
        type: str
        required: true
      region:
        description: Region.
        type: str
        default: us-east-1
      buckets:
        description: Buckets that must exist.
        type: list
        elements: str
        required: true
      settings:
        description: What is set on single buckets, as M(llmops.langfuse.s3_bucket) takes it.
        type: list
        elements: dict
        default: []
      media_bucket:
        description: The bucket that holds media, which must not expire.
        type: str
      media_prefix:
        description: Where in it media are.
        type: str
        default: ""
  s3_access_key:
    description: Access key of the application.
    type: str
  s3_secret_key:
    description: Secret key of the application.
    type: str
requirements:
  - botocore
  - psycopg
attributes:
  check_mode:
    support: full
    description: Looks, and says what would be done. Stores that are not there count as a fresh project.
  diff_mode:
    support: full
    description: Shows the missing buckets, whether the password differs, and what the migration would start from.
seealso:
  - module: llmops.langfuse.s3_bucket
"""

EXAMPLES = r"""
- name: Prepare the stores
  llmops.langfuse.compose_stores:
    project: langfuse
    directory: /opt/langfuse/langfuse
    services: [postgres, clickhouse, valkey, seaweedfs]
    image: docker.io/langfuse/langfuse:4.16.0
    postgres: {host: postgres, port: 5432, user: langfuse, database: langfuse}
    postgres_password: "{{ secrets.langfuse_postgres_password }}"
    clickhouse: {host: clickhouse, port: 8123, user: langfuse, database: langfuse}
    clickhouse_password: "{{ secrets.langfuse_clickhouse_password }}"
    s3:
      endpoint: http://127.0.0.1:9090
      buckets: [langfuse-events, langfuse-media, langfuse-exports]
    s3_access_key: "{{ secrets.langfuse_s3_access_key }}"
    s3_secret_key: "{{ secrets.langfuse_s3_secret_key }}"
"""

RETURN = r"""
password_set:
  description: Whether the password of PostgreSQL was set.
  returned: success
  type: bool
buckets:
  description: The buckets that were made or set.
  returned: success
  type: list
  elements: str
migration:
  description: Of the schema its C(reason) (why it was migrated, or why not), C(before) and C(after) (each with C(postgres), the
    number of finished migrations, and C(clickhouse), the version) and C(seconds).
  returned: success
  type: dict
  sample: {changed: false, reason: the schema is up to date, before: {postgres: 434, clickhouse: 46}, after: {postgres: 434, clickhouse: 46}, seconds: 0.0}
unchecked:
  description: In check mode, what could not be looked at, and why. It is told as warnings too.
  returned: success
  type: list
  elements: str
code:
  description: What kind of failure it was.
  returned: failure
  type: str
cure:
  description: What to do about it.
  returned: failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import args, compose_stores
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

STORE = dict(
    host=dict(type="str", required=True),
    port=dict(type="int", required=True),
    user=dict(type="str", required=True),
    database=dict(type="str", required=True),
    source=dict(type="str", choices=["bundled", "existing"], default="bundled"),
)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            project=dict(type="str", required=True),
            directory=dict(type="path", required=True),
            services=dict(type="list", elements="str", required=True),
            image=dict(type="str", required=True),
            timeout=dict(type="int", default=60),
            migration_timeout=dict(type="int", default=1800),
            postgres=dict(type="dict", required=True, options=dict(STORE, sslmode=args.SSLMODE)),
            postgres_password=dict(type="str", required=True, no_log=True),
            clickhouse=dict(type="dict", required=True, options=dict(STORE, tls=dict(type="bool", default=False))),
            clickhouse_password=dict(type="str", required=True, no_log=True),
            networks=dict(type="list", elements="str", default=[]),
            extra_hosts=dict(type="dict", default={}),
            ca_path=dict(type="path"),
            s3=dict(
                type="dict",
                options=dict(
                    endpoint=dict(type="str", required=True),
                    region=dict(type="str", default="us-east-1"),
                    buckets=dict(type="list", elements="str", required=True),
                    settings=dict(type="list", elements="dict", default=[]),
                    media_bucket=dict(type="str"),
                    media_prefix=dict(type="str", default=""),
                ),
            ),
            s3_access_key=dict(type="str", no_log=True),
            s3_secret_key=dict(type="str", no_log=True),
        ),
        supports_check_mode=True,
    )
    try:
        result = compose_stores.prepare(module.params, module.check_mode)
    except Failure as failure:
        module.fail_json(**failure.as_result())
    for message in result["unchecked"]:
        module.warn(f"Not looked at: {message}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
