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
    description:
      - V(vault) encrypts with the first vault password of the run, V(sops) with SOPS for O(recipients), V(plain) does not.
      - A file of any form is read. It is brought to this one when secrets are written, also when there are none to add.
    type: str
    choices: [vault, sops, plain]
    default: vault
  recipients:
    description: Public keys of age that V(sops) encrypts for. When they change, the file is encrypted again.
    type: list
    elements: str
    default: []
  identity_file:
    description: File with the age identity that opens what SOPS encrypted. Without it SOPS looks where it always does.
    type: path
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

- name: Bring the file to SOPS
  llmops.langfuse.secrets_file:
    path: "{{ inventory_dir }}/.secrets/langfuse.yml"
    format: sops
    recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
    instance: langfuse
    values: {}
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
