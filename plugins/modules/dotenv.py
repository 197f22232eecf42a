#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: dotenv
short_description: Set names in a .env file
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Sets names in a file of lines C(NAME=value), and keeps every other line, comment, order and the line endings.
  - The file is replaced in one step. Its mode, owner and extended attributes stay, and a link to it stays a link.
  - A new file has mode 0600 and belongs to the owner of its directory.
  - A value is written so that Docker Compose, python-dotenv and a shell read the same; one that has no such form is refused.
options:
  path:
    description: The file. Its directory must exist.
    type: path
    required: true
  values:
    description: Names and their values, as text. They are shown in the diff.
    type: dict
    default: {}
  secret_values:
    description: Names whose values are never shown.
    type: dict
    default: {}
  absent:
    description: Names that must not be set. Nothing else is removed. Values that they had are never shown.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Says what would change, and whether it could be written.
    support: full
  diff_mode:
    description: Shows the named lines only, without values of O(secret_values) and O(absent).
    support: full
notes:
  - A name that stands there several times is set where it comes first, and the other lines go. They stay when all of
    them say the value already.
  - A value that is written over several lines in quotes is one value.
seealso:
  - module: llmops.langfuse.sender_config
"""

EXAMPLES = r"""
- name: Tell a service where its traces go
  llmops.langfuse.dotenv:
    path: /srv/shop/ai-service/.env
    values:
      LANGFUSE_PUBLIC_KEY: "{{ langfuse_init_project_public_key }}"
      LANGFUSE_BASE_URL: http://langfuse-web:3000
    secret_values:
      LANGFUSE_SECRET_KEY: "{{ langfuse_init_project_secret_key }}"

- name: Take them out again
  llmops.langfuse.dotenv:
    path: /srv/shop/ai-service/.env
    absent: [LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY, LANGFUSE_BASE_URL]
"""

RETURN = r"""
path:
  description: The file.
  type: str
  returned: success
names:
  description: Names whose lines changed.
  type: list
  elements: str
  returned: success
  sample: [LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY]
code:
  description:
    - Stable name of what is wrong. One of V(bad_option), V(file_unreadable), V(directory_missing), V(file_unwritable).
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import dotenv, edited_file
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

HIDDEN = "(not shown)"


def shown(text: str, names: list[str], hidden: Collection[str]) -> str:
    """The named lines for a diff, without the values of ``hidden``."""
    values = dotenv.parse(text)
    lines = []
    for name in names:
        if name in values:
            value = HIDDEN if name in hidden else re.sub(r"//[^/@]*@", f"//{HIDDEN}@", values[name])
            lines.append(f"{name}={value}\n")
    return "".join(lines)


def ensure(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    values = {**params["values"], **params["secret_values"]}
    wrong = [name for name, value in values.items() if not isinstance(value, str)]
    both = sorted(set(values) & set(params["absent"]))
    if wrong or both:
        said = [f"{name} is not text." for name in wrong] + [f"{name} is to be set and to be absent." for name in both]
        raise Failure("bad_option", " ".join(said), "Quote values, and name each name once.")
    path = params["path"]
    before = edited_file.read(path)
    try:
        after = dotenv.merge(before or "", values, params["absent"])
    except ValueError as error:
        raise Failure("bad_option", f"{error}.", "Use another value or name.") from None
    names = [*values, *params["absent"]]
    changed = after != (before or "")
    result: dict[str, Any] = {"changed": changed, "path": path, "names": [], "warnings": []}
    if changed:
        single = [(name, {name: values[name]} if name in values else {}) for name in names]
        result["names"] = [
            name for name, one in single if dotenv.merge(before or "", one, [] if one else [name]) != (before or "")
        ]
        edited_file.check_writable(path)
        if not check_mode:
            edited_file.write(path, after)
    if params["secret_values"] and edited_file.readable_by_others(path):
        result["warnings"].append(
            f"{path} holds secrets, and everybody on this machine may read it. Give it mode 0600."
        )
    # What is taken out may have been a secret.
    hidden = {*params["secret_values"], *params["absent"]}
    result["diff"] = {
        "before_header": path,
        "after_header": path,
        "before": shown(before or "", names, hidden),
        "after": shown(after, names, hidden),
    }
    if changed and result["diff"]["before"] == result["diff"]["after"]:
        result["diff"]["after"] += f"# changed without being shown: {', '.join(result['names'])}\n"
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "values": {"type": "dict", "default": {}},
            "secret_values": {"type": "dict", "default": {}, "no_log": True},
            "absent": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        result = ensure(module.params, module.check_mode)
    except Failure as failure:
        module.fail_json(**failure.as_result())
    for text in result.pop("warnings"):
        module.warn(text)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
