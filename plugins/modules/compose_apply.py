#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a virtual module: the action plugin of the same name does its work.

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_apply
short_description: Bring a Compose project to a state, and say in one sentence why not
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Passes all of its options to M(community.docker.docker_compose_v2), and returns its result without the lists of containers and images,
    which on a failure bury the sentence that matters.
options:
  project_src:
    description: Directory of the project.
    type: path
    required: true
  project_name:
    description: Name of the project.
    type: str
    required: true
  state:
    description: What the project, or those of its services that are named, should be.
    type: str
    choices: [present, absent]
    default: present
  services:
    description: Services to bring up, and what they depend on. All when empty.
    type: list
    elements: str
    default: []
  recreate:
    description: Whether containers are made anew.
    type: str
    choices: [always, never, auto]
    default: auto
  pull:
    description: When images are pulled.
    type: str
    choices: [always, missing, never]
    default: missing
  remove_orphans:
    description: Removes containers of services that the project no longer has.
    type: bool
    default: false
  remove_volumes:
    description: Removes the volumes too, with O(state=absent).
    type: bool
    default: false
  timeout:
    description: Seconds that a container has to stop.
    type: int
  wait:
    description: Waits until containers are running and healthy. In check mode nothing starts, so it does not wait.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait.
    type: int
attributes:
  check_mode:
    support: full
    description: Compose says what it would do.
  diff_mode:
    support: full
    description: Names the containers, networks and volumes, and what happens to each.
seealso:
  - module: community.docker.docker_compose_v2
"""

EXAMPLES = r"""
- name: Start the stores
  llmops.langfuse.compose_apply:
    project_src: /opt/langfuse/langfuse
    project_name: langfuse
    services: [postgres, clickhouse]
    wait: true
"""

RETURN = r"""
actions:
  description: What Compose did, or in check mode would do.
  returned: success
  type: list
  elements: dict
"""
