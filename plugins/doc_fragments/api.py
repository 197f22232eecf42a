# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that talks to Langfuse's public API."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address under which Langfuse web is reached from where the module runs, for example V(http://127.0.0.1:3030).
      - With a base path in the image, the path belongs to it.
    type: str
    required: true
  public_key:
    description: Public key of the project, V(pk-lf-...).
    type: str
  secret_key:
    description:
      - Secret key of the project, V(sk-lf-...).
      - Never use a key before it is created. Langfuse caches unknown keys and renews that entry at each try.
    type: str
  ca_path:
    description:
      - File with CA certificates that V(https) servers are verified with, beside those of the operating system.
    type: path
  validate_certs:
    description: Whether certificates are verified.
    type: bool
    default: true
  resolve:
    description:
      - Addresses for names that the DNS does not know here, each written C(HOST:PORT:ADDRESS) as for curl's
        C(--resolve). TLS names and the C(Host) header stay those of the name.
    type: list
    elements: str
    default: []
"""
