#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a virtual module: the action plugin of the same name does its work.

from __future__ import annotations

DOCUMENTATION = r"""
module: secrets_file
short_description: Keep the generated secrets of an instance on the controller
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Reads, or adds to, a file of secrets on the controller that is keyed by instance.
  - Without O(values) it only reads, and draws a candidate for every secret that is missing. Use C(no_log) with it.
  - An existing value is never changed.
options:
  path:
    description: The file.
    type: path
    required: true
  format:
    description: V(vault) encrypts with the first vault password of the run, V(plain) does not.
    type: str
    choices: [vault, plain]
    default: vault
  instance:
    description: Name of the instance.
    type: str
    required: true
  values:
    description: Secrets to add. Those that the file has already are left alone.
    type: dict
  state:
    description: V(absent) removes the secrets of the instance.
    type: str
    choices: [present, absent]
    default: present
attributes:
  action:
    support: full
    description: It runs on the controller.
  check_mode:
    support: full
    description: Says whether the file would change.
  diff_mode:
    support: none
    description: It never shows secrets.
"""

EXAMPLES = r"""
- name: Read the secrets
  llmops.langfuse.secrets_file:
    path: "{{ inventory_dir }}/.secrets/langfuse.yml"
    instance: langfuse
  register: secrets
  no_log: true
"""

RETURN = r"""
stored:
  description: Secrets of the instance.
  returned: when O(values) is not given
  type: dict
candidates:
  description: A fresh value for each secret that the file lacks.
  returned: when O(values) is not given
  type: dict
problems:
  description: Why the file cannot be used.
  returned: when O(values) is not given
  type: list
  elements: str
"""
